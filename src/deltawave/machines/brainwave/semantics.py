"""The meaning of a Brainwave program, executed: memories, registers, and what each instruction does to them.

Vectors are float16, matrices block floating point. The matrix-vector multiplier converts its input (infinities become
+-65504 and NaN 0: the format has neither), multiplies exactly within a native vector, adds up in float32 over the
columns of tiles, and rounds to float16. Every point-wise operation rounds to float16; an overflow is an infinity.
Every window of a chain is computed on its own; the arrays here hold them all.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deltawave.machines.brainwave.isa import (
    SECTIONS,
    Access,
    BwProgram,
    Chain,
    Memory,
    Opcode,
    SectionName,
)
from deltawave.machines.brainwave.windows import in_entries, input_of, of_windows
from deltawave.numerics.block_float import BlockFloat, Blocks, product
from deltawave.numerics.half_tables import LARGEST_HALF, Half, apply_half

POINTWISE: dict[Opcode, Callable[[Half, Half], Half]] = {
    Opcode.VV_ADD: np.add,
    Opcode.VV_A_SUB_B: np.subtract,
    Opcode.VV_B_SUB_A: lambda value, operand: operand - value,
    Opcode.VV_MAX: np.maximum,
    Opcode.VV_MUL: np.multiply,
}
FUNCTIONS = {Opcode.V_RELU: "relu", Opcode.V_SIGM: "sigmoid", Opcode.V_TANH: "tanh"}


@dataclass(frozen=True, eq=False)
class Tiles:
    """Native matrices. mantissas: int8 [tiles, N, N], exponents (one for each native row): int8 [tiles, N]."""

    mantissas: NDArray[np.int8]
    exponents: NDArray[np.int8]

    @staticmethod
    def zeros(count: int, native: int) -> "Tiles":
        """So many tiles of zeros."""
        return Tiles(np.zeros((count, native, native), np.int8), np.zeros((count, native), np.int8))

    @staticmethod
    def joined(parts: "Sequence[Tiles]") -> "Tiles":
        """All tiles of the parts, in order."""
        return Tiles(
            np.concatenate([part.mantissas for part in parts]),
            np.concatenate([part.exponents for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.mantissas)

    def __getitem__(self, span: slice) -> "Tiles":
        return Tiles(self.mantissas[span], self.exponents[span])

    def __setitem__(self, span: slice, tiles: "Tiles") -> None:
        self.mantissas[span], self.exponents[span] = tiles.mantissas, tiles.exponents


class BwState:
    """All memories of a machine. `vectors`: float16 [entries, N] by memory and MFU; `tiles`: by memory.

    `arriving` and `leaving`: the vectors of NetQ, float16 [N] each; `arriving_tiles`: one tile each.
    Allocates no more than the program uses. The program must have been checked.
    """

    def __init__(self, program: BwProgram, native: int) -> None:
        entries = program.entries_used()
        self.vectors = {
            (memory, mfu): np.zeros((count, native), np.float16)
            for (memory, mfu, of_tiles), count in entries.items()
            if not of_tiles
        }
        self.tiles = {
            memory: Tiles.zeros(count, native) for (memory, _, of_tiles), count in entries.items() if of_tiles
        }
        self.arriving: deque[Half] = deque()
        self.leaving: deque[Half] = deque()
        self.arriving_tiles: deque[Tiles] = deque()

    def load_dram(self, vectors: Half, tiles: Tiles) -> None:
        """Put vectors, float16 [n, N], and tiles into DRAM, from entry 0 on."""
        self.vectors[Memory.DRAM, 0][: len(vectors)] = vectors
        self.tiles[Memory.DRAM][: len(tiles)] = tiles

    def take_outputs(self) -> Half:
        """What the program sent to NetQ since the last call, float16 [n * N]."""
        outputs = np.concatenate([*self.leaving, np.empty(0, np.float16)])
        self.leaving.clear()
        return outputs


class Interpreter:
    """Executes a checked program on a state. `number_format`: of the MVM; its block is the native dimension."""

    def __init__(self, program: BwProgram, number_format: BlockFloat) -> None:
        self.format = number_format
        self.state = BwState(program, number_format.block)
        self._chains = {section: program.chains(section) for section in SECTIONS}

    def run(self, section: SectionName) -> None:
        """Execute the preamble, or the body once."""
        for chain in self._chains[section]:
            self._run_chain(chain)

    def _run_chain(self, chain: Chain) -> None:
        accesses = [access for access in chain.accesses if access.is_write]
        if chain.moves_matrix:
            self._move_tiles(next(chain.accesses), accesses)
            return
        entries = in_entries(self._flow(chain))
        for access in accesses:
            self._write(access, entries)

    def _move_tiles(self, source: Access, targets: Iterable[Access]) -> None:
        if source.memory is Memory.NETQ:
            tiles = Tiles.joined([self.state.arriving_tiles.popleft() for _ in range(source.entries)])
        else:
            tiles = self.state.tiles[source.memory][_span(source)]
        for target in targets:
            self.state.tiles[target.memory][_span(target)] = tiles

    def _flow(self, chain: Chain) -> Half:
        """The value of a vector chain after its last operation, float16 [times, vectors, N]."""
        operands = {access.position: access for access in chain.accesses if not access.is_write}
        value = input_of(chain, self._read(operands[chain.first]))
        for position, instruction in enumerate(chain.instructions[1:], chain.first + 1):
            if instruction.opcode in FUNCTIONS:
                value = apply_half(FUNCTIONS[instruction.opcode], value)
            elif instruction.opcode is Opcode.MV_MUL:
                value = self._multiply(operands[position], chain, value)
            elif position in operands:
                entries = self._read(operands[position])
                operand = of_windows(entries, chain.times) if instruction.each else entries
                value = pointwise(instruction.opcode, value, operand)
        return value

    def _read(self, access: Access) -> Half:
        if access.memory is Memory.NETQ:
            return np.stack([self.state.arriving.popleft() for _ in range(access.entries)])
        return self.state.vectors[access.memory, access.mfu][_span(access)].copy()

    def _write(self, access: Access, entries: Half) -> None:
        if access.memory is Memory.NETQ:
            self.state.leaving.extend(entries.copy())
        else:
            self.state.vectors[access.memory, access.mfu][_span(access)] = entries

    def _multiply(self, access: Access, chain: Chain, value: Half) -> Half:
        tiles = self.state.tiles[Memory.MATRIX_RF][_span(access)]
        return multiply(self.format, tiles, chain.rows, value)


def _span(access: Access) -> slice:
    return slice(access.index, access.index + access.entries)


def multiply(number_format: BlockFloat, tiles: Tiles, rows: int, vectors: Half) -> Half:
    """rows x cols tiles, row by row, times vectors, float16 [..., cols, N]: float16 [..., rows, N]."""
    native, cols = number_format.block, vectors.shape[-2]
    mantissas = tiles.mantissas.reshape(rows, cols, native, native).swapaxes(1, 2)
    exponents = tiles.exponents.reshape(rows, cols, native).swapaxes(1, 2)
    matrix = Blocks(
        number_format, mantissas.reshape(rows * native, cols, native), exponents.reshape(rows * native, cols)
    )
    flat = finite(vectors).reshape(*vectors.shape[:-2], -1)
    with np.errstate(over="ignore"):  # a product beyond float16 is an infinity
        products = product(matrix, number_format.quantise(flat)).astype(np.float16)
    return products.reshape(*vectors.shape[:-2], rows, native)


def finite(vectors: Half) -> NDArray[np.float64]:
    """What the converter to block floating point makes of float16."""
    return np.nan_to_num(vectors.astype(np.float64), nan=0.0, posinf=LARGEST_HALF, neginf=-LARGEST_HALF)


def pointwise(opcode: Opcode, value: Half, operand: Half) -> Half:
    """A point-wise operation on the chain's value and its operand, rounded to float16."""
    with np.errstate(
        over="ignore", under="ignore", invalid="ignore"
    ):  # infinities, and NaN from them, are legal
        return POINTWISE[opcode](value, operand)

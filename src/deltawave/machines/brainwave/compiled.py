"""A cell as Brainwave holds it: weights in block floating point, the rest in float16, and its program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError, ProgramError
from deltawave.kernels.cell import CellKind
from deltawave.machines.base import CompiledCell, Executor
from deltawave.machines.brainwave.assembler import Assembled
from deltawave.machines.brainwave.cell_programs import GATES, MEMORIES, PEEPHOLES, CellShape, cell_program
from deltawave.machines.brainwave.encoding import encode
from deltawave.machines.brainwave.executors import PlainExecutor
from deltawave.machines.brainwave.isa import BwProgram
from deltawave.machines.brainwave.listing import listing
from deltawave.machines.brainwave.semantics import Tiles
from deltawave.numerics.block_float import BlockFloat, Blocks
from deltawave.numerics.half_tables import HALF_FUNCTIONS, Half


@dataclass(frozen=True, eq=False, kw_only=True)
class BlockCell:
    """A quantised cell. weights_x: [gates * hidden, inputs], weights_h: [gates * hidden, hidden], in blocks of a row.

    bias: float16 [memories, hidden]; peepholes: float16 [3, hidden] in order i, f, o, or [0, hidden].
    `gru_before` scales h by r before the product. activations: gate, candidate, output.
    """

    kind: CellKind
    inputs: int
    hidden: int
    weights_x: Blocks
    weights_h: Blocks
    bias: Half
    peepholes: Half
    activations: tuple[str, str, str]

    @property
    def number(self) -> BlockFloat:
        """The format of the weights; its block is the native dimension."""
        return self.weights_x.format

    @property
    def native(self) -> int:
        """The native dimension."""
        return self.number.block


@dataclass(frozen=True, eq=False)
class BrainwaveCell:
    """A compiled cell."""

    name: str
    cell: BlockCell

    @cached_property
    def assembled(self) -> Assembled:
        """Its program, with the names of what the memories hold."""
        c = self.cell
        inputs, hidden = (-(-size // c.native) for size in (c.inputs, c.hidden))
        return cell_program(CellShape(c.kind, inputs, hidden, c.activations, len(c.peepholes) > 0))

    @property
    def program(self) -> BwProgram:
        """Its instructions."""
        return self.assembled.program

    @property
    def tiles(self) -> int:
        """Tiles of MatrixRf that it needs."""
        return self.program.dram_tiles

    def dram_vectors(self, h: Half, c: Half) -> Half:
        """The vectors that DRAM holds before the preamble, to start from h and c: float16 [entries, N]."""
        contents = {"h_prev": self._padded(h), "c_prev": self._padded(c)}
        for gate, bias in zip(MEMORIES[self.cell.kind], self.cell.bias, strict=True):
            contents[f"b{gate}"] = self._padded(bias, self._bias_padding(gate))
        for gate, peephole in zip(PEEPHOLES, self.cell.peepholes, strict=False):
            contents[f"p{gate}"] = self._padded(peephole)
        return np.concatenate([contents[name] for name in self.assembled.names_in_dram(tiles=False)])

    def dram_tiles(self) -> Tiles:
        """The tiles that DRAM holds: the weights, gate by gate."""
        contents: dict[str, Tiles] = {}
        for name, weights in (("W", self.cell.weights_x), ("U", self.cell.weights_h)):
            for number, gate in enumerate(GATES[self.cell.kind]):
                rows = slice(number * self.cell.hidden, (number + 1) * self.cell.hidden)
                contents[name + gate] = tiles_of(weights, rows)
        ordered = [contents[name] for name in self.assembled.names_in_dram(tiles=True)]
        return Tiles(
            np.concatenate([tiles.mantissas for tiles in ordered]),
            np.concatenate([tiles.exponents for tiles in ordered]),
        )

    def _bias_padding(self, gate: str) -> float:
        """What keeps the padding of h and c at zero: a sigmoid's output must be zero there."""
        activation = self.cell.activations[1 if gate in "gch" else 0]
        return -np.inf if activation == "sigmoid" and gate != "d" else 0.0

    def _padded(self, values: Half, padding: float = 0.0) -> Half:
        padded = np.full(-(-len(values) // self.cell.native) * self.cell.native, padding, np.float16)
        padded[: len(values)] = values
        return padded.reshape(-1, self.cell.native)

    def executor(self, *, plain: bool = False) -> Executor:
        """A fresh executor: the fast kernels, or with `plain` the NumPy semantics. The same bits."""
        return PlainExecutor(self)

    def listing(self) -> str:
        """The program as text, under a comment with the cell's sizes and formats."""
        c = self.cell
        return (
            f"# cell {self.name} {c.kind} inputs={c.inputs} hidden={c.hidden} native={c.native}"
            f" mantissa_bits={c.number.mantissa_bits} tiles={self.tiles}\n" + listing(self.program)
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything, as arrays by name; `restore` is the inverse."""
        c = self.cell
        return {
            "kind": np.array(c.kind),
            "activations": np.array(c.activations),
            "sizes": np.array([c.inputs, c.hidden, c.native, c.number.mantissa_bits], np.int64),
            "mantissas_x": c.weights_x.mantissas,
            "exponents_x": c.weights_x.exponents,
            "mantissas_h": c.weights_h.mantissas,
            "exponents_h": c.weights_h.exponents,
            "bias": c.bias,
            "peepholes": c.peepholes,
            "program": np.frombuffer(encode(self.program), np.uint8),
        }


def tiles_of(weights: Blocks, rows: slice) -> Tiles:
    """Some rows of a matrix as native tiles, row by row, filled up with zeros."""
    mantissas, exponents = weights.mantissas[rows], weights.exponents[rows]
    count, cols, native = mantissas.shape
    filled = -(-count // native) * native
    m, e = np.zeros((filled, cols, native), np.int8), np.zeros((filled, cols), np.int8)
    m[:count], e[:count] = mantissas, exponents
    return Tiles(
        m.reshape(-1, native, cols, native).swapaxes(1, 2).reshape(-1, native, native),
        e.reshape(-1, native, cols).swapaxes(1, 2).reshape(-1, native),
    )


def brainwave_cell(cell: CompiledCell) -> BrainwaveCell:
    """The cell of a program that a Brainwave machine compiled."""
    assert isinstance(cell, BrainwaveCell)
    return cell


def restore(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> BrainwaveCell:
    """The cell that `arrays` came from. Raises ProgramError for arrays that make no cell."""
    try:
        cell = BrainwaveCell(name, _block_cell(arrays))
        _check_program(cell, arrays)
    except (KeyError, ValueError, IndexError, TypeError, OptionError) as error:
        raise ProgramError(
            f"cell {name} of the program file is damaged ({error!r}); compile the network again"
        ) from None
    return cell


def _check_program(cell: BrainwaveCell, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    code = np.frombuffer(encode(cell.program), np.uint8)
    if not np.array_equal(_typed(arrays, "program", np.uint8, code.shape), code):
        raise ValueError("its instructions are not those of the cell")


def _block_cell(arrays: Mapping[str, NDArray[np.generic]]) -> BlockCell:
    kind = str(arrays["kind"])
    activations = tuple(str(activation) for activation in arrays["activations"])
    if (
        kind not in get_args(CellKind)
        or len(activations) != 3
        or not HALF_FUNCTIONS.keys() >= set(activations)
    ):
        raise ValueError(f"no cell {kind} with {', '.join(activations)}")
    inputs, hidden, native, mantissa_bits = (int(n) for n in _typed(arrays, "sizes", np.int64, (4,)))
    if min(inputs, hidden, native) < 1:
        raise ValueError(f"no cell of {inputs} inputs, {hidden} units and native dimension {native}")
    number = BlockFloat(mantissa_bits, native)
    rows = len(GATES[kind]) * hidden
    peepholes = 3 if kind == "lstm" and len(arrays["peepholes"]) else 0
    return BlockCell(
        kind=cast(CellKind, kind),
        inputs=inputs,
        hidden=hidden,
        weights_x=_blocks(arrays, "x", number, rows, inputs),
        weights_h=_blocks(arrays, "h", number, rows, hidden),
        bias=_typed(arrays, "bias", np.float16, (len(MEMORIES[kind]), hidden)),
        peepholes=_typed(arrays, "peepholes", np.float16, (peepholes, hidden)),
        activations=(activations[0], activations[1], activations[2]),
    )


def _blocks(
    arrays: Mapping[str, NDArray[np.generic]], name: str, number: BlockFloat, rows: int, columns: int
) -> Blocks:
    shape = (rows, -(-columns // number.block))
    mantissas = _typed(arrays, f"mantissas_{name}", np.int8, (*shape, number.block))
    exponents = _typed(arrays, f"exponents_{name}", np.int8, shape)
    if (
        np.abs(mantissas.astype(np.int16)).max() > number.highest
        or not -15 <= exponents.min() <= exponents.max() <= 16
    ):
        raise ValueError(f"weights_{name} are not of the format")
    return Blocks(number, mantissas, exponents)


def _typed(
    arrays: Mapping[str, NDArray[np.generic]], name: str, kind: type, shape: tuple[int, ...]
) -> NDArray[Any]:
    """The array of that name, which must have this type and shape."""
    array = arrays[name]
    if array.dtype != np.dtype(kind) or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} {array.shape}")
    return array

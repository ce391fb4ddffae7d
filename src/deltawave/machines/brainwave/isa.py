"""The instructions of the Brainwave NPU (ISCA 2018, Table II), its memories, and what a program is.

A chain is a v_rd, at most one mv_mul, point-wise operations and one or several v_wr (a multicast), then end_chain; or
exactly m_rd, m_wr, end_chain. A chain flows through the matrix-vector multiplier (MVM) and then the multifunction
units (MFUs), each with one activation, one multiply and one add/subtract/maximum unit, in any order. An operation goes
to the MFU in use, or, if its unit is taken there, to the next one.

Decided here where the papers are silent:

- v_rd reads `cols` native vectors; mv_mul takes `rows` x `cols` tiles of MatrixRf, row by row, and its result has
  `rows` vectors. So a chain writes `rows` vectors if it has an mv_mul, else `cols`; m_rd and m_wr move `rows` x `cols`
  tiles.
- v_rd reads InitialVrf, NetQ and DRAM; the other vector register files (VRFs) are read by the MFU they belong to.
- A chain reads all its operands before it writes.
- DRAM has two index spaces, one of vectors and one of tiles.
- The preamble and the body set rows and cols before their first chain; s_wr is outside of chains.

Ours, since the papers name a circuit that unrolls the windows of a convolution but no instruction for it: the register
`window`. While it is k > 0, v_rd reads not `cols` vectors but every `cols` vectors of the program's k-th `Window`, and
the chain is run once for each of its windows. What a chain under a window writes, and an operand read `each`, has for
every vector of the chain the windows one behind the other: vector r of window w is at index + r * windows + w. Other
operands are the same for all windows. All windows are read before the first is written. NetQ is sent vectors in the
order of entries. Matrices are not moved under a window. A section begins with window = 0.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from enum import Enum
from typing import Literal

from deltawave.errors import OptionError

SectionName = Literal["preamble", "body"]
SECTIONS: tuple[SectionName, SectionName] = ("preamble", "body")


class Memory(Enum):
    """A memory. AddSubVrf and MultiplyVrf exist once for each MFU; NetQ is two queues, one in and one out."""

    INITIAL_VRF = "InitialVrf"
    ADD_SUB_VRF = "AddSubVrf"
    MULTIPLY_VRF = "MultiplyVrf"
    MATRIX_RF = "MatrixRf"
    NETQ = "NetQ"
    DRAM = "DRAM"


class Register(Enum):
    """A control register: the size of a matrix in native tiles, and which window (0: none)."""

    ROWS = "rows"
    COLS = "cols"
    WINDOW = "window"


class Unit(Enum):
    """A function unit of an MFU."""

    ACTIVATION = "activation"
    MULTIPLY = "multiply"
    ADD_SUB = "add/sub"


class Opcode(Enum):
    """An instruction's name."""

    V_RD = "v_rd"
    V_WR = "v_wr"
    M_RD = "m_rd"
    M_WR = "m_wr"
    MV_MUL = "mv_mul"
    VV_ADD = "vv_add"
    VV_A_SUB_B = "vv_a_sub_b"
    VV_B_SUB_A = "vv_b_sub_a"
    VV_MAX = "vv_max"
    VV_MUL = "vv_mul"
    V_RELU = "v_relu"
    V_SIGM = "v_sigm"
    V_TANH = "v_tanh"
    S_WR = "s_wr"
    END_CHAIN = "end_chain"


Space = tuple[Memory, int, bool]
"""An index space: a memory, of which MFU (0 if there is one for all), and whether of tiles, not vectors."""

PER_MFU = (Memory.ADD_SUB_VRF, Memory.MULTIPLY_VRF)

MEMORIES = {
    Opcode.V_RD: (Memory.INITIAL_VRF, Memory.NETQ, Memory.DRAM),
    Opcode.V_WR: (Memory.INITIAL_VRF, *PER_MFU, Memory.NETQ, Memory.DRAM),
    Opcode.M_RD: (Memory.NETQ, Memory.DRAM),
    Opcode.M_WR: (Memory.MATRIX_RF, Memory.DRAM),
}
"""What an instruction that names a memory may name."""

OPERAND = {
    Opcode.MV_MUL: Memory.MATRIX_RF,
    Opcode.VV_ADD: Memory.ADD_SUB_VRF,
    Opcode.VV_A_SUB_B: Memory.ADD_SUB_VRF,
    Opcode.VV_B_SUB_A: Memory.ADD_SUB_VRF,
    Opcode.VV_MAX: Memory.ADD_SUB_VRF,
    Opcode.VV_MUL: Memory.MULTIPLY_VRF,
}
"""Where an instruction with an index only finds its operand; a VRF is that of the MFU which executes it."""

UNITS = {
    Opcode.VV_ADD: Unit.ADD_SUB,
    Opcode.VV_A_SUB_B: Unit.ADD_SUB,
    Opcode.VV_B_SUB_A: Unit.ADD_SUB,
    Opcode.VV_MAX: Unit.ADD_SUB,
    Opcode.VV_MUL: Unit.MULTIPLY,
    Opcode.V_RELU: Unit.ACTIVATION,
    Opcode.V_SIGM: Unit.ACTIVATION,
    Opcode.V_TANH: Unit.ACTIVATION,
}
"""The point-wise operations, and what executes them."""


@dataclass(frozen=True)
class Instruction:
    """One instruction. Operands it does not take stay at their defaults; NetQ has no index.

    `mfu`: whose AddSubVrf or MultiplyVrf. `each`: the operand is another one for every window.
    Raises OptionError for operands that do not belong to the opcode.
    """

    opcode: Opcode
    memory: Memory | None = None
    mfu: int = 0
    index: int = 0
    register: Register | None = None
    value: int = 0
    each: bool = False

    def __post_init__(self) -> None:
        for name, is_given, belongs in (
            ("memory", self.memory is not None, self.opcode in MEMORIES),
            ("register", self.register is not None, self.opcode is Opcode.S_WR),
        ):
            if is_given != belongs:
                raise OptionError(f"{self.opcode.value} {'takes a' if belongs else 'takes no'} {name}")
        for name, number, belongs in (
            ("mfu", self.mfu, self.memory in PER_MFU),
            ("index", self.index, self.has_index),
            ("value", self.value, self.opcode is Opcode.S_WR),
            ("each", self.each, self.opcode in UNITS and self.has_index),
        ):
            if number and not belongs:
                raise OptionError(f"{self.opcode.value} takes no {name} here; it was given {number}")

    @property
    def has_index(self) -> bool:
        """Whether it takes an index."""
        return self.opcode in OPERAND or self.memory not in (None, Memory.NETQ)

    def __str__(self) -> str:
        """As it is listed: `v_wr AddSubVrf.1 12`."""
        words = [self.opcode.value]
        if self.memory is not None:
            words.append(self.memory.value + (f".{self.mfu}" if self.memory in PER_MFU else ""))
        if self.has_index:
            words.append(str(self.index))
        if self.register is not None:
            words += [self.register.value, str(self.value)]
        if self.each:
            words.append("each")
        return " ".join(words)


@dataclass(frozen=True)
class Limits:
    """What a program may use: MFUs, and the entries of each memory (native vectors, or native tiles of MatrixRf).

    `native_dim`: elements of a native vector.
    """

    native_dim: int
    mrf_entries: int
    initial_vrf_entries: int
    add_sub_vrf_entries: int
    multiply_vrf_entries: int
    dram_entries: int = 1 << 20
    mfus: int = 2

    def entries(self, memory: Memory) -> int:
        """Entries of a memory; of each MFU's own, if it has one."""
        return {
            Memory.INITIAL_VRF: self.initial_vrf_entries,
            Memory.ADD_SUB_VRF: self.add_sub_vrf_entries,
            Memory.MULTIPLY_VRF: self.multiply_vrf_entries,
            Memory.MATRIX_RF: self.mrf_entries,
            Memory.DRAM: self.dram_entries,
        }[memory]


LARGEST_SIZE = 1 << 24
MAY_BE_ZERO = ("top", "left", "lowest")


@dataclass(frozen=True)
class Window:
    """A map of features, and the windows over it, row by row.

    The map has `height` x `width` pixels of `channels` values: in a register file or DRAM, ceil(channels / native)
    planes, each with a native vector for every pixel, row by row; in NetQ, the pixels' values one behind the other. A
    window has `kernel_height` x `kernel_width` pixels, `dilation` apart, their values one behind the other and filled
    up with zeros to whole native vectors. The first window begins `top` rows above and `left` columns left of the map;
    what lies outside is zero, or with `lowest` minus infinity. Raises OptionError for sizes that are not positive.
    """

    native: int
    height: int
    width: int
    channels: int
    kernel_height: int = 1
    kernel_width: int = 1
    row_stride: int = 1
    column_stride: int = 1
    row_dilation: int = 1
    column_dilation: int = 1
    top: int = 0
    left: int = 0
    rows: int = 1
    columns: int = 1
    lowest: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in MAY_BE_ZERO and not 1 <= value < LARGEST_SIZE:
                raise OptionError(
                    f"window: {field.name} = {value} is out of range; it goes from 1 to {LARGEST_SIZE - 1}"
                )
        for name in ("top", "left"):
            if not -LARGEST_SIZE < getattr(self, name) < LARGEST_SIZE:
                raise OptionError(
                    f"window: {name} = {getattr(self, name)} is out of range; "
                    f"it goes from {1 - LARGEST_SIZE} to {LARGEST_SIZE - 1}"
                )
        if self.lowest not in (0, 1):
            raise OptionError(f"window: lowest = {self.lowest} is out of range; it goes from 0 to 1")

    def __str__(self) -> str:
        """As it is listed, defaults left out: `window native=4 height=28 width=28 channels=1 kernel_height=3`."""
        given = [(field, getattr(self, field.name)) for field in fields(self)]
        return " ".join(["window", *(f"{field.name}={n}" for field, n in given if n != field.default)])

    @property
    def count(self) -> int:
        """How many windows there are."""
        return self.rows * self.columns

    @property
    def planes(self) -> int:
        """Native vectors of a pixel."""
        return -(-self.channels // self.native)

    @property
    def map_entries(self) -> int:
        """Native vectors of the map in a register file."""
        return self.planes * self.height * self.width

    @property
    def packed_entries(self) -> int:
        """Native vectors of the map in NetQ."""
        return -(-self.height * self.width * self.channels // self.native)

    @property
    def vectors(self) -> int:
        """Native vectors of a window."""
        return -(-self.kernel_height * self.kernel_width * self.channels // self.native)


COUNTS = ("vectors_per_step", "tiles_before", "dram_vectors", "dram_tiles")
"""The numbers of a program besides its instructions."""


@dataclass(frozen=True)
class BwProgram:
    """A program: the scalar core issues the preamble once and the body in every time step.

    NetQ receives `tiles_before` tiles before the preamble and `vectors_per_step` vectors before each step. DRAM holds
    `dram_vectors` vectors and `dram_tiles` tiles from the start, from index 0 on. The register `window` counts
    `windows` from 1.
    """

    preamble: tuple[Instruction, ...]
    body: tuple[Instruction, ...]
    vectors_per_step: int = 0
    tiles_before: int = 0
    dram_vectors: int = 0
    dram_tiles: int = 0
    windows: tuple[Window, ...] = ()

    def section(self, name: SectionName) -> tuple[Instruction, ...]:
        """The preamble or the body."""
        return self.preamble if name == "preamble" else self.body

    def chains(self, name: SectionName) -> "tuple[Chain, ...]":
        """The chains of the preamble or the body, which must have been checked."""
        return chains(self.section(name), self.windows)

    def entries_used(self) -> dict[Space, int]:
        """How many entries of each index space it needs."""
        used: dict[Space, int] = {
            (Memory.DRAM, 0, False): self.dram_vectors,
            (Memory.DRAM, 0, True): self.dram_tiles,
        }
        for chain in (*self.chains("preamble"), *self.chains("body")):
            for access in chain.accesses:
                used[access.space] = max(used.get(access.space, 0), access.index + access.entries)
        return {space: entries for space, entries in used.items() if space[0] is not Memory.NETQ}


@dataclass(frozen=True)
class Access:
    """What one instruction of a chain reads or writes: `entries` vectors or tiles from `index` on (0 for NetQ).

    `position`: of the instruction in its section.
    """

    instruction: Instruction
    position: int
    memory: Memory
    mfu: int
    index: int
    entries: int
    is_write: bool

    @property
    def moves_tiles(self) -> bool:
        """Whether the entries are tiles, not vectors."""
        return self.instruction.opcode in (Opcode.M_RD, Opcode.M_WR, Opcode.MV_MUL)

    @property
    def space(self) -> Space:
        """The index space of the entries."""
        return self.memory, self.mfu, self.moves_tiles


@dataclass(frozen=True)
class Chain:
    """A chain as it is executed: `rows` and `cols` as the registers stand, its instructions without the end_chain.

    `first`: position of its first instruction in the section.
    """

    first: int
    rows: int
    cols: int
    instructions: tuple[Instruction, ...]
    window: Window | None = None

    @property
    def times(self) -> int:
        """How often it runs: once for each window."""
        return self.window.count if self.window else 1

    @property
    def moves_matrix(self) -> bool:
        """Whether it is m_rd, m_wr."""
        return self.read.opcode is Opcode.M_RD

    @property
    def read(self) -> Instruction:
        """The v_rd or m_rd it starts with."""
        return self.instructions[0]

    @property
    def multiplication(self) -> Instruction | None:
        """The mv_mul, if it has one."""
        return next((i for i in self.instructions if i.opcode is Opcode.MV_MUL), None)

    @property
    def writes(self) -> tuple[Instruction, ...]:
        """The v_wr or m_wr it ends with."""
        return tuple(i for i in self.instructions if i.opcode in (Opcode.V_WR, Opcode.M_WR))

    @property
    def operations(self) -> tuple[tuple[Instruction, int], ...]:
        """The point-wise operations, each with the number of its MFU."""
        return tuple(place_on_mfus(i for i in self.instructions if i.opcode in UNITS))

    @property
    def width(self) -> int:
        """Vectors of the point-wise operations, and of a write, in one window."""
        return self.rows if self.multiplication else self.cols

    @property
    def entries_read(self) -> int:
        """Vectors, or tiles, that the first instruction reads."""
        if self.moves_matrix:
            return self.rows * self.cols
        if self.window is None:
            return self.cols
        return self.window.packed_entries if self.read.memory is Memory.NETQ else self.window.map_entries

    @property
    def entries_written(self) -> int:
        """Vectors, or tiles, that each write writes."""
        return self.entries_read if self.moves_matrix else self.width * self.times

    @property
    def accesses(self) -> Iterator[Access]:
        """What its instructions read and write, in their order."""
        mfus = iter(self.operations)
        for position, instruction in enumerate(self.instructions, self.first):
            mfu = next(mfus)[1] if instruction.opcode in UNITS else instruction.mfu
            memory = instruction.memory or OPERAND.get(instruction.opcode)
            if memory:
                is_write = instruction.opcode in (Opcode.V_WR, Opcode.M_WR)
                entries = self._entries(instruction)
                yield Access(instruction, position, memory, mfu, instruction.index, entries, is_write)

    def _entries(self, instruction: Instruction) -> int:
        if instruction is self.read:
            return self.entries_read
        if instruction.opcode is Opcode.MV_MUL:
            return self.rows * self.cols
        return self.width if instruction.opcode in UNITS and not instruction.each else self.entries_written


def place_on_mfus(operations: Iterable[Instruction]) -> Iterator[tuple[Instruction, int]]:
    """Each operation with its MFU: the one in use, or the next one if the unit is taken."""
    mfu = 0
    taken: set[Unit] = set()
    for operation in operations:
        unit = UNITS[operation.opcode]
        if unit in taken:
            mfu, taken = mfu + 1, set()
        taken.add(unit)
        yield operation, mfu


def chains(section: tuple[Instruction, ...], windows: tuple[Window, ...] = ()) -> tuple[Chain, ...]:
    """The chains of a checked preamble or body, in order."""
    found: list[Chain] = []
    registers = dict.fromkeys(Register, 0)
    first = 0
    for position, instruction in enumerate(section):
        if instruction.register is not None:
            registers[instruction.register] = instruction.value
            first = position + 1
        elif instruction.opcode is Opcode.END_CHAIN:
            rows, cols, number = (registers[register] for register in Register)
            window = windows[number - 1] if number else None
            found.append(Chain(first, rows, cols, section[first:position], window))
            first = position + 1
    return tuple(found)

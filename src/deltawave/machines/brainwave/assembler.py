"""Programs typed in Python, with names for what the memories hold, nearly as published.

    npu = Assembler()
    with npu.body():
        npu.s_wr(ROWS, 5)
        npu.s_wr(COLS, 5)
        npu.v_rd(NETQ)
        npu.v_wr(INITIAL_VRF, "xt")
        npu.v_rd(INITIAL_VRF, "xt")
        npu.mv_mul("Wf")
        npu.vv_add("bf")
        npu.v_wr(ADD_SUB_VRF, "xWf")

A name stands for one place in each memory it is used with; places are given out in the order of first use, as large as
the first use is. An end_chain that is missing is added where the next chain begins. What an MFU reads belongs into
that MFU's own memory, so a v_wr to AddSubVrf or MultiplyVrf becomes one v_wr for each MFU that reads the name.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from deltawave.errors import OptionError
from deltawave.machines.brainwave.allocation import Need, lay_out
from deltawave.machines.brainwave.isa import (
    OPERAND,
    PER_MFU,
    SECTIONS,
    Access,
    BwProgram,
    Instruction,
    Memory,
    Opcode,
    Register,
    SectionName,
    Space,
    Window,
    chains,
)

INITIAL_VRF, ADD_SUB_VRF, MULTIPLY_VRF = Memory.INITIAL_VRF, Memory.ADD_SUB_VRF, Memory.MULTIPLY_VRF
MATRIX_RF, NETQ, DRAM = Memory.MATRIX_RF, Memory.NETQ, Memory.DRAM
ROWS, COLS, WINDOW = Register.ROWS, Register.COLS, Register.WINDOW

STARTS = (Opcode.V_RD, Opcode.M_RD, Opcode.S_WR)


@dataclass(frozen=True)
class Assembled:
    """A program, and where its names are: index and entries by index space (memory, MFU, of tiles) and name.

    stays: the first entries of each index space, whose contents must outlast a step. owners: who wrote each chain of
    the body, as the assembler was told.
    """

    program: BwProgram
    places: dict[tuple[Space, str], tuple[int, int]]
    stays: dict[Space, int] = field(default_factory=dict)
    owners: tuple[str, ...] = ()

    def index(self, memory: Memory, name: str, mfu: int = 0) -> int:
        """The first entry of a name in a memory of vectors."""
        return self.places[(memory, mfu, False), name][0]

    def names_in_dram(self, *, tiles: bool) -> list[str]:
        """The names in DRAM, in the order of their places."""
        return [name for (space, name) in self.places if space == (DRAM, 0, tiles)]


@dataclass(frozen=True)
class Part:
    """Entries of a name from `offset` on; the name has at least `whole` of them."""

    offset: int = 0
    whole: int = 0


WHOLE = Part()


@dataclass(frozen=True)
class Line:
    """An instruction as it was typed. `offset`: of the first entry in the name's place, which has at least `whole`
    entries. `freed`: what is no longer needed after its chain."""

    instruction: Instruction
    name: str = ""
    offset: int = 0
    whole: int = 0
    owner: str = ""
    freed: tuple[tuple[Memory, str], ...] = ()


class Assembler:
    """Collects instructions; `assemble` gives the program. Methods are the instructions, and help to write them."""

    def __init__(self) -> None:
        self._lines: dict[SectionName, list[Line]] = {name: [] for name in SECTIONS}
        self._section: SectionName | None = None
        self._registers: dict[Register, int] = {}
        self._windows: dict[Window, int] = {}
        self._prefix, self._aliases = "", dict[str, str]()
        self.owner = ""
        self._together: dict[tuple[Memory, str], str] = {}

    @contextmanager
    def preamble(self) -> Iterator[None]:
        """What follows runs once."""
        with self._in("preamble"):
            yield

    @contextmanager
    def body(self) -> Iterator[None]:
        """What follows runs in every time step."""
        with self._in("body"):
            yield

    @contextmanager
    def _in(self, section: SectionName) -> Iterator[None]:
        self._section, self._registers = section, {Register.WINDOW: 0}
        yield
        self._close_chain()
        self._section = None

    @contextmanager
    def scope(self, prefix: str, aliases: Mapping[str, str] | None = None) -> Iterator[None]:
        """Names inside stand for `prefix.name`, or for what `aliases` says that they stand for."""
        before = self._prefix, self._aliases
        self._prefix, self._aliases = f"{prefix}.", dict(aliases or {})
        yield
        self._prefix, self._aliases = before

    def size(self, rows: int | None, cols: int, window: Window | None = None) -> None:
        """Set the registers, those that do not stand so already. rows: None where they do not matter."""
        rows = self._registers.get(ROWS, cols) if rows is None else rows
        for register, value in ((ROWS, rows), (COLS, cols), (WINDOW, self._number(window))):
            if self._registers.get(register) != value:
                self.s_wr(register, value)

    def no_window(self) -> None:
        """Set the register `window` to none, if it does not stand so already."""
        if self._registers[WINDOW]:
            self.s_wr(WINDOW, 0)

    def _number(self, window: Window | None) -> int:
        if window is None:
            return 0
        return self._windows.setdefault(window, len(self._windows) + 1)

    def free(self, memory: Memory, name: str) -> None:
        """The name is not used any more: what comes may have its place."""
        assert self._section is not None
        lines = self._lines[self._section]
        lines[-1] = replace(lines[-1], freed=(*lines[-1].freed, (memory, self._full(name))))

    def reuse(self, memory: Memory, name: str, old: str) -> None:
        """The name has the place of another one, which must be as large."""
        old = self._full(old)
        self._together[memory, self._full(name)] = self._together.get((memory, old), old)

    def _full(self, name: str) -> str:
        return self._aliases.get(name) or (self._prefix + name if name else "")

    def v_rd(self, memory: Memory, name: str = "") -> None:
        """Start a chain with `cols` vectors."""
        self._add(Instruction(Opcode.V_RD, memory), name)

    def v_wr(self, memory: Memory, name: str = "", *, part: Part = WHOLE) -> None:
        """Write the chain's value."""
        self._add(Instruction(Opcode.V_WR, memory), name, part)

    def m_rd(self, memory: Memory, name: str = "", *, part: Part = WHOLE) -> None:
        """Start a chain with `rows` x `cols` tiles."""
        self._add(Instruction(Opcode.M_RD, memory), name, part)

    def m_wr(self, memory: Memory, name: str = "", *, part: Part = WHOLE) -> None:
        """Write the chain's tiles."""
        self._add(Instruction(Opcode.M_WR, memory), name, part)

    def mv_mul(self, name: str) -> None:
        """A matrix times the chain's value."""
        self._add(Instruction(Opcode.MV_MUL), name)

    def vv_add(self, name: str, *, each: bool = False, part: Part = WHOLE) -> None:
        """The chain's value plus an operand."""
        self._add(Instruction(Opcode.VV_ADD, each=each), name, part)

    def vv_a_sub_b(self, name: str, *, each: bool = False, part: Part = WHOLE) -> None:
        """The chain's value minus an operand."""
        self._add(Instruction(Opcode.VV_A_SUB_B, each=each), name, part)

    def vv_b_sub_a(self, name: str, *, each: bool = False, part: Part = WHOLE) -> None:
        """An operand minus the chain's value."""
        self._add(Instruction(Opcode.VV_B_SUB_A, each=each), name, part)

    def vv_max(self, name: str, *, each: bool = False, part: Part = WHOLE) -> None:
        """The larger of the chain's value and an operand."""
        self._add(Instruction(Opcode.VV_MAX, each=each), name, part)

    def vv_mul(self, name: str, *, each: bool = False, part: Part = WHOLE) -> None:
        """The chain's value times an operand, element by element."""
        self._add(Instruction(Opcode.VV_MUL, each=each), name, part)

    def v_relu(self) -> None:
        """max(value, 0)."""
        self._add(Instruction(Opcode.V_RELU))

    def v_sigm(self) -> None:
        """The sigmoid of the value."""
        self._add(Instruction(Opcode.V_SIGM))

    def v_tanh(self) -> None:
        """The tanh of the value."""
        self._add(Instruction(Opcode.V_TANH))

    def activate(self, function: str) -> None:
        """The activation of that name: relu, sigmoid or tanh."""
        {"relu": self.v_relu, "sigmoid": self.v_sigm, "tanh": self.v_tanh}[function]()

    def operate(self, opcode: Opcode, name: str = "", *, each: bool = False, part: Part = WHOLE) -> None:
        """The point-wise operation of that opcode."""
        self._add(Instruction(opcode, each=each), name, part)

    def s_wr(self, register: Register, value: int) -> None:
        """Set a register."""
        self._add(Instruction(Opcode.S_WR, register=register, value=value))
        self._registers[register] = value

    def end_chain(self) -> None:
        """End the chain."""
        self._add(Instruction(Opcode.END_CHAIN))

    def _add(self, instruction: Instruction, name: str = "", part: Part = WHOLE) -> None:
        if self._section is None:
            raise OptionError(f"{instruction.opcode.value} stands outside of the preamble and the body")
        _check_name(instruction, name)
        if instruction.opcode in STARTS:
            self._close_chain()
        line = Line(instruction, self._full(name), part.offset, part.whole, self.owner)
        self._lines[self._section].append(line)

    def _close_chain(self) -> None:
        assert self._section is not None
        lines = self._lines[self._section]
        if lines and lines[-1].instruction.opcode not in (Opcode.END_CHAIN, Opcode.S_WR):
            lines.append(Line(Instruction(Opcode.END_CHAIN)))

    def assemble(self, *, vectors_per_step: int = 0, tiles_before: int = 0) -> Assembled:
        """The program; what it reads from DRAM is taken to be there from the start."""
        windows = tuple(self._windows)
        multicast = _Multicast(self._lines, windows)
        expanded = {name: multicast.expand(name) for name in SECTIONS}
        allocator = _Allocator(expanded, self._together, windows)
        program = BwProgram(
            allocator.section("preamble"),
            allocator.section("body"),
            vectors_per_step,
            tiles_before,
            allocator.used[DRAM, 0, False],
            allocator.used[DRAM, 0, True],
            windows,
        )
        owners = tuple(expanded["body"][chain.first].owner for chain in program.chains("body"))
        return Assembled(program, allocator.places, allocator.stays, owners)


def _check_name(instruction: Instruction, name: str) -> None:
    if name and not instruction.has_index:
        raise OptionError(f"{instruction.opcode.value} takes no name here; it was given {name}")
    if instruction.has_index and not name:
        memory = instruction.memory or OPERAND[instruction.opcode]
        raise OptionError(f"{instruction.opcode.value} takes a name for its place in {memory.value}")


class _Multicast:
    """Which MFUs read a name, and the writes that they need."""

    def __init__(self, lines: Mapping[SectionName, list[Line]], windows: tuple[Window, ...]) -> None:
        self._lines = lines
        self._readers: dict[tuple[Memory, str], set[int]] = defaultdict(set)
        for section in SECTIONS:
            for chain in chains(_instructions(lines[section]), windows):
                for access in chain.accesses:
                    if access.memory in PER_MFU and not access.is_write:
                        self._readers[access.memory, lines[section][access.position].name].add(access.mfu)

    def expand(self, section: SectionName) -> list[Line]:
        """The lines of a section with a write for each MFU that reads."""
        return [copy for line in self._lines[section] for copy in self._copies(line)]

    def _copies(self, line: Line) -> list[Line]:
        memory = line.instruction.memory
        if memory not in PER_MFU:
            return [line]
        assert memory is not None
        mfus = sorted(self._readers[memory, line.name] or {0})
        return [replace(line, instruction=replace(line.instruction, mfu=mfu)) for mfu in mfus]


class _Allocator:
    """Gives every name its place: see `allocation`."""

    def __init__(
        self,
        lines: Mapping[SectionName, list[Line]],
        together: Mapping[tuple[Memory, str], str],
        windows: tuple[Window, ...],
    ) -> None:
        self.places: dict[tuple[Space, str], tuple[int, int]] = {}
        self.used: dict[Space, int] = defaultdict(int)
        self.stays: dict[Space, int] = {}
        self._lines, self._together = lines, together
        self._chains = {name: chains(_instructions(lines[name]), windows) for name in SECTIONS}
        self._needs: dict[Space, dict[str, Need]] = defaultdict(dict)
        self._find_needs()
        for space, needs in self._needs.items():
            for name, index in lay_out(needs).items():
                self.places[space, name] = index, needs[name].entries
                self.used[space] = max(self.used[space], index + needs[name].entries)
            self.stays[space] = sum(need.entries for need in needs.values() if need.last is None)

    def section(self, name: SectionName) -> tuple[Instruction, ...]:
        """The instructions of a section with their indices."""
        lines = self._lines[name]
        placed = list(_instructions(lines))
        for chain in self._chains[name]:
            for access in chain.accesses:
                line = lines[access.position]
                if line.name:
                    index, _ = self.places[access.space, self._owner(access.memory, line.name)]
                    placed[access.position] = replace(access.instruction, index=index + line.offset)
        return tuple(placed)

    def _owner(self, memory: Memory, name: str) -> str:
        """The name whose place it has."""
        return self._together.get((memory, name), name)

    def _find_needs(self) -> None:
        number = 0
        for section in SECTIONS:
            end, lines = 0, self._lines[section]
            for chain in self._chains[section]:
                for access in chain.accesses:
                    if lines[access.position].name:
                        self._need(access, lines[access.position], number)
                begin, end = end, chain.first + len(chain.instructions) + 1
                self._free((freed for line in lines[begin:end] for freed in line.freed), number)
                number += 1

    def _need(self, access: Access, line: Line, number: int) -> None:
        name, entries = self._owner(access.memory, line.name), line.offset + access.entries
        need = self._needs[access.space].setdefault(name, Need(max(line.whole, entries), number))
        if entries > need.entries:
            raise OptionError(
                f"{name} has {need.entries} entries of {access.memory.value}; {entries} are used"
            )

    def _free(self, freed: Iterable[tuple[Memory, str]], number: int) -> None:
        for memory, name in freed:
            for space, needs in self._needs.items():
                owner = self._owner(memory, name)
                if space[0] is memory and owner in needs:
                    needs[owner].last = number


def _instructions(lines: Iterable[Line]) -> tuple[Instruction, ...]:
    return tuple(line.instruction for line in lines)

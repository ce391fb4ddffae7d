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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from deltawave.errors import OptionError
from deltawave.machines.brainwave.isa import (
    OPERAND,
    PER_MFU,
    SECTIONS,
    BwProgram,
    Instruction,
    Memory,
    Opcode,
    Register,
    SectionName,
    Space,
    chains,
)

INITIAL_VRF, ADD_SUB_VRF, MULTIPLY_VRF = Memory.INITIAL_VRF, Memory.ADD_SUB_VRF, Memory.MULTIPLY_VRF
MATRIX_RF, NETQ, DRAM = Memory.MATRIX_RF, Memory.NETQ, Memory.DRAM
ROWS, COLS = Register.ROWS, Register.COLS

STARTS = (Opcode.V_RD, Opcode.M_RD, Opcode.S_WR)


@dataclass(frozen=True)
class Assembled:
    """A program, and where its names are: index and entries by index space (memory, MFU, of tiles) and name."""

    program: BwProgram
    places: dict[tuple[Space, str], tuple[int, int]]

    def index(self, memory: Memory, name: str, mfu: int = 0) -> int:
        """The first entry of a name in a memory of vectors."""
        return self.places[(memory, mfu, False), name][0]

    def names_in_dram(self, *, tiles: bool) -> list[str]:
        """The names in DRAM, in the order of their places."""
        return [name for (space, name) in self.places if space == (DRAM, 0, tiles)]


class Assembler:
    """Collects instructions; `assemble` gives the program. Methods are the instructions."""

    def __init__(self) -> None:
        self._code: dict[SectionName, list[Instruction]] = {name: [] for name in SECTIONS}
        self._names: dict[SectionName, list[str]] = {name: [] for name in SECTIONS}
        self._section: SectionName | None = None

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
        self._section = section
        yield
        self._close_chain()
        self._section = None

    def v_rd(self, memory: Memory, name: str = "") -> None:
        """Start a chain with `cols` vectors."""
        self._add(Instruction(Opcode.V_RD, memory), name)

    def v_wr(self, memory: Memory, name: str = "") -> None:
        """Write the chain's value."""
        self._add(Instruction(Opcode.V_WR, memory), name)

    def m_rd(self, memory: Memory, name: str = "") -> None:
        """Start a chain with `rows` x `cols` tiles."""
        self._add(Instruction(Opcode.M_RD, memory), name)

    def m_wr(self, memory: Memory, name: str = "") -> None:
        """Write the chain's tiles."""
        self._add(Instruction(Opcode.M_WR, memory), name)

    def mv_mul(self, name: str) -> None:
        """A matrix times the chain's value."""
        self._add(Instruction(Opcode.MV_MUL), name)

    def vv_add(self, name: str) -> None:
        """The chain's value plus an operand."""
        self._add(Instruction(Opcode.VV_ADD), name)

    def vv_a_sub_b(self, name: str) -> None:
        """The chain's value minus an operand."""
        self._add(Instruction(Opcode.VV_A_SUB_B), name)

    def vv_b_sub_a(self, name: str) -> None:
        """An operand minus the chain's value."""
        self._add(Instruction(Opcode.VV_B_SUB_A), name)

    def vv_max(self, name: str) -> None:
        """The larger of the chain's value and an operand."""
        self._add(Instruction(Opcode.VV_MAX), name)

    def vv_mul(self, name: str) -> None:
        """The chain's value times an operand, element by element."""
        self._add(Instruction(Opcode.VV_MUL), name)

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

    def s_wr(self, register: Register, value: int) -> None:
        """Set a register."""
        self._add(Instruction(Opcode.S_WR, register=register, value=value))

    def end_chain(self) -> None:
        """End the chain."""
        self._add(Instruction(Opcode.END_CHAIN))

    def _add(self, instruction: Instruction, name: str = "") -> None:
        if self._section is None:
            raise OptionError(f"{instruction.opcode.value} stands outside of the preamble and the body")
        _check_name(instruction, name)
        if instruction.opcode in STARTS:
            self._close_chain()
        self._code[self._section].append(instruction)
        self._names[self._section].append(name)

    def _close_chain(self) -> None:
        assert self._section is not None
        code = self._code[self._section]
        if code and code[-1].opcode not in (Opcode.END_CHAIN, Opcode.S_WR):
            code.append(Instruction(Opcode.END_CHAIN))
            self._names[self._section].append("")

    def assemble(self, *, vectors_per_step: int = 0, tiles_before: int = 0) -> Assembled:
        """The program; what it reads from DRAM is taken to be there from the start."""
        multicast = _Multicast(self._code, self._names)
        allocator = _Allocator()
        code = {name: allocator.place(*multicast.expand(name)) for name in SECTIONS}
        program = BwProgram(
            code["preamble"],
            code["body"],
            vectors_per_step,
            tiles_before,
            allocator.used[DRAM, 0, False],
            allocator.used[DRAM, 0, True],
        )
        return Assembled(program, allocator.places)


def _check_name(instruction: Instruction, name: str) -> None:
    if name and not instruction.has_index:
        raise OptionError(f"{instruction.opcode.value} takes no name here; it was given {name}")
    if instruction.has_index and not name:
        memory = instruction.memory or OPERAND[instruction.opcode]
        raise OptionError(f"{instruction.opcode.value} takes a name for its place in {memory.value}")


class _Multicast:
    """Which MFUs read a name, and the writes that they need."""

    def __init__(
        self, code: dict[SectionName, list[Instruction]], names: dict[SectionName, list[str]]
    ) -> None:
        self._code, self._names = code, names
        self._readers: dict[tuple[Memory, str], set[int]] = defaultdict(set)
        for section in SECTIONS:
            for chain in chains(tuple(code[section])):
                for access in chain.accesses:
                    if access.memory in PER_MFU and not access.is_write:
                        self._readers[access.memory, names[section][access.position]].add(access.mfu)

    def expand(self, section: SectionName) -> tuple[list[Instruction], list[str]]:
        """The instructions and names of a section with a write for each MFU that reads."""
        pairs = [
            (each, name)
            for instruction, name in zip(self._code[section], self._names[section], strict=True)
            for each in self._copies(instruction, name)
        ]
        return [each for each, _ in pairs], [name for _, name in pairs]

    def _copies(self, instruction: Instruction, name: str) -> list[Instruction]:
        if instruction.memory not in PER_MFU:
            return [instruction]
        assert instruction.memory is not None
        return [
            replace(instruction, mfu=mfu) for mfu in sorted(self._readers[instruction.memory, name] or {0})
        ]


class _Allocator:
    """Gives every name its place."""

    def __init__(self) -> None:
        self.places: dict[tuple[Space, str], tuple[int, int]] = {}
        self.used: dict[Space, int] = defaultdict(int)

    def place(self, code: list[Instruction], names: list[str]) -> tuple[Instruction, ...]:
        """The instructions with their indices."""
        placed = list(code)
        for chain in chains(tuple(code)):
            for access in chain.accesses:
                name = names[access.position]
                if name:
                    index = self._index(access.space, name, access.entries)
                    placed[access.position] = replace(access.instruction, index=index)
        return tuple(placed)

    def _index(self, space: Space, name: str, entries: int) -> int:
        if (space, name) not in self.places:
            self.places[space, name] = self.used[space], entries
            self.used[space] += entries
        index, reserved = self.places[space, name]
        if entries > reserved:
            raise OptionError(f"{name} has {reserved} entries of {space[0].value}; {entries} are used")
        return index

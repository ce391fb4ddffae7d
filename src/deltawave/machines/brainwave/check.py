"""Refuses programs that the machine cannot execute, naming the place.

The order of instructions is a small grammar. What a program reads must have been written before; since nothing is ever
unwritten, one pass over the preamble and the body decides for every number of time steps. Each step takes all that
NetQ received for it.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError, ProgramError
from deltawave.machines.brainwave.isa import (
    COUNTS,
    MEMORIES,
    PER_MFU,
    SECTIONS,
    UNITS,
    Access,
    BwProgram,
    Chain,
    Instruction,
    Limits,
    Memory,
    Register,
    SectionName,
    Space,
)

POINTWISE = "a point-wise operation"
BETWEEN_CHAINS = ("v_rd", "m_rd", "s_wr")
MAY_FOLLOW = {
    "s_wr": BETWEEN_CHAINS,
    "v_rd": ("mv_mul", POINTWISE, "v_wr"),
    "mv_mul": (POINTWISE, "v_wr"),
    POINTWISE: (POINTWISE, "v_wr"),
    "v_wr": ("v_wr", "end_chain"),
    "m_rd": ("m_wr",),
    "m_wr": ("end_chain",),
    "end_chain": BETWEEN_CHAINS,
}
"""The grammar; a section starts as after an end_chain."""


def check(program: BwProgram, limits: Limits) -> None:
    """Raise ProgramError for a program that breaks a rule, naming the instruction; OptionError for a bad count."""
    for name in COUNTS:
        if not 0 <= getattr(program, name) <= limits.dram_entries:
            raise OptionError(
                f"{name} = {getattr(program, name)} is out of range; it goes from 0 to {limits.dram_entries}"
            )
    for number, window in enumerate(program.windows, 1):
        if window.native != limits.native_dim:
            raise ProgramError(
                f"window {number} has native vectors of {window.native} elements, the machine of "
                f"{limits.native_dim}; compile the network for this machine"
            )
    for section in SECTIONS:
        _check_order(program, section)
        _check_registers(program, section)
    _check_memories(program, limits)


def place(program: BwProgram, section: SectionName, position: int) -> str:
    """How messages name an instruction."""
    return f"instruction {position + 1} of the {section} ({program.section(section)[position]})"


def _kind(instruction: Instruction) -> str:
    return POINTWISE if instruction.opcode in UNITS else instruction.opcode.value


def _check_order(program: BwProgram, section: SectionName) -> None:
    before = "end_chain"
    for position, instruction in enumerate(program.section(section)):
        kind = _kind(instruction)
        if kind not in MAY_FOLLOW[before]:
            where = "start a chain" if MAY_FOLLOW[before] is BETWEEN_CHAINS else f"follow {before}"
            raise ProgramError(
                f"{place(program, section, position)} cannot {where}; here comes {' or '.join(MAY_FOLLOW[before])}"
            )
        before = kind
    if MAY_FOLLOW[before] is not BETWEEN_CHAINS:
        last = len(program.section(section)) - 1
        raise ProgramError(f"{place(program, section, last)} leaves its chain open; an end_chain is missing")


def _check_registers(program: BwProgram, section: SectionName) -> None:
    unset = [Register.ROWS, Register.COLS]
    for position, instruction in enumerate(program.section(section)):
        register = instruction.register
        if register is None and unset:
            raise ProgramError(
                f"{place(program, section, position)} comes before {unset[0].value} is set; "
                f"the {section} starts with s_wr {unset[0].value}"
            )
        if register is Register.WINDOW and not 0 <= instruction.value <= len(program.windows):
            has = (
                f"they go from 1 to {len(program.windows)}, and 0 is none"
                if program.windows
                else "the program has none"
            )
            raise ProgramError(
                f"{place(program, section, position)}: there is no window {instruction.value}; {has}"
            )
        if register in (Register.ROWS, Register.COLS) and instruction.value < 1:
            raise ProgramError(
                f"{place(program, section, position)}: {register.value} is at least 1, not {instruction.value}"
            )
        if register in unset:
            unset.remove(register)


def _check_memories(program: BwProgram, limits: Limits) -> None:
    written = _Written(program, limits)
    for section in SECTIONS:
        if section == "body":
            written.arrive(program.vectors_per_step)
        for where, access in _accesses(program, section, limits):
            _check_access(where, access, limits)
            if access.is_write:
                written.write(access)
            else:
                written.read(where, access)
    if written.vectors_left:
        raise ProgramError(
            f"the body leaves {written.vectors_left} of {program.vectors_per_step} vectors in NetQ in every step; "
            "read all that arrives"
        )


def _accesses(program: BwProgram, section: SectionName, limits: Limits) -> Iterator[tuple[str, Access]]:
    """Every read and write, chain by chain, with the instruction's place."""
    for chain in program.chains(section):
        _check_mfus(program, section, chain, limits)
        _check_window(program, section, chain, limits)
        for access in chain.accesses:
            yield place(program, section, access.position), access


def _check_mfus(program: BwProgram, section: SectionName, chain: Chain, limits: Limits) -> None:
    first_operation = chain.first + (2 if chain.multiplication else 1)
    for position, (_, mfu) in enumerate(chain.operations, first_operation):
        if mfu >= limits.mfus:
            raise ProgramError(
                f"{place(program, section, position)} needs an MFU {mfu}; there are {limits.mfus}, "
                "counted from 0: split the chain"
            )


def _check_window(program: BwProgram, section: SectionName, chain: Chain, limits: Limits) -> None:
    """Whether the chain may run under its window, or without one."""
    window, start = chain.window, place(program, section, chain.first)
    if window is None:
        _check_no_operand_for_each(program, section, chain)
    elif chain.moves_matrix:
        raise ProgramError(f"{start} moves a matrix under a window; s_wr window 0 comes before")
    elif chain.cols != window.vectors:
        raise ProgramError(
            f"{start} reads {chain.cols} vectors, where a window has {window.vectors}; "
            f"s_wr cols {window.vectors} comes before"
        )
    elif chain.entries_written > limits.dram_entries:
        raise ProgramError(
            f"{start} starts a chain of {chain.width} vectors for each of {window.count} windows; "
            f"a chain writes at most {limits.dram_entries} vectors"
        )


def _check_no_operand_for_each(program: BwProgram, section: SectionName, chain: Chain) -> None:
    for position, instruction in enumerate(chain.instructions, chain.first):
        if instruction.each:
            raise ProgramError(
                f"{place(program, section, position)} takes another operand for each window, and there is none; "
                "s_wr window comes before"
            )


def _check_access(where: str, access: Access, limits: Limits) -> None:
    opcode, memory = access.instruction.opcode, access.memory
    allowed = MEMORIES.get(opcode, (memory,))
    if memory not in allowed:
        names = ", ".join(choice.value for choice in allowed)
        raise ProgramError(f"{where}: {opcode.value} takes {names}, not {memory.value}")
    if memory in PER_MFU and not 0 <= access.mfu < limits.mfus:
        raise ProgramError(f"{where}: there is no MFU {access.mfu}; they go from 0 to {limits.mfus - 1}")
    if memory is Memory.NETQ:
        return
    last, entries = access.index + access.entries - 1, limits.entries(memory)
    if access.index < 0 or last >= entries:
        raise ProgramError(
            f"{where} reaches from entry {access.index} to {last}; {memory.value} has 0 to {entries - 1}"
        )


class _Written:
    """Which entries hold something, and how much waits in NetQ."""

    def __init__(self, program: BwProgram, limits: Limits) -> None:
        self._limits = limits
        self._entries: dict[Space, NDArray[np.bool_]] = {}
        self._of((Memory.DRAM, 0, False))[: program.dram_vectors] = True
        self._of((Memory.DRAM, 0, True))[: program.dram_tiles] = True
        self._waiting = {False: 0, True: program.tiles_before}

    @property
    def vectors_left(self) -> int:
        return self._waiting[False]

    def arrive(self, vectors: int) -> None:
        self._waiting[False] += vectors

    def write(self, access: Access) -> None:
        if access.memory is not Memory.NETQ:
            self._of(access.space)[access.index : access.index + access.entries] = True

    def read(self, where: str, access: Access) -> None:
        if access.memory is Memory.NETQ:
            self._take(where, access)
            return
        written = self._of(access.space)[access.index : access.index + access.entries]
        if not written.all():
            first = access.index + int(written.argmin())
            raise ProgramError(
                f"{where} reads entry {first} of {access.memory.value}, which was never written"
            )

    def _of(self, space: Space) -> NDArray[np.bool_]:
        return self._entries.setdefault(space, np.zeros(self._limits.entries(space[0]), np.bool_))

    def _take(self, where: str, access: Access) -> None:
        waiting, what = self._waiting[access.moves_tiles], "tiles" if access.moves_tiles else "vectors"
        if access.entries > waiting:
            raise ProgramError(f"{where} takes {access.entries} {what} from NetQ, where {waiting} wait")
        self._waiting[access.moves_tiles] -= access.entries

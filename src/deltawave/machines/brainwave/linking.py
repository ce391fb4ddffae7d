"""Several programs on one device: each gets entries of its own in every memory, one behind the other.

The preambles follow one another, and so do the bodies: in a time step NetQ receives what the first program reads, then
what the second reads, and so on, and sends in the same order. The windows are those of all, in the same order.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from deltawave.machines.brainwave.isa import (
    SECTIONS,
    BwProgram,
    Instruction,
    Memory,
    Opcode,
    Register,
    SectionName,
    Space,
    Window,
)

DRAM_VECTORS: Space = (Memory.DRAM, 0, False)
DRAM_TILES: Space = (Memory.DRAM, 0, True)


def link(programs: Sequence[BwProgram]) -> BwProgram:
    """One program that does what all do, at least one; each must pass `check`."""
    assert programs
    used: dict[Space, int] = defaultdict(int)
    code: dict[SectionName, list[Instruction]] = {name: [] for name in SECTIONS}
    windows: list[Window] = []
    for program in programs:
        for name in SECTIONS:
            code[name] += [*_end_of_windows(code[name]), *_relocated(program, name, used, len(windows))]
        windows += program.windows
        for space, entries in program.entries_used().items():
            used[space] += entries
    return BwProgram(
        tuple(code["preamble"]),
        tuple(code["body"]),
        vectors_per_step=sum(program.vectors_per_step for program in programs),
        tiles_before=sum(program.tiles_before for program in programs),
        dram_vectors=used[DRAM_VECTORS],
        dram_tiles=used[DRAM_TILES],
        windows=tuple(windows),
    )


def _end_of_windows(code: Sequence[Instruction]) -> list[Instruction]:
    """What lets another section follow: it begins with window = 0."""
    values = [instruction.value for instruction in code if instruction.register is Register.WINDOW]
    return [Instruction(Opcode.S_WR, register=Register.WINDOW)] if values and values[-1] else []


def _relocated(
    program: BwProgram, section: SectionName, first: Mapping[Space, int], windows_before: int
) -> list[Instruction]:
    """The instructions, every index higher by the first entry of its space, and windows by those before."""
    moved = [_renumbered(instruction, windows_before) for instruction in program.section(section)]
    for chain in program.chains(section):
        for access in chain.accesses:
            if access.memory is not Memory.NETQ:
                index = access.index + first[access.space]
                moved[access.position] = replace(access.instruction, index=index)
    return moved


def _renumbered(instruction: Instruction, windows_before: int) -> Instruction:
    if instruction.register is not Register.WINDOW or instruction.value == 0:
        return instruction
    return replace(instruction, value=instruction.value + windows_before)

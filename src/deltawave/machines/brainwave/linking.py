"""Several programs on one device: each gets entries of its own in every memory, one behind the other.

The preambles follow one another, and so do the bodies: in a time step NetQ receives what the first program reads, then
what the second reads, and so on, and sends in the same order.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from deltawave.machines.brainwave.isa import BwProgram, Instruction, Memory, Space, chains

DRAM_VECTORS: Space = (Memory.DRAM, 0, False)
DRAM_TILES: Space = (Memory.DRAM, 0, True)


def link(programs: Sequence[BwProgram]) -> BwProgram:
    """One program that does what all do, at least one; each must pass `check`."""
    assert programs
    used: dict[Space, int] = defaultdict(int)
    preamble: list[Instruction] = []
    body: list[Instruction] = []
    for program in programs:
        preamble += _relocated(program.preamble, used)
        body += _relocated(program.body, used)
        for space, entries in program.entries_used().items():
            used[space] += entries
    return BwProgram(
        tuple(preamble),
        tuple(body),
        vectors_per_step=sum(program.vectors_per_step for program in programs),
        tiles_before=sum(program.tiles_before for program in programs),
        dram_vectors=used[DRAM_VECTORS],
        dram_tiles=used[DRAM_TILES],
    )


def _relocated(section: tuple[Instruction, ...], first: Mapping[Space, int]) -> list[Instruction]:
    """The instructions, every index higher by the first entry of its space."""
    moved = list(section)
    for chain in chains(section):
        for access in chain.accesses:
            if access.memory is not Memory.NETQ:
                index = access.index + first[access.space]
                moved[access.position] = replace(access.instruction, index=index)
    return moved

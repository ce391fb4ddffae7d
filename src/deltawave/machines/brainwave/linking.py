"""Several programs on one device: each gets entries of its own in every memory, behind those of the ones before."""

from collections.abc import Mapping
from dataclasses import replace

from deltawave.machines.brainwave.assembler import Assembled
from deltawave.machines.brainwave.isa import BwProgram, Instruction, Memory, SectionName, Space

DRAM_VECTORS: Space = (Memory.DRAM, 0, False)
DRAM_TILES: Space = (Memory.DRAM, 0, True)


def behind(assembled: Assembled, used: Mapping[Space, int]) -> Assembled:
    """The same program, every index higher by the entries of its memory that are used already."""
    program = assembled.program
    moved = replace(
        program,
        preamble=_moved(program, "preamble", used),
        body=_moved(program, "body", used),
        dram_vectors=program.dram_vectors + used.get(DRAM_VECTORS, 0),
        dram_tiles=program.dram_tiles + used.get(DRAM_TILES, 0),
    )
    places = {
        (space, name): (index + used.get(space, 0), entries)
        for (space, name), (index, entries) in assembled.places.items()
    }
    return Assembled(moved, places)


def _moved(program: BwProgram, section: SectionName, used: Mapping[Space, int]) -> tuple[Instruction, ...]:
    moved = list(program.section(section))
    for chain in program.chains(section):
        for access in chain.accesses:
            if access.memory is not Memory.NETQ:
                index = access.index + used.get(access.space, 0)
                moved[access.position] = replace(access.instruction, index=index)
    return tuple(moved)

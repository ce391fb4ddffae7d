"""Several programs on one device: what stays in a memory of theirs lies side by side, the rest is shared."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from deltawave.machines.brainwave.assembler import Assembled
from deltawave.machines.brainwave.isa import BwProgram, Instruction, Memory, SectionName, Space

DRAM_VECTORS: Space = (Memory.DRAM, 0, False)
DRAM_TILES: Space = (Memory.DRAM, 0, True)


@dataclass(frozen=True)
class Shift:
    """Where a program's entries go. What stays begins behind what stays `before` it, the rest behind all that stays."""

    own: Mapping[Space, int]
    before: Mapping[Space, int]
    in_all: Mapping[Space, int]

    def index(self, space: Space, index: int) -> int:
        """The new index of an entry."""
        own = self.own.get(space, 0)
        if index < own:
            return index + self.before.get(space, 0)
        return index - own + self.in_all.get(space, 0)


def side_by_side(programs: Iterable[Assembled], shared: Iterable[Space] = ()) -> list[Assembled]:
    """The programs, which run one after another, for one device. shared: spaces in which nothing outlasts a program."""
    every = list(programs)
    in_all: Counter[Space] = Counter()
    for program in every:
        in_all.update({space: n for space, n in program.stays.items() if space not in shared})
    before: Counter[Space] = Counter()
    moved = []
    for program in every:
        moved.append(_moved(program, Shift(program.stays, dict(before), in_all)))
        before.update({space: n for space, n in program.stays.items() if space not in shared})
    return moved


def _moved(assembled: Assembled, shift: Shift) -> Assembled:
    program = assembled.program
    moved = replace(
        program,
        preamble=_section(program, "preamble", shift),
        body=_section(program, "body", shift),
        dram_vectors=program.dram_vectors + shift.before.get(DRAM_VECTORS, 0),
        dram_tiles=program.dram_tiles + shift.before.get(DRAM_TILES, 0),
    )
    places = {
        (space, name): (shift.index(space, index), entries)
        for (space, name), (index, entries) in assembled.places.items()
    }
    return replace(assembled, program=moved, places=places)


def _section(program: BwProgram, section: SectionName, shift: Shift) -> tuple[Instruction, ...]:
    moved = list(program.section(section))
    for chain in program.chains(section):
        for access in chain.accesses:
            if access.memory is not Memory.NETQ:
                index = shift.index(access.space, access.index)
                moved[access.position] = replace(access.instruction, index=index)
    return tuple(moved)

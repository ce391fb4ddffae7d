"""Which point-wise layers end the chains of the layers before them.

A point-wise layer is fused to the chain that makes its operand, where nothing else reads that, its other operand is
there before, and the MFUs have room. That changes no bit: every operation rounds to float16, wherever its value goes.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from deltawave.machines.brainwave.cell_programs import CellShape
from deltawave.machines.brainwave.isa import Instruction, Memory, Opcode, place_on_mfus
from deltawave.machines.brainwave.layer_programs import LayerShape

SWAPPED = {Opcode.VV_A_SUB_B: Opcode.VV_B_SUB_A, Opcode.VV_B_SUB_A: Opcode.VV_A_SUB_B}


@dataclass(frozen=True)
class Resident:
    """A cell or layer on a device. `sources`: the residents, of any device, that make what it reads ('': the host).

    `leaves`: whether the host reads what it makes.
    """

    name: str
    shape: CellShape | LayerShape
    sources: tuple[str, ...] = ("",)
    leaves: bool = True

    @property
    def is_recurrent(self) -> bool:
        """Whether it is a recurrent cell."""
        return isinstance(self.shape, CellShape)

    @property
    def row_tiles(self) -> int:
        """Tiles of a row of its matrix, of a layer that keeps no state."""
        if not isinstance(self.shape, LayerShape) or self.shape.kind != "product":
            return 0
        return self.shape.window.vectors

    @property
    def tiles(self) -> int:
        """Tiles of its weights."""
        return self.shape.tiles


@dataclass(frozen=True)
class Other:
    """The other operand of a point-wise layer: who reads it, who makes it, and in which memory it is read."""

    reader: str
    source: str
    memory: Memory


@dataclass(eq=False)
class Group:
    """Chains of one resident, the root, and what is fused to the last of them: a layer with the operation it does."""

    root: Resident
    fused: list[tuple[Resident, Opcode]] = field(default_factory=list)
    others: list[Other] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Of what it makes."""
        return self.fused[-1][0].name if self.fused else self.root.name

    @property
    def reads(self) -> set[tuple[Memory, str]]:
        """In which memory it reads whose output."""
        return {
            (Memory.INITIAL_VRF, self.root.sources[0]),
            *((other.memory, other.source) for other in self.others),
        }

    @property
    def opcodes(self) -> tuple[Opcode, ...]:
        """Point-wise operations of its last chain."""
        assert isinstance(self.root.shape, LayerShape)
        return (*self.root.shape.last_operations, *(opcode for _, opcode in self.fused))


def readers_together(residents: Sequence[Resident]) -> list[Resident]:
    """The residents in another order: who reads what the one before reads comes next, if all that it reads is there.
    So a large map is needed no longer than it must be."""
    waiting, ordered = list(residents), list[Resident]()
    missing = {resident.name for resident in residents}
    while waiting:
        ready = [resident for resident in waiting if not missing & set(resident.sources)]
        source = ordered[-1].sources[0] if ordered else ""
        chosen = next((resident for resident in ready if source and resident.sources[0] == source), ready[0])
        ordered.append(chosen)
        waiting.remove(chosen)
        missing.remove(chosen.name)
    return ordered


def grouped(residents: Sequence[Resident], leaving: Collection[str], mfus: int) -> list[Group]:
    """The residents in groups, in an order in which each comes after what it reads. `leaving`: whose output leaves."""
    readers = Counter(source for resident in residents for source in resident.sources)
    groups: list[Group] = []
    group_of: dict[str, int] = {}
    for resident in residents:
        host = _host(resident, groups, group_of)
        alone = host is None or readers[groups[host[0]].name] > 1 or groups[host[0]].name in leaving
        if host is None or alone or not _fuse(resident, *host, groups, mfus):
            groups.append(Group(resident, others=_others(resident, 1)))
            group_of[resident.name] = len(groups) - 1
        else:
            group_of[resident.name] = host[0]
    return groups


def _host(resident: Resident, groups: Sequence[Group], group_of: Mapping[str, int]) -> tuple[int, int] | None:
    """The group that a point-wise layer may join: its number, and the position of the operand that it makes."""
    if not isinstance(resident.shape, LayerShape) or resident.shape.kind != "pointwise":
        return None
    made = {group_of[s]: position for position, s in enumerate(resident.sources) if s in group_of}
    if not made:
        return None
    last = max(made)
    if not isinstance(groups[last].root.shape, LayerShape):
        return None
    return last, made[last]


def _fuse(resident: Resident, number: int, position: int, groups: Sequence[Group], mfus: int) -> bool:
    """Fuse a layer to a group if the MFUs have room."""
    assert isinstance(resident.shape, LayerShape)
    opcode, group = resident.shape.operation, groups[number]
    assert opcode is not None
    opcode = SWAPPED.get(opcode, opcode) if position else opcode
    if not _fits((*group.opcodes, opcode), mfus):
        return False
    group.fused.append((resident, opcode))
    group.others += _others(resident, 1 - position)
    return True


def _fits(opcodes: Sequence[Opcode], mfus: int) -> bool:
    return all(mfu < mfus for _, mfu in place_on_mfus(Instruction(opcode) for opcode in opcodes))


def _others(resident: Resident, position: int) -> list[Other]:
    """The operand that is not the chain's value, if there is one and it is no constant."""
    if len(resident.sources) < 2:
        return []
    assert isinstance(resident.shape, LayerShape)
    return [Other(resident.name, resident.sources[position], resident.shape.operand_memory)]


def not_clean(residents: Sequence[Resident]) -> set[str]:
    """Who fills up its last vector of a pixel with something that is not zero: a sigmoid of zero is a half."""
    found = set[str]()
    for resident in residents:
        shape = resident.shape
        if (
            not isinstance(shape, LayerShape)
            or shape.kind != "pointwise"
            or shape.outputs % shape.window.native == 0
        ):
            continue
        if shape.operation is Opcode.V_SIGM or found & set(resident.sources):
            found.add(resident.name)
    return found

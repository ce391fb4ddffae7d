"""Which cells and layers run together, and on which of several devices.

What is fed step by step by what runs before it belongs to one loop of the scalar core, as do the two directions of a
layer; anything else begins a loop of its own. A device takes cells and layers, in order, as long as their weights fit
its MatrixRf; the next ones go to the next device, as Brainwave puts a large network on several FPGAs of a network.
Where weights stream from DRAM, one device takes all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

from deltawave.errors import CapacityError
from deltawave.machines.base import Activity
from deltawave.machines.brainwave.assembler import Assembled
from deltawave.machines.brainwave.device import DeviceProgram, device_program
from deltawave.machines.brainwave.grouping import Resident
from deltawave.machines.brainwave.isa import Memory, Space
from deltawave.machines.brainwave.linking import side_by_side
from deltawave.machines.brainwave.listing import listing
from deltawave.network.layers import REVERSE

TILES: Space = (Memory.MATRIX_RF, 0, True)

if TYPE_CHECKING:
    from deltawave.machines.brainwave.machine import Brainwave


@dataclass(frozen=True)
class Loop:
    """What runs in every step of a loop: `programs` by device, in the order of the residents.

    `is_fed_from_afar`: whether another loop, on another device, makes what it reads.
    """

    residents: tuple[Resident, ...]
    programs: Mapping[int, DeviceProgram]
    is_fed_from_afar: bool = False

    @property
    def name(self) -> str:
        """Its residents, in words."""
        first, last = self.residents[0].name, self.residents[-1].name
        return first if first == last else f"{first} .. {last}"

    def steps(self, activity: Activity) -> int:
        """How many steps it ran."""
        return max(len(activity.get(resident.name, ())) for resident in self.residents)

    def listing(self, parts: Mapping[str, Headed]) -> str:
        """The programs of all devices, each under a comment for what it runs."""
        return "\n".join(self._listing(device, parts) for device in self.programs)

    def _listing(self, device: int, parts: Mapping[str, Headed]) -> str:
        program = self.programs[device]
        place = [f"# device {device}"] if len(self.programs) > 1 else []
        heads = [parts[name].head for name in program.residents]
        return "\n".join([*place, *heads, listing(program.assembled.program)])


class Headed(Protocol):
    """What a listing names."""

    @property
    def head(self) -> str:
        """A comment with its sizes and formats."""


@lru_cache(maxsize=64)
def plan(machine: Brainwave, residents: tuple[Resident, ...]) -> tuple[Loop, ...]:
    """The loops of a program, in order. Raises CapacityError for a network beyond all devices."""
    known = _with_known_sources(residents)
    streams = machine.streams_weights(known)
    devices = dict.fromkeys((resident.name for resident in known), 0) if streams else _devices(machine, known)
    loops = [_loop(machine, loop, known, devices, streamed=streams) for loop in _loops(known)]
    return tuple(_on_one_device_each(loops, shared=[TILES] if streams else []))


def _loop(
    machine: Brainwave,
    loop: tuple[Resident, ...],
    residents: Sequence[Resident],
    devices: Mapping[str, int],
    *,
    streamed: bool,
) -> Loop:
    """A loop, its programs as if nothing else were on their devices."""
    programs = {}
    for device in dict.fromkeys(devices[resident.name] for resident in loop):
        here = [resident for resident in loop if devices[resident.name] == device]
        sent = _sent({resident.name for resident in here}, residents)
        tiles = machine.mrf_tiles if streamed else 0
        programs[device] = device_program(here, mfus=machine.mfus, sent=sent, streamed_tiles=tiles)
    outside = {source for resident in loop for source in resident.sources} - {r.name for r in loop} - {""}
    from_afar = {devices[source] for source in outside} - programs.keys()
    return Loop(loop, programs, is_fed_from_afar=bool(from_afar))


def _on_one_device_each(loops: Sequence[Loop], shared: Sequence[Space]) -> list[Loop]:
    """The loops with the programs of each device side by side."""
    placed: dict[int, Iterator[Assembled]] = {}
    for device in {device for loop in loops for device in loop.programs}:
        programs = [loop.programs[device].assembled for loop in loops if device in loop.programs]
        placed[device] = iter(side_by_side(programs, shared))
    return [
        replace(
            loop,
            programs={
                device: replace(program, assembled=next(placed[device]))
                for device, program in loop.programs.items()
            },
        )
        for loop in loops
    ]


def _sent(names: set[str], residents: Sequence[Resident]) -> set[str]:
    """Whose output others read."""
    return {
        source
        for other in residents
        if other.name not in names
        for source in other.sources
        if source in names
    }


def _with_known_sources(residents: Sequence[Resident]) -> list[Resident]:
    """Sources that do not come before their reader, or make something of another size, count as the host: a program
    file may say anything."""
    made, known = dict[str, int](), []
    for resident in residents:
        fits = [made.get(source) == resident.shape.entries_read for source in resident.sources]
        sources = tuple(source if fit else "" for source, fit in zip(resident.sources, fits, strict=True))
        known.append(replace(resident, sources=sources))
        made[resident.name] = resident.shape.entries
    return known


def _loops(residents: Sequence[Resident]) -> list[tuple[Resident, ...]]:
    loops: list[list[Resident]] = []
    for resident in residents:
        names = {other.name for other in loops[-1]} if loops else set[str]()
        other_direction = resident.name.removesuffix(REVERSE)
        if names & {*resident.sources, other_direction}:
            loops[-1].append(resident)
        else:
            loops.append([resident])
    return [tuple(loop) for loop in loops]


def _devices(machine: Brainwave, residents: Sequence[Resident]) -> dict[str, int]:
    """The device of each resident: the first that has room, never one before that of the resident before it."""
    found, device, used = dict[str, int](), 0, 0
    for resident in residents:
        if used and used + resident.tiles > machine.mrf_tiles:
            device, used = device + 1, 0
        used += resident.tiles
        found[resident.name] = device
    if device >= machine.devices:
        tiles = sum(resident.tiles for resident in residents)
        raise CapacityError(
            f"the layers together need {tiles} tiles of {machine.native_dim} x {machine.native_dim} in MatrixRf on "
            f"{device + 1} devices, {machine.name} has {machine.mrf_tiles} on each of {machine.devices}; set devices, "
            "choose a larger machine or fewer layers"
        )
    return found


def entries_used(loops: Sequence[Loop]) -> Mapping[int, Mapping[Space, int]]:
    """Entries of each memory that the programs of all loops need on each device."""
    used: dict[int, dict[Space, int]] = {}
    for loop in loops:
        for device, program in loop.programs.items():
            here = used.setdefault(device, {})
            for space, entries in program.assembled.program.entries_used().items():
                here[space] = max(here.get(space, 0), entries)
    return used

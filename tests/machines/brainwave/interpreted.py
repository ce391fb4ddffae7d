"""All devices of a program, interpreted chain by chain: what passes between them and the host goes through NetQ.

NetQ carries what a layer made without what fills its vectors up: a pixel's values behind those of the one before.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from deltawave.machines.brainwave.compiled import BrainwaveCell
from deltawave.machines.brainwave.device import DeviceProgram
from deltawave.machines.brainwave.isa import BwProgram, Memory, Space
from deltawave.machines.brainwave.layer_programs import LayerShape
from deltawave.machines.brainwave.machine import Brainwave
from deltawave.machines.brainwave.plan import Loop
from deltawave.machines.brainwave.restore import Unit, units
from deltawave.machines.brainwave.semantics import Interpreter, Tiles
from deltawave.machines.brainwave.tiles import padded
from deltawave.machines.program import Program
from deltawave.numerics.block_float import BlockFloat
from deltawave.numerics.half_tables import Half

Sent = dict[str, Half]
"""By resident: float16 [pixels, values] of the current step."""


def run_devices(program: Program, items: Half) -> Mapping[str, list[Half]]:
    """What leaves each resident in every step, float16 [pixels, values]. items: what the host sends, the same to all
    that read from it, float16 [steps, pixels, values]."""
    machine, parts = program.machine, {part.name: part for part in units(list(program.cells.values()))}
    assert isinstance(machine, Brainwave)
    loops = machine.plan(list(parts.values()))
    devices = _Devices(machine, loops, parts)
    steps: list[Sent] = [{"": item} for item in items]
    for number in range(len(loops)):
        for sent in steps:
            devices.step(number, sent)
    names = steps[0].keys() - {""}
    return {name: [sent[name] for sent in steps] for name in names}


def on_one_device(programs: Sequence[BwProgram], number_format: BlockFloat) -> list[Interpreter]:
    """The interpreters of programs that share the memories of a device, which hold NaN at first."""
    native, used = number_format.block, dict[Space, int]()
    for program in programs:
        for space, entries in program.entries_used().items():
            used[space] = max(used.get(space, 0), entries)
    vectors = {
        (m, mfu): np.full((n, native), np.nan, np.float16)
        for (m, mfu, of_tiles), n in used.items()
        if not of_tiles
    }
    tiles = {m: Tiles.zeros(n, native) for (m, _, of_tiles), n in used.items() if of_tiles}
    npus = [Interpreter(program, number_format) for program in programs]
    for npu in npus:
        npu.state.vectors, npu.state.tiles = vectors, tiles
    return npus


class _Devices:
    """The memories of every device, which all loops share."""

    def __init__(self, machine: Brainwave, loops: Sequence[Loop], parts: Mapping[str, Unit]) -> None:
        self._native, self._loops, self._parts = machine.native_dim, loops, parts
        number_format = BlockFloat(machine.mantissa_bits, machine.native_dim)
        self._npus: dict[tuple[int, int], Interpreter] = {}
        for device in dict.fromkeys(device for loop in loops for device in loop.programs):
            numbers = [number for number, loop in enumerate(loops) if device in loop.programs]
            programs = [loops[number].programs[device] for number in numbers]
            npus = on_one_device([program.assembled.program for program in programs], number_format)
            for npu, program in zip(npus, programs, strict=True):
                self._fill_dram(npu, program)
            for number, npu in zip(numbers, npus, strict=True):
                npu.run("preamble")
                self._npus[number, device] = npu

    def _fill_dram(self, npu: Interpreter, program: DeviceProgram) -> None:
        vectors: dict[str, Half] = {}
        tiles: dict[str, Tiles] = {}
        for name in program.residents:
            part = self._parts[name]
            prefix = f"{name}." if isinstance(part, BrainwaveCell) else ""
            vectors |= {prefix + key: value for key, value in part.vectors_in_dram().items()}
            tiles |= {prefix + key: value for key, value in part.tiles_in_dram().items()}
        places = program.assembled.places
        for name in program.assembled.names_in_dram(tiles=False):
            index, entries = places[(Memory.DRAM, 0, False), name]
            npu.state.vectors[Memory.DRAM, 0][index : index + entries] = vectors.pop(name)
        for name in program.assembled.names_in_dram(tiles=True):
            index, entries = places[(Memory.DRAM, 0, True), name]
            npu.state.tiles[Memory.DRAM][index : index + entries] = tiles.pop(name)
        assert not vectors
        assert not tiles

    def step(self, number: int, sent: Sent) -> None:
        """A step of a loop: its devices, one after the other."""
        for device, program in self._loops[number].programs.items():
            npu = self._npus[number, device]
            arriving = _Arriving(program.arrivals, lambda name: padded(sent[name].ravel(), self._native))
            leaving = _Leaving()
            npu.state.arriving, npu.state.leaving = arriving, leaving
            leaving.tell = self._told(program.departures, sent)
            npu.run("body")
            assert arriving.is_empty
            assert leaving.number == len(program.departures)

    def _told(self, departures: Sequence[str], sent: Sent) -> Callable[[int, Half], None]:
        pieces: dict[str, list[Half]] = {}

        def tell(number: int, entries: Half) -> None:
            name = departures[number]
            pieces.setdefault(name, []).append(entries)
            together = np.concatenate(pieces[name])
            shape = self._parts[name].shape
            if isinstance(shape, LayerShape):
                windows, values, vectors = shape.window.count, shape.outputs, shape.planes
            else:
                windows, values, vectors = 1, self._parts[name].cell.hidden, shape.hidden
            if len(together) == windows * vectors:
                planes = together.reshape(vectors, windows, self._native).swapaxes(0, 1)
                sent[name] = planes.reshape(windows, -1)[:, :values]

        return tell


class _Arriving:
    """The queue in: what a chain asks for is sent then, by whoever is next in `arrivals`."""

    def __init__(self, arrivals: Iterable[str], vectors_of: Callable[[str], Half]) -> None:
        self._waiting, self._next, self._vectors_of = deque[Half](), deque(arrivals), vectors_of

    def popleft(self) -> Half:
        if not self._waiting:
            self._waiting.extend(self._vectors_of(self._next.popleft()))
        return self._waiting.popleft()

    @property
    def is_empty(self) -> bool:
        return not self._waiting and not self._next


class _Leaving:
    """The queue out: each write is told, with its number."""

    def __init__(self) -> None:
        self.number = 0
        self.tell: Callable[[int, Half], None] = lambda number, entries: None

    def extend(self, entries: Half) -> None:
        self.tell(self.number, entries)
        self.number += 1

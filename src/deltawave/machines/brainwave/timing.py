"""Cycles of the Brainwave NPU: a scalar core that issues chains, and one linear pipeline that they flow through.

Units: NIOS (the scalar core), HDD (hierarchical decode and dispatch), MVM (the tile engines), MFU0, MFU1, ..., and VRF
(write-back into register files or the network queue; it ends the steps); NETQ (the network port, inputs only); DRAM
where weights stream; LINK between devices. A task is a chain in a step. Every chain passes every unit in program order,
NETQ, DRAM and LINK apart; where it has nothing to do it takes no time.

1. NIOS issues a chain's instructions (the s_wr before it and its end_chain included), one each issue_cycles, and takes
   loop_cycles more in every step of a loop. It never waits for the pipeline: the queue between them is long enough not
   to matter. A run begins invocation_cycles late; where nothing recurs, every step is a request of its own and does.
2. HDD dispatches one chain a cycle, once its last instruction is issued and every vector and tile that it reads has
   been written: a read-after-write hazard stalls the issue, as in the FCCM 2019 replica. The chain enters the pipeline
   dispatch_cycles later.
3. A product of rows x cols tiles over so many windows (one, if there are none) holds the MVM's E engines for
   windows * ceil(rows * cols / E) * N / L cycles; where engines share windows, as in the CNN variant, for
   ceil(windows / E) * rows * cols * N / L. A sum comes out mvm_cycles after its last lanes went in; vectors come out as
   their rows of tiles are done.
4. An MFU with something to do takes N / mfu_lanes cycles for each native vector, and mfu_operation_cycles for each
   operation until the first vector comes out. Vectors stream through MFUs and VRF without a gap.
5. A vector can be read write_back_cycles after the chain's last element was written.
6. m_rd, m_wr in a body hold DRAM for the bits of their tiles over dram_bytes_per_cycle, once they are dispatched and
   the products that read the same places of the MatrixRf before have let the MVM go. HDD does not wait for that.
7. What another device or loop needs holds LINK for its bits at the rate of the network port, as soon as it is written
   to NetQ, and can be read there a hop later. Devices work on different steps at the same time; a stretch of 1,024
   steps begins when the one before has ended on all of them.
8. What comes from the host holds NETQ for its bits at the rate of the network port, from the beginning of the run on
   one vector of inputs after another; a chain that reads it is dispatched when it is there. Outputs take no time
   but that in invocation_cycles.

Pinned weights are in the MatrixRf: a run does not include the preamble.

Why loop_cycles: the published steps take 632 to 636 cycles for GRUs of 1,024 to 2,048 units, whose products take 120 to
360, and, the invocation taken off, 14 to 66 more for LSTMs, whose programs have eleven instructions more. So they hang
on the issue. Longer stages instead, however long, miss the published latencies by more than a tenth on average.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from deltawave.hardware.tasks import BEGIN, Cycles, Link, TaskGraph
from deltawave.hardware.timeline import Part, Timeline, simulate
from deltawave.machines.brainwave.isa import Access, BwProgram, Chain, Memory, Opcode, Space
from deltawave.machines.brainwave.plan import Loop

if TYPE_CHECKING:
    from deltawave.machines.brainwave.machine import Brainwave

STRETCH_STEPS = 1 << 10
DETAIL_STEPS = 8
NOT_WAITED_FOR = (Memory.NETQ, Memory.DRAM)
"""Inputs are there in time, and nothing in a body writes constants."""

Kind = Callable[[Access], bool]
"""Picks some accesses of a chain."""


@dataclass(frozen=True)
class Hazard:
    """Chain `reader` reads what chain `writer` wrote `steps` (0 or 1) steps before."""

    reader: int
    writer: int
    steps: int


def timeline(machine: Brainwave, loops: Sequence[tuple[Loop, int]]) -> Timeline:
    """When every unit worked on the loops of a run, so many steps each. One invocation serves all loops."""
    invoked = replace(machine, invocation_cycles=0)
    recurs = any(resident.is_recurrent for loop, _ in loops for resident in loop.residents)
    parts = (
        loop_part(invoked if number else machine, loop, steps, recurs=recurs)
        for number, (loop, steps) in enumerate(loops)
    )
    return Timeline(machine.clock_hz, tuple(parts))


def loop_part(machine: Brainwave, loop: Loop, steps: int, *, recurs: bool = True) -> Part:
    """When every unit of all devices worked on so many steps of a loop. recurs: one invocation serves all steps."""
    late = machine.hop_cycles if loop.is_fed_from_afar else 0
    devices = Devices(
        replace(machine, invocation_cycles=machine.invocation_cycles + late), loop, recurs=recurs
    )
    return simulate(
        loop.name,
        steps,
        devices.graph,
        stretch=STRETCH_STEPS,
        detail_steps=DETAIL_STEPS,
        items=devices.owners,
    )


def part(machine: Brainwave, name: str, program: BwProgram, steps: int) -> Part:
    """When every unit of one device worked on so many runs of a program's body."""
    body = Body(machine, program)

    def graph(first: int, last: int) -> TaskGraph:
        tasks = TaskGraph()
        body.add_to(tasks, first, last)
        return tasks

    return simulate(name, steps, graph, stretch=STRETCH_STEPS, detail_steps=DETAIL_STEPS)


def hazards(body: Sequence[Chain]) -> list[Hazard]:
    """The read-after-write hazards among the chains of a body that is run again and again, by reader."""
    return _dependences(body, _writes, _reads)


def overwritten_tiles(body: Sequence[Chain]) -> list[Hazard]:
    """The write-after-read hazards on MatrixRf: chain `reader` overwrites what chain `writer` was the last to read."""
    return _dependences(body, _reads_tiles, _writes_tiles)


def _dependences(body: Sequence[Chain], does_first: Kind, does_then: Kind) -> list[Hazard]:
    """Which chain did the first thing to a place last, before a chain does the other thing to it."""
    last = {space: np.full(entries, BEGIN, np.int64) for space, entries in _entries(body).items()}
    found: dict[Hazard, None] = {}
    for step in range(2):  # the second time, every place has its last user
        for number, chain in enumerate(body):
            if step == 1:
                for user in _users(last, filter(does_then, chain.accesses)):
                    when, writer = divmod(user, len(body))
                    found[Hazard(number, writer, 1 - when)] = None
            for access in filter(does_first, chain.accesses):
                last[access.space][_span(access)] = step * len(body) + number
    return list(found)


def _users(last: Mapping[Space, Cycles], accesses: Iterable[Access]) -> list[int]:
    users = [np.unique(last[access.space][_span(access)]) for access in accesses]
    return [int(user) for several in users for user in several if user != BEGIN]


def _entries(body: Sequence[Chain]) -> Mapping[Space, int]:
    """How far each index space is used."""
    used: dict[Space, int] = {}
    for chain in body:
        for access in chain.accesses:
            used[access.space] = max(used.get(access.space, 0), access.index + access.entries)
    return used


def _span(access: Access) -> slice:
    return slice(access.index, access.index + access.entries)


def _writes(access: Access) -> bool:
    return access.is_write and access.memory not in NOT_WAITED_FOR


def _reads(access: Access) -> bool:
    return not access.is_write and access.memory not in NOT_WAITED_FOR


def _writes_tiles(access: Access) -> bool:
    return access.is_write and access.memory is Memory.MATRIX_RF


def _reads_tiles(access: Access) -> bool:
    return not access.is_write and access.memory is Memory.MATRIX_RF


@dataclass(frozen=True)
class Units:
    """Numbers of a device's units that others wait for."""

    hdd: int
    vrf: int


class Body:
    """What the chains of a body take in each unit, int64 [chains] each: cycles that they hold it, and cycles until
    the next unit can begin. `suffix`: behind the names of the units; `linked`: chains whose input comes over LINK;
    `recurs`: one invocation serves all steps; `first_item`: the item that the first chain's tasks have, if they do."""

    def __init__(
        self,
        machine: Brainwave,
        program: BwProgram,
        suffix: str = "",
        *,
        linked: Collection[int] = (),
        recurs: bool = True,
        first_item: int | None = None,
    ) -> None:
        self.machine, self.suffix, self.recurs = machine, suffix, recurs
        self.first_item, self.is_named = first_item or 0, first_item is not None
        self.chains = program.chains("body")
        self.arrivals = _array(
            0 if number in linked else machine.link_cycles(_entries_from_netq(chain))
            for number, chain in enumerate(self.chains)
        )
        self.moves_tiles = np.array([chain.moves_matrix for chain in self.chains])
        self.beats = _array(0 if c.moves_matrix else machine.beats(c.entries_written) for c in self.chains)
        self.loads = _array(machine.load_cycles(c.entries_read) if c.moves_matrix else 0 for c in self.chains)
        ends = [at + 1 for at, one in enumerate(program.body) if one.opcode is Opcode.END_CHAIN]
        after_the_last = len(program.body) - ends[-1]  # s_wr that the next step's first chain waits for
        self.issue = np.diff(ends, prepend=-after_the_last) * machine.issue_cycles
        self.issue[:1] += machine.loop_cycles + (0 if recurs else machine.invocation_cycles)
        products = [_product(machine, chain) for chain in self.chains]
        self.product, self.product_latency = (_array(column) for column in zip(*products, strict=True))
        found = hazards(self.chains)
        self.of_vectors = [h for h in found if not self.moves_tiles[h.writer]]
        self.of_tiles = [h for h in found if self.moves_tiles[h.writer]]
        self.overwritten = overwritten_tiles(self.chains)

    def add_to(self, graph: TaskGraph, first: int, last: int) -> Units:
        """Add the tasks of steps `first` up to, not including, `last`."""
        machine = self.machine
        step = np.repeat(np.arange(first, last), len(self.chains))
        every = np.arange(len(step))
        item = every % len(self.chains) + self.first_item if self.is_named else -1

        def unit(name: str, occupancy: Cycles | int, latency: Cycles | int, *, after: str = "") -> int:
            """A unit that takes each chain when the unit before it has handed it on."""
            held, handed_on = (np.resize(np.asarray(cycles), len(step)) for cycles in (occupancy, latency))
            number = graph.unit(name + self.suffix, held, handed_on, step, item)
            if after:
                graph.wait(number, every, number - 1, every, reason=after)
            return number

        dram = self._dram(graph, step)
        arriving = np.resize(self.arrivals, len(step))
        netq = graph.unit(f"NETQ{self.suffix}", arriving, arriving, step, item)
        nios = unit("NIOS", self.issue, self.issue)
        hdd = unit("HDD", 1, machine.dispatch_cycles, after="issue")
        inputs = np.flatnonzero(arriving)
        graph.wait(hdd, inputs, netq, inputs, reason="input")
        mvm = unit("MVM", self.product, self.product_latency, after="dispatch")
        for mfu in range(machine.mfus):
            operations = self._operations(mfu)
            latency = operations * machine.mfu_operation_cycles
            unit(f"MFU{mfu}", np.where(operations, self.beats, 0), latency, after="vector")
        vrf = unit("VRF", self.beats, self.beats - 1 + machine.write_back_cycles, after="vector")

        begins = np.zeros(int(first == 0 < last and self.recurs), np.int64)
        graph.wait(nios, begins, nios, BEGIN, lag=machine.invocation_cycles, reason="invocation")
        self._wait(graph, hdd, vrf, self.of_vectors, last - first, reason="hazard")
        if dram is not None:
            self._load(graph, dram, hdd, mvm, last - first)
        return Units(hdd, vrf)

    def _dram(self, graph: TaskGraph, step: Cycles) -> int | None:
        """The unit that weights stream through, if any do. It comes before the others, as the last one ends a step."""
        if not self.moves_tiles.any():
            return None
        cycles = np.resize(self.loads, len(step))
        return graph.unit(f"DRAM{self.suffix}", cycles, cycles, step)

    def _load(self, graph: TaskGraph, dram: int, hdd: int, mvm: int, steps: int) -> None:
        """What streams from DRAM. Chains that load nothing pass without waiting."""
        loads = np.flatnonzero(np.tile(self.moves_tiles, steps))
        graph.wait(dram, loads, hdd, loads, reason="dispatch")
        self._wait(graph, dram, mvm, self.overwritten, steps, reason="tiles in use", link=Link.RELEASE)
        self._wait(graph, hdd, dram, self.of_tiles, steps, reason="weights")

    def _operations(self, mfu: int) -> Cycles:
        """How many operations an MFU does for each chain."""
        return _array(sum(on == mfu for _, on in chain.operations) for chain in self.chains)

    def _wait(
        self,
        graph: TaskGraph,
        unit: int,
        on: int,
        found: Sequence[Hazard],
        steps: int,
        *,
        reason: str,
        link: Link = Link.RESULT,
    ) -> None:
        """What was done before the stretch is done when it begins."""
        starts = np.arange(steps)[:, None] * len(self.chains)
        reader, writer, distance = (
            _array(getattr(hazard, name) for hazard in found) for name in ("reader", "writer", "steps")
        )
        after = starts + writer - distance * len(self.chains)
        after = np.where(after < 0, BEGIN, after)
        graph.wait(unit, (starts + reader).ravel(), on, after.ravel(), reason=reason, link=link)


class Devices:
    """The bodies of a loop on all its devices, and what passes between them."""

    def __init__(self, machine: Brainwave, loop: Loop, *, recurs: bool = True) -> None:
        self._machine, self._programs = machine, loop.programs
        several = len(loop.programs) > 1
        self._bodies: dict[int, Body] = {}
        self.owners: tuple[str, ...] = ()
        for device, program in loop.programs.items():
            self._bodies[device] = Body(
                machine,
                program.assembled.program,
                f" {device}" if several else "",
                linked=self._linked(device),
                recurs=recurs,
                first_item=len(self.owners) if program.assembled.owners else None,
            )
            self.owners += program.assembled.owners
        self._transfers = [
            (source, target) for source in loop.programs for target in loop.programs if source < target
        ]

    def _linked(self, device: int) -> list[int]:
        """The chains whose input another device makes, in the same step."""
        program = self._programs[device]
        if len(self._programs) == 1:
            return []
        taken = _through_netq(program.assembled.program.chains("body"), program.arrivals, is_write=False)
        made = {name for other, sent in self._programs.items() if other < device for name in sent.departures}
        return [chain for name in made & taken.keys() for chain in taken[name]]

    def graph(self, first: int, last: int) -> TaskGraph:
        """The tasks of steps `first` up to, not including, `last`."""
        graph = TaskGraph()
        units = {device: body.add_to(graph, first, last) for device, body in self._bodies.items()}
        for source, target in self._transfers:
            self._link(graph, units, source, target, np.arange(first, last))
        if len(units) > 1:
            self._end(graph, units, np.arange(first, last))
        return graph

    def _link(
        self, graph: TaskGraph, units: Mapping[int, Units], source: int, target: int, steps: Cycles
    ) -> None:
        """What the target device takes from the source device."""
        sender, receiver = self._bodies[source], self._bodies[target]
        sent = _through_netq(sender.chains, self._programs[source].departures, is_write=True)
        taken = _through_netq(receiver.chains, self._programs[target].arrivals, is_write=False)
        pairs = [
            (sent[name][-1], chain) for name, chains in taken.items() if name in sent for chain in chains
        ]
        if not pairs:
            return
        pairs.sort(key=lambda pair: pair[1])
        starts = np.arange(len(steps))[:, None]
        writer, reader = _array(w for w, _ in pairs), _array(r for _, r in pairs)
        held = _array(self._machine.link_cycles(sender.chains[w].entries_written) for w, _ in pairs)
        occupancy = np.resize(held, len(steps) * len(pairs))
        link = graph.unit(
            f"LINK {source}-{target}",
            occupancy,
            occupancy + self._machine.hop_cycles,
            np.repeat(steps, len(pairs)),
        )
        every = np.arange(len(occupancy))
        graph.wait(
            link, every, units[source].vrf, (starts * len(sender.chains) + writer).ravel(), reason="vector"
        )
        graph.wait(
            units[target].hdd, (starts * len(receiver.chains) + reader).ravel(), link, every, reason="hop"
        )

    def _end(self, graph: TaskGraph, units: Mapping[int, Units], steps: Cycles) -> None:
        """A step ends when it has ended on all devices."""
        end = graph.unit("END", 0, 0, steps)
        for device, body in self._bodies.items():
            last = (np.arange(len(steps)) + 1) * len(body.chains) - 1
            graph.wait(end, np.arange(len(steps)), units[device].vrf, last, reason="devices")


def _through_netq(body: Sequence[Chain], names: Sequence[str], *, is_write: bool) -> Mapping[str, list[int]]:
    """The chains that write to NetQ or read from it, by the names that go with them."""
    chains = [
        number
        for number, chain in enumerate(body)
        if any(access.memory is Memory.NETQ and access.is_write == is_write for access in chain.accesses)
    ]
    found: dict[str, list[int]] = {}
    for name, chain in zip(names, chains, strict=True):
        found.setdefault(name, []).append(chain)
    return found


def _entries_from_netq(chain: Chain) -> int:
    """Native vectors that a chain takes from NetQ."""
    return sum(
        access.entries
        for access in chain.accesses
        if access.memory is Memory.NETQ and not access.is_write and not access.moves_tiles
    )


def _product(machine: Brainwave, chain: Chain) -> tuple[int, int]:
    """Cycles that a chain holds the MVM, and cycles until its vectors can stream on.

    They stream without a gap, so the first one may have to wait in order that every other one is in time.
    """
    if not chain.multiplication:
        return 0, 0
    ready = _ready(machine, chain)
    in_turn = np.arange(len(ready)) * machine.native_dim // machine.mfu_lanes
    held = machine.product_cycles(chain.rows * chain.cols, chain.times)
    return held, int((ready - in_turn).max()) + machine.mvm_cycles


def _ready(machine: Brainwave, chain: Chain) -> Cycles:
    """When the rows of tiles of each vector are done, in the order in which the vectors stream on: int64 [vectors].

    That is window by window, or where engines share windows, for each row of tiles those that are worked on together.
    """
    at_once = machine.tile_engines if machine.shares_windows else 1
    sizes = np.diff(np.append(np.arange(0, chain.times, at_once), chain.times))
    rows = _array(machine.product_cycles(row * chain.cols) for row in range(1, chain.rows + 1))
    begins = machine.product_cycles(chain.rows * chain.cols) * np.arange(len(sizes))
    return np.repeat((begins[:, None] + rows).ravel(), np.repeat(sizes, chain.rows))


def _array(numbers: Iterable[int]) -> Cycles:
    return np.array(list(numbers), np.int64)

"""Cycles of the Brainwave NPU: a scalar core that issues chains, and one linear pipeline that they flow through.

Units: NIOS (the scalar core), HDD (hierarchical decode and dispatch), MVM (the tile engines), MFU0, MFU1, ..., and VRF
(write-back into register files or the network queue; it ends the steps). A task is a chain in a step. Every chain
passes every unit in program order; where it has nothing to do it takes no time.

1. NIOS issues a chain's instructions (the s_wr before it and its end_chain included), one each issue_cycles, and takes
   loop_cycles more in every step of a cell. It never waits for the pipeline: the queue between them is long enough not
   to matter. A run begins invocation_cycles late.
2. HDD dispatches one chain a cycle, once its last instruction is issued and every vector that it reads has been
   written: a read-after-write hazard stalls the issue, as in the FCCM 2019 replica. The chain enters the pipeline
   dispatch_cycles later.
3. A product of rows x cols tiles holds the MVM's E engines for ceil(rows * cols / E) * N / L cycles. A sum comes out
   mvm_cycles after its last lanes went in; vectors come out as their rows of tiles are done.
4. An MFU with something to do takes N / mfu_lanes cycles for each native vector, and mfu_operation_cycles for each
   operation until the first vector comes out. Vectors stream through MFUs and VRF without a gap.
5. A vector can be read write_back_cycles after the chain's last element was written.

Inputs are in the queue when they are asked for, weights in the MatrixRf: a run does not include the preamble.

Why loop_cycles: the published steps take 632 to 636 cycles for GRUs of 1,024 to 2,048 units, whose products take 120 to
360, and, the invocation taken off, 14 to 66 more for LSTMs, whose programs have eleven instructions more. So they hang
on the issue. Longer stages instead, however long, miss the published latencies by more than a tenth on average.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from deltawave.hardware.tasks import BEGIN, Cycles, TaskGraph
from deltawave.hardware.timeline import Part, Timeline, simulate
from deltawave.machines.brainwave.isa import BwProgram, Chain, Memory, Opcode

if TYPE_CHECKING:
    from deltawave.machines.brainwave.machine import Brainwave

STRETCH_STEPS = 1 << 10
DETAIL_STEPS = 8
NOT_WAITED_FOR = (Memory.NETQ, Memory.MATRIX_RF, Memory.DRAM)
"""Inputs are there in time, and nothing in a body writes tiles or constants."""

Entry = tuple[Memory, int, int]
"""A native vector: its memory, the MFU that this belongs to, its index."""


@dataclass(frozen=True)
class Hazard:
    """Chain `reader` reads what chain `writer` wrote `steps` (0 or 1) steps before."""

    reader: int
    writer: int
    steps: int


def timeline(machine: Brainwave, runs: Sequence[tuple[str, BwProgram, int]]) -> Timeline:
    """When every unit worked on the cells of a run: (name, program, steps) each. One invocation serves all."""
    invoked = replace(machine, invocation_cycles=0)
    parts = (part(invoked if number else machine, *run) for number, run in enumerate(runs))
    return Timeline(machine.clock_hz, tuple(parts))


def part(machine: Brainwave, name: str, program: BwProgram, steps: int) -> Part:
    """When every unit worked on so many runs of a program's body."""
    graph_of = Body(machine, program).graph
    return simulate(name, steps, graph_of, stretch=STRETCH_STEPS, detail_steps=DETAIL_STEPS)


def hazards(body: Sequence[Chain]) -> list[Hazard]:
    """The read-after-write hazards among the chains of a body that is run again and again, by reader."""
    written: dict[Entry, tuple[int, int]] = {}
    found: dict[Hazard, None] = {}
    for step in range(2):  # the second time, every value has its last writer
        for number, chain in enumerate(body):
            writers = [written[entry] for entry in vectors(chain, written=False) if entry in written]
            if step == 1:
                found |= {Hazard(number, writer, 1 - when): None for when, writer in writers}
            written |= dict.fromkeys(vectors(chain, written=True), (step, number))
    return list(found)


def vectors(chain: Chain, *, written: bool) -> Iterator[Entry]:
    """Every native vector that a chain writes into register files, or reads from them."""
    for access in chain.accesses:
        if access.is_write == written and access.memory not in NOT_WAITED_FOR:
            for offset in range(access.entries):
                yield access.memory, access.mfu, access.index + offset


class Body:
    """What the chains of a body take in each unit, int64 [chains] each: cycles that they hold it, and cycles until
    the next unit can begin."""

    def __init__(self, machine: Brainwave, program: BwProgram) -> None:
        self.machine = machine
        self.chains = program.chains("body")
        self.hazards = hazards(self.chains)
        self.beats = _array(chain.entries_written * machine.vector_cycles for chain in self.chains)
        ends = [at + 1 for at, one in enumerate(program.body) if one.opcode is Opcode.END_CHAIN]
        after_the_last = len(program.body) - ends[-1]  # s_wr that the next step's first chain waits for
        self.issue = np.diff(ends, prepend=-after_the_last) * machine.issue_cycles
        self.issue[:1] += machine.loop_cycles
        products = [_product(machine, chain) for chain in self.chains]
        self.product, self.product_latency = (_array(column) for column in zip(*products, strict=True))

    def graph(self, first: int, last: int) -> TaskGraph:
        """The tasks of steps `first` up to, not including, `last`."""
        graph, machine = TaskGraph(), self.machine
        step = np.repeat(np.arange(first, last), len(self.chains))
        every = np.arange(len(step))

        def unit(name: str, occupancy: Cycles | int, latency: Cycles | int, *, after: str = "") -> int:
            """A unit that takes each chain when the unit before it has handed it on."""
            held, handed_on = (np.resize(np.asarray(cycles), len(step)) for cycles in (occupancy, latency))
            number = graph.unit(name, held, handed_on, step)
            if after:
                graph.wait(number, every, number - 1, every, reason=after)
            return number

        nios = unit("NIOS", self.issue, self.issue)
        hdd = unit("HDD", 1, machine.dispatch_cycles, after="issue")
        unit("MVM", self.product, self.product_latency, after="dispatch")
        for mfu in range(machine.mfus):
            operations = self._operations(mfu)
            latency = operations * machine.mfu_operation_cycles
            unit(f"MFU{mfu}", np.where(operations, self.beats, 0), latency, after="vector")
        vrf = unit("VRF", self.beats, self.beats - 1 + machine.write_back_cycles, after="vector")

        begins = np.zeros(int(first == 0 < last), np.int64)
        graph.wait(nios, begins, nios, BEGIN, lag=machine.invocation_cycles, reason="invocation")
        self._wait_for_hazards(graph, hdd, vrf, last - first)
        return graph

    def _operations(self, mfu: int) -> Cycles:
        """How many operations an MFU does for each chain."""
        return _array(sum(on == mfu for _, on in chain.operations) for chain in self.chains)

    def _wait_for_hazards(self, graph: TaskGraph, hdd: int, vrf: int, steps: int) -> None:
        """What was written before the stretch is there when it begins."""
        starts = np.arange(steps)[:, None] * len(self.chains)
        reader, writer, distance = (
            _array(getattr(hazard, name) for hazard in self.hazards) for name in ("reader", "writer", "steps")
        )
        after = starts + writer - distance * len(self.chains)
        after = np.where(after < 0, BEGIN, after)
        graph.wait(hdd, (starts + reader).ravel(), vrf, after.ravel(), reason="hazard")


def _product(machine: Brainwave, chain: Chain) -> tuple[int, int]:
    """Cycles that a chain holds the MVM, and cycles until its vectors can stream on.

    They stream without a gap, so the first one may have to wait in order that the last one is in time.
    """
    if not chain.multiplication:
        return 0, 0
    held = machine.product_cycles(chain.rows * chain.cols)
    first = machine.product_cycles(chain.cols)
    in_time = held - (chain.rows - 1) * machine.vector_cycles
    return held, max(first, in_time) + machine.mvm_cycles


def _array(numbers: Iterable[int]) -> Cycles:
    return np.array(list(numbers), np.int64)

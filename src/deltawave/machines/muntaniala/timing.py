"""Cycles of an array of LSTM dies.

Units of a layer: IN (the ports through which x and h enter the columns), MAC (the dies' multipliers), ROW (the links
along the rows), ELEM (the element-wise phase of the last column), OUT (the ports of the last column). Slices are full
but for the last of a layer, all rows and columns work at the same time, and a fuller one is never earlier; so each unit
here is the fullest one of its kind, and the others hide behind it. END, which takes no time, ends the steps where
several cells work side by side.

1. A transfer of b bits is ceil(b / link_bits) words; a word holds the link for link_word_cycles cycles of the links'
   own clock, and a transfer for the machine's cycles that its words take, rounded up.
2. A slice of x enters its column through IN and goes down die by die, word behind word: it has arrived hop_cycles
   after its last word for each die below the first. A die has two buffers for x, so the slice of step t is not sent
   before the products of step t - 2 are done.
3. MAC multiplies the slices of x and h of a die by their weights, column after column, a product a unit and cycle:
   4 * (columns of x + columns of h) cycles. The dies of a column begin together, when both slices have arrived at the
   last of them and the sums of the step before have left.
4. Sums of all four gates go along the row, from the first die to the last. Each die adds its own as words pass,
   one word and a hop behind the die before. ROW, the last link, begins when all products of the row are done and the
   words of the dies before arrive.
5. ELEM takes bias_cycles, table_cycles a look-up (five), and a cycle for each of the products of a neuron (three, and
   three for peepholes), hop_cycles after the last sums arrived; all neurons of a die at once.
6. OUT sends the new slice of each row, a hop after ELEM. What hears it (the column of the same number, and that of the
   next layer) passes it on word by word, a hop behind: its IN is held for as long. A die alone keeps its state, and
   OUT only serves the next layer and the host.
7. Layers that feed each other, and the two directions of a layer, lie side by side and work on different time steps;
   a stretch of 1,024 steps begins when the one before has ended. With layers "in-turn" the same dies take
   them in turn: a layer runs through all its steps, after its weights came in through IN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deltawave.hardware.tasks import BEGIN, Cycles, Link, TaskGraph
from deltawave.hardware.timeline import Part, Timeline, simulate
from deltawave.machines.base import Activity
from deltawave.machines.muntaniala.compiled import MuntanialaCell
from deltawave.network.layers import REVERSE

if TYPE_CHECKING:
    from deltawave.machines.muntaniala.machine import Muntaniala

STRETCH_STEPS = 1 << 10
DETAIL_STEPS = 8
GATES = 4
PRODUCTS, PEEPHOLES, LOOKUPS = 3, 3, 5


@dataclass(frozen=True)
class CellCycles:
    """Cycles of the fullest die of a cell, step by step.

    `x_in`, `h_in`, `out`: transfers of a slice; `row`: of sums; `down`: from first to last die of a column; `along`:
    how far the last link of a row is behind the first.
    """

    x_in: int
    h_in: int
    out: int
    down: int
    products: int
    row: int
    along: int
    element_wise: int
    is_split: bool

    @classmethod
    def of(cls, machine: Muntaniala, cell: MuntanialaCell) -> CellCycles:
        """From the sizes of a cell."""
        tiling = cell.tiling
        neurons, inputs, states = tiling.fullest
        slice_of_h = machine.link_cycles(states * machine.state_bits)
        peepholes = 0 if cell.cell.peepholes is None else PEEPHOLES
        links = tiling.columns - 1
        return cls(
            x_in=machine.link_cycles(inputs * machine.state_bits),
            h_in=slice_of_h,
            out=slice_of_h,
            down=(tiling.rows - 1) * machine.hop_cycles,
            products=GATES * (inputs + states),
            row=machine.link_cycles(GATES * neurons * machine.accumulator_bits) if links else 0,
            along=(links - 1) * (machine.link_cycles(machine.link_bits) + machine.hop_cycles) if links else 0,
            element_wise=machine.bias_cycles + LOOKUPS * machine.table_cycles + PRODUCTS + peepholes,
            is_split=tiling.is_split,
        )


@dataclass(frozen=True, eq=False)
class Entering:
    """What enters the columns in a stretch of steps, in order: x of step 0, then x of the next step and the new h of
    the one before, by turns. `weights`: a transfer at the very beginning, 0 cycles for none.

    `x`, `h`: the numbers of the tasks by step; `held`: cycles of each task; `step`: the step of the stretch that it
    belongs to.
    """

    x: Cycles
    h: Cycles
    held: Cycles
    step: Cycles

    @classmethod
    def of(cls, cycles: CellCycles, steps: int, weights: int) -> Entering:
        """The tasks of so many steps."""
        turns = np.arange(steps)
        late = int(weights > 0 < steps)
        if not cycles.is_split:
            x, h = turns + late, turns[:0]
        else:
            x = np.maximum(2 * turns - 1, 0) + late
            h = np.minimum(2 * turns + 2, 2 * steps - 1) + late
        held, step = np.full(len(x) + len(h) + late, weights), np.zeros(len(x) + len(h) + late, np.int64)
        held[x], held[h] = cycles.x_in, cycles.h_in
        step[x], step[h] = turns, np.minimum(turns[: len(h)] + 1, steps - 1)
        return cls(x, h, held, step)


def loops(machine: Muntaniala, cells: Sequence[MuntanialaCell]) -> list[tuple[MuntanialaCell, ...]]:
    """Which cells work side by side: those that feed each other, and both directions of a layer."""
    if machine.layers == "in-turn":
        return [(cell,) for cell in cells]
    found: list[list[MuntanialaCell]] = []
    for cell in cells:
        names = {other.name for other in found[-1]} if found else set[str]()
        if names & {cell.source, cell.name.removesuffix(REVERSE)}:
            found[-1].append(cell)
        else:
            found.append([cell])
    return [tuple(loop) for loop in found]


def timeline(machine: Muntaniala, cells: Sequence[MuntanialaCell], activity: Activity) -> Timeline:
    """When every unit worked. activity: bool [steps, columns] by cell name."""
    parts = tuple(
        loop_part(machine, loop, max(len(activity.get(cell.name, ())) for cell in loop))
        for loop in loops(machine, cells)
    )
    return Timeline(machine.clock_hz, parts)


def loop_part(machine: Muntaniala, loop: Sequence[MuntanialaCell], steps: int) -> Part:
    """When the units of cells that work side by side worked on so many steps."""
    first, last = loop[0].name, loop[-1].name
    name = first if first == last else f"{first} .. {last}"

    def graph(begin: int, end: int) -> TaskGraph:
        return _graph(machine, loop, begin, end)

    return simulate(name, steps, graph, stretch=STRETCH_STEPS, detail_steps=DETAIL_STEPS)


def _graph(machine: Muntaniala, loop: Sequence[MuntanialaCell], first: int, last: int) -> TaskGraph:
    graph, added, steps = TaskGraph(), dict[str, Ends](), np.arange(first, last)
    for cell in loop:
        suffix = f" {cell.name}" if len(loop) > 1 else ""
        added[cell.name] = _add(graph, machine, cell, steps, added.get(cell.source), suffix)
    if len(loop) > 1 or loop[0].tiling.is_split:
        end, every = graph.unit("END", 0, 0, steps), np.arange(len(steps))
        for ends in added.values():
            graph.wait(end, every, ends.out, every, reason="outputs")
            graph.wait(end, every[: len(ends.arrival)], ends.port, ends.arrival, reason="state")
    return graph


@dataclass(frozen=True, eq=False)
class Ends:
    """Where a cell's step ends: its OUT, and the tasks of its IN with which the new state has arrived."""

    out: int
    port: int
    arrival: Cycles


def _add(
    graph: TaskGraph,
    machine: Muntaniala,
    cell: MuntanialaCell,
    steps: Cycles,
    source: Ends | None,
    suffix: str,
) -> Ends:
    """Add the tasks of a cell in these steps. source: what feeds it on its own array."""
    cycles, every = CellCycles.of(machine, cell), np.arange(len(steps))
    load = load_cycles(machine, cell) if 0 in steps else 0
    entering, hop = Entering.of(cycles, len(steps), load), machine.hop_cycles
    port = graph.unit(f"IN{suffix}", entering.held, entering.held + cycles.down, steps[entering.step])
    mac = graph.unit(f"MAC{suffix}", cycles.products, cycles.products, steps)
    sums = mac
    if cycles.row:
        sums = graph.unit(f"ROW{suffix}", cycles.row, cycles.row + hop, steps)
        graph.wait(sums, every, mac, every, lag=cycles.along, reason="products")
    element = graph.unit(f"ELEM{suffix}", cycles.element_wise, cycles.element_wise, steps)
    out = graph.unit(f"OUT{suffix}", cycles.out, cycles.out, steps)
    graph.wait(port, entering.x, mac, np.maximum(every - 2, BEGIN), link=Link.RELEASE, reason="buffer")
    graph.wait(mac, every, port, entering.x, reason="features")
    graph.wait(element, every, sums, every, reason="sums")
    graph.wait(out, every, element, every, lag=hop, reason="state")
    if source is not None:
        graph.wait(port, entering.x, source.out, every, link=Link.START, lag=hop, reason="features")
    if cycles.is_split:
        graph.wait(port, entering.h, out, every, link=Link.START, lag=hop, reason="state")
        graph.wait(mac, every[1:], port, entering.h[:-1], reason="state")
    else:
        graph.wait(mac, every, element, every - 1, reason="state")
    return Ends(out, port, entering.h)


def load_cycles(machine: Muntaniala, cell: MuntanialaCell) -> int:
    """Cycles in which the weights of all dies of a column come in; 0 if they are there for good."""
    if machine.layers == "side-by-side":
        return 0
    return machine.link_cycles(cell.tiling.rows * machine.die_bits(cell.tiling.fullest))


def time_in_dies(machine: Muntaniala, cells: Sequence[MuntanialaCell], timeline: Timeline) -> float:
    """Share of a run in which the busiest cell's dies multiply or are in their element-wise phase; what is left, they
    wait for links."""
    computing = 0
    for loop, part in zip(loops(machine, cells), timeline.parts, strict=True):
        busiest = max(cycles.products + cycles.element_wise for cycles in _cycles(machine, loop))
        computing += busiest * len(part.step_cycles)
    return computing / max(timeline.cycles, 1)


def _cycles(machine: Muntaniala, loop: Sequence[MuntanialaCell]) -> list[CellCycles]:
    return [CellCycles.of(machine, cell) for cell in loop]

"""Which unit worked when, over a whole run.

A run may have tens of millions of tasks, so it is solved some steps at a time. That is exact: units keep
their state from stretch to stretch. Cycles are kept for every step, single tasks for the first few, for
traces.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deltawave.hardware.tasks import Cycles, GraphOfSteps, Schedule
from deltawave.hardware.trace import Slice, chrome_trace, perfetto_trace


@dataclass(frozen=True, eq=False)
class Part:
    """One unit of work (a layer, or one direction of it) over a run.

    step_cycles: int64 [steps]; busy_cycles by unit; stall_cycles by (unit, what it waited for); `detail`: the
    first steps task by task. `items`: names of what the tasks' items number; without them, items are columns.
    """

    name: str
    step_cycles: Cycles
    busy_cycles: Mapping[str, int]
    stall_cycles: Mapping[tuple[str, str], int]
    detail: Schedule
    items: Sequence[str] = ()

    @property
    def cycles(self) -> int:
        """Cycles of all steps."""
        return int(self.step_cycles.sum())


@dataclass(frozen=True, eq=False)
class Timeline:
    """When every unit of a machine worked. The parts of a step follow each other: step 0 of every part, then
    step 1."""

    clock_hz: float
    parts: tuple[Part, ...]

    @property
    def cycles(self) -> int:
        """Cycles of the run."""
        return sum(part.cycles for part in self.parts)

    @property
    def seconds(self) -> float:
        """Duration of the run."""
        return self.cycles / self.clock_hz

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the units, as they work on a step."""
        return tuple(dict.fromkeys(unit for part in self.parts for unit in part.busy_cycles))

    @property
    def step_cycles(self) -> Mapping[str, Cycles]:
        """Cycles of every step by part, int64 [steps]."""
        return {part.name: part.step_cycles for part in self.parts}

    def busy_cycles(self, unit: str) -> int:
        """Cycles a unit was held."""
        return sum(part.busy_cycles.get(unit, 0) for part in self.parts)

    def utilisation(self, unit: str) -> float:
        """Share of the run's cycles in which a unit was held, from 0 to 1."""
        return self.busy_cycles(unit) / self.cycles if self.cycles else 0.0

    def stalls(self) -> Mapping[tuple[str, str], int]:
        """Cycles units stood idle, by (unit, what they waited for), longest first."""
        total: Counter[tuple[str, str]] = Counter()
        for part in self.parts:
            total.update(part.stall_cycles)
        return dict((+total).most_common())

    def critical_cycles(self) -> Mapping[str, int]:
        """Cycles of the first steps that hang on each unit, most first: what to make faster."""
        total: Counter[str] = Counter()
        for part in self.parts:
            total.update(part.detail.critical_cycles())
        return dict(total.most_common())

    def slices(self) -> list[Slice]:
        """The first steps task by task, in run cycles."""
        slices: list[Slice] = []
        cycle = 0
        for step in range(max((p.detail.steps for p in self.parts), default=0)):
            for part in self.parts:
                slices += _slices(part, step, cycle)
                cycle += int(part.step_cycles[step]) if step < len(part.step_cycles) else 0
        return slices

    def save(self, path: str | Path) -> None:
        """Write the first steps as a trace that ui.perfetto.dev opens: Chrome's JSON if the name ends with
        .json, else Perfetto's own format. A cycle is shown as a nanosecond."""
        target = Path(path)
        write = chrome_trace if target.suffix == ".json" else perfetto_trace
        target.write_bytes(write(self.units, self.slices()))


def simulate(
    name: str,
    steps: int,
    graph_of: GraphOfSteps,
    *,
    stretch: int,
    detail_steps: int,
    items: Sequence[str] = (),
) -> Part:
    """Time the steps of one unit of work, `stretch` steps at a time; `detail_steps` of them are kept task by
    task."""
    detail = graph_of(0, min(steps, detail_steps)).solve()
    busy, stalls = Counter({unit.name: 0 for unit in detail.graph.units}), Counter[tuple[str, str]]()
    ends, begin = [np.zeros(1, np.int64)], 0
    free: Sequence[int] = [0] * len(detail.graph.units)
    for first in range(0, steps, stretch):
        graph = graph_of(first, min(first + stretch, steps))
        schedule = graph.solve(begin, free)
        busy.update({unit.name: schedule.busy_cycles(u) for u, unit in enumerate(graph.units)})
        for wait, cycles in zip(graph.waits, schedule.stalls, strict=True):
            stalls[graph.units[wait.unit].name, wait.reason] += cycles
        ends.append(schedule.step_ends())
        begin, free = int(ends[-1][-1]), schedule.free(free)
    all_ends: Cycles = np.concatenate(ends)
    return Part(name, all_ends[1:] - all_ends[:-1], busy, stalls, detail, items)


def _slices(part: Part, step: int, cycle: int) -> list[Slice]:
    """The tasks of one step of a part, which begins at `cycle` of the run."""
    detail, slices = part.detail, []
    shift = cycle - int(part.step_cycles[:step].sum())
    for u, unit in enumerate(detail.graph.units):
        low, high = np.searchsorted(unit.step, [step, step + 1])
        for start, release, item in zip(
            detail.starts[u][low:high] + shift,
            detail.releases(u)[low:high] + shift,
            unit.item[low:high],
            strict=True,
        ):
            if release == start:
                continue
            slices.append(Slice(unit.name, _what(part, step, int(item)), int(start), int(release)))
    return slices


def _what(part: Part, step: int, item: int) -> str:
    """A task in words."""
    if item < 0:
        return f"{part.name} step {step}"
    return f"{part.items[item]} step {step}" if part.items else f"{part.name} step {step} column {item}"

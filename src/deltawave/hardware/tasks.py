"""The timeline engine: tasks on units, what they wait for, and when they start.

A unit takes its tasks in program order: task i + 1 not before task i has released the unit, `occupancy`
cycles after its start. Its result can be used `latency` cycles after its start. A task may wait for tasks of
any unit, counted from their start, release or result, plus a lag (which may be negative). A FIFO of depth d
is such a wait, too: the producer's task i waits for the start of the consumer's task i - d. Every task starts
as early as all this allows: the least solution of a max-plus system.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from graphlib import TopologicalSorter

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltawave._native import solve_timeline

Cycles = NDArray[np.int64]
BEGIN = -1
"""As a task to wait for: the cycle at which everything begins."""


class Link(IntEnum):
    """From which moment of the other task a wait counts."""

    START = 0
    RELEASE = 1
    RESULT = 2


@dataclass(frozen=True, eq=False)
class Unit:
    """A unit's tasks in program order, int64 [tasks] each. `step`: which step a task belongs to, ascending;
    `item`: which column (or whatever the unit works on), -1 where that means nothing."""

    name: str
    occupancy: Cycles
    latency: Cycles
    step: Cycles
    item: Cycles


@dataclass(frozen=True, eq=False)
class Wait:
    """Tasks of `unit` that wait for tasks `after` of unit `on`, int64 [waits] each; `task` ascends, and may
    repeat."""

    reason: str
    unit: int
    on: int
    link: Link
    task: Cycles
    after: Cycles
    lag: Cycles


@dataclass(eq=False)
class TaskGraph:
    """Units are numbered as they are added. The last one ends the steps: a step is over with its last result
    there."""

    units: list[Unit] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)

    def unit(
        self, name: str, occupancy: ArrayLike, latency: ArrayLike, step: ArrayLike, item: ArrayLike = -1
    ) -> int:
        """Add a unit; scalars stand for arrays. Returns its number."""
        arrays = np.broadcast_arrays(*(np.asarray(a, np.int64) for a in (occupancy, latency, step, item)))
        self.units.append(Unit(name, *(np.ascontiguousarray(a) for a in arrays)))
        return len(self.units) - 1

    def wait(
        self,
        unit: int,
        task: ArrayLike,
        on: int,
        after: ArrayLike,
        *,
        reason: str,
        link: Link = Link.RESULT,
        lag: ArrayLike = 0,
    ) -> None:
        """Let tasks of a unit wait; scalars stand for arrays. `reason` is what a stall is reported as."""
        arrays = np.broadcast_arrays(*(np.asarray(a, np.int64) for a in (task, after, lag)))
        self.waits.append(Wait(reason, unit, on, link, *(np.ascontiguousarray(a) for a in arrays)))

    def solve(self, begin: int = 0, free: Sequence[int] | None = None) -> "Schedule":
        """Start every task, in compiled code. `free`: from when each unit can be had (`begin` if None).

        Raises ValueError where tasks wait for each other in a cycle, or for tasks that do not exist.
        """
        free = [begin] * len(self.units) if free is None else free
        starts = [np.empty_like(u.occupancy) for u in self.units]
        units = [(u.occupancy, u.latency, s, f) for u, s, f in zip(self.units, starts, free, strict=True)]
        waits = [(w.unit, w.on, int(w.link), w.task, w.after, w.lag) for w in self.waits]
        stalls = solve_timeline(units, waits, begin)
        return Schedule(self, begin, tuple(starts), tuple(stalls))

    def solve_plain(self, begin: int = 0, free: Sequence[int] | None = None) -> "Schedule":
        """The same in plain Python, task after task in an order the standard library finds. Raises
        graphlib.CycleError."""
        free = [begin] * len(self.units) if free is None else free
        starts = [np.empty_like(u.occupancy) for u in self.units]
        stalls = [0] * len(self.waits)
        needs = {
            (u, t): self._needs(u, t) for u, unit in enumerate(self.units) for t in range(len(unit.occupancy))
        }
        for u, t in TopologicalSorter(needs).static_order():
            released = free[u] if t == 0 else int(starts[u][t - 1] + self.units[u].occupancy[t - 1])
            earliest = [(self._ready(starts, w, k, begin), -n) for n, w, k in self._waits_of(u, t)]
            start, reason = max([(released, 1), *earliest])
            starts[u][t] = start
            if reason <= 0:
                stalls[-reason] += start - released
        return Schedule(self, begin, tuple(starts), tuple(stalls))

    def _waits_of(self, unit: int, task: int) -> list[tuple[int, Wait, int]]:
        """(number, wait, entry) of what a task waits for."""
        found = []
        for number, wait in enumerate(self.waits):
            if wait.unit == unit:
                low, high = np.searchsorted(wait.task, [task, task + 1])
                found += [(number, wait, k) for k in range(low, high)]
        return found

    def _needs(self, unit: int, task: int) -> set[tuple[int, int]]:
        before = {(unit, task - 1)} if task > 0 else set()
        return before | {
            (w.on, int(w.after[k])) for _, w, k in self._waits_of(unit, task) if w.after[k] != BEGIN
        }

    def _ready(self, starts: Sequence[Cycles], wait: Wait, entry: int, begin: int) -> int:
        after, lag = int(wait.after[entry]), int(wait.lag[entry])
        if after == BEGIN:
            return begin + lag
        on = self.units[wait.on]
        spans = {Link.START: 0, Link.RELEASE: on.occupancy[after], Link.RESULT: on.latency[after]}
        return int(starts[wait.on][after] + spans[wait.link]) + lag


@dataclass(frozen=True, eq=False)
class Schedule:
    """When the tasks of a graph start: `starts` int64 [tasks] by unit; `stalls`: cycles each wait kept its
    unit idle.

    Where several waits end in the same cycle, the stall counts for the one that was added first.
    """

    graph: TaskGraph
    begin: int
    starts: tuple[Cycles, ...]
    stalls: tuple[int, ...]

    def releases(self, unit: int) -> Cycles:
        """When each task lets its unit go."""
        return self.starts[unit] + self.graph.units[unit].occupancy

    def results(self, unit: int) -> Cycles:
        """From when each task's result can be used."""
        return self.starts[unit] + self.graph.units[unit].latency

    def busy_cycles(self, unit: int) -> int:
        """Cycles a unit is held."""
        return int(self.graph.units[unit].occupancy.sum())

    @property
    def end(self) -> int:
        """When the last task has let go and the last result is there."""
        moments = [f(u) for u in range(len(self.starts)) for f in (self.releases, self.results)]
        return max((int(m.max()) for m in moments if m.size), default=self.begin)

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.step_ends())

    def step_ends(self) -> Cycles:
        """When each step is over, int64 [steps]."""
        steps = self.graph.units[-1].step
        return self.results(len(self.starts) - 1)[np.flatnonzero(np.diff(steps, append=-1))]

    def free(self, before: Sequence[int]) -> list[int]:
        """When each unit becomes free, for a next graph; `before`: what it was for this one."""
        return [int(self.releases(u)[-1]) if s.size else before[u] for u, s in enumerate(self.starts)]

    def critical_path(self) -> list[tuple[str, int, str]]:
        """The chain of tasks that the last step's end hangs on, in time order: (unit, task, what it waited
        for)."""
        unit = len(self.starts) - 1
        task = len(self.starts[unit]) - 1
        path = []
        while task != BEGIN:
            reason, next_unit, next_task = self._bound(unit, task)
            path.append((self.graph.units[unit].name, task, reason))
            unit, task = next_unit, next_task
        return path[::-1]

    def critical_cycles(self) -> dict[str, int]:
        """Cycles of the critical path by unit: from the start of each task on it to that of the next."""
        cycles = {unit.name: 0 for unit in self.graph.units}
        numbers = {unit.name: u for u, unit in enumerate(self.graph.units)}
        end = int(self.results(len(self.starts) - 1)[-1]) if len(self.starts[-1]) else self.begin
        for unit, task, _ in reversed(self.critical_path()):
            start = int(self.starts[numbers[unit]][task])
            cycles[unit], end = cycles[unit] + end - start, start
        return cycles

    def _bound(self, unit: int, task: int) -> tuple[str, int, int]:
        """What made a task start when it did: the reason, and the task waited for."""
        start = int(self.starts[unit][task])
        if task > 0 and int(self.releases(unit)[task - 1]) == start:
            return "unit", unit, task - 1
        for _, wait, entry in self.graph._waits_of(unit, task):
            if self.graph._ready(self.starts, wait, entry, self.begin) == start:
                return wait.reason, wait.on, int(wait.after[entry])
        return "begin", unit, BEGIN


GraphOfSteps = Callable[[int, int], TaskGraph]
"""Makes the graph of steps `first` up to, not including, `last`. Its units and waits are the same for all
steps."""

"""The timeline engine against its plain twin and the laws of any timeline."""

import re
from graphlib import CycleError
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.hardware.tasks import BEGIN, Link, Schedule, TaskGraph

few = settings(deadline=None, max_examples=60)


@st.composite
def graphs(draw: st.DrawFn) -> TaskGraph:
    """Tasks are dealt to units in one global order; each may wait for tasks that come before it in that
    order."""
    units = draw(st.lists(st.integers(0, 3), min_size=1, max_size=30))
    cycles = st.integers(0, 5)
    tasks = [(unit, units[:n].count(unit)) for n, unit in enumerate(units)]
    graph = TaskGraph()
    for unit in range(4):
        amount = units.count(unit)
        arrays = [draw(st.lists(cycles, min_size=amount, max_size=amount)) for _ in range(2)]
        graph.unit(f"unit {unit}", *arrays, step=np.zeros(amount))
    for reason in range(draw(st.integers(0, 4))):
        unit, on = draw(st.integers(0, 3)), draw(st.integers(0, 3))
        pairs = [
            (task, after, draw(st.integers(-3, 3)))
            for n, (u, task) in enumerate(tasks)
            if u == unit
            for after in [BEGIN, *(t for v, t in tasks[:n] if v == on)]
            if draw(st.booleans())
        ]
        columns = np.array(pairs, np.int64).reshape(-1, 3).T
        link = draw(st.sampled_from(list(Link)))
        graph.wait(unit, columns[0], on, columns[1], reason=str(reason), link=link, lag=columns[2])
    return graph


def ready(schedule: Schedule, number: int) -> np.ndarray:
    """From when each task of a wait could start, for that wait alone."""
    wait = schedule.graph.waits[number]
    moments = {
        Link.START: schedule.starts[wait.on],
        Link.RELEASE: schedule.releases(wait.on),
        Link.RESULT: schedule.results(wait.on),
    }[wait.link]
    return np.append(moments, schedule.begin)[wait.after] + wait.lag  # BEGIN is -1, the last entry


@few
@given(graphs(), st.integers(0, 9), st.lists(st.integers(0, 20), min_size=4, max_size=4))
def test_compiled_equals_plain(graph: TaskGraph, begin: int, free: list[int]) -> None:
    fast, plain = graph.solve(begin, free), graph.solve_plain(begin, free)
    assert [s.tolist() for s in fast.starts] == [s.tolist() for s in plain.starts]
    assert fast.stalls == plain.stalls


@few
@given(graphs())
def test_no_unit_is_used_twice_at_once(graph: TaskGraph) -> None:
    schedule = graph.solve()
    for unit, starts in enumerate(schedule.starts):
        assert (starts[1:] >= schedule.releases(unit)[:-1]).all()


@few
@given(graphs())
def test_every_wait_is_kept(graph: TaskGraph) -> None:
    schedule = graph.solve()
    for number, wait in enumerate(graph.waits):
        assert (schedule.starts[wait.unit][wait.task] >= ready(schedule, number)).all()


@few
@given(graphs())
def test_busy_and_stalled_cycles_are_all_there_is(graph: TaskGraph) -> None:
    schedule = graph.solve()
    for unit in range(len(graph.units)):
        stalled = sum(s for s, wait in zip(schedule.stalls, graph.waits, strict=True) if wait.unit == unit)
        assert schedule.busy_cycles(unit) == graph.units[unit].occupancy.sum()
        assert schedule.busy_cycles(unit) + stalled == schedule.free([0] * 4)[unit]


@few
@given(graphs(), st.data())
def test_more_occupancy_never_ends_sooner(graph: TaskGraph, data: st.DataObject) -> None:
    before = graph.solve()
    unit = data.draw(st.sampled_from([u for u in range(4) if len(graph.units[u].occupancy)]))
    graph.units[unit].occupancy[data.draw(st.integers(0, len(graph.units[unit].occupancy) - 1))] += 7
    after = graph.solve()
    assert after.end >= before.end
    assert all((a >= b).all() for a, b in zip(after.starts, before.starts, strict=True))


def producer_and_consumer(depth: int) -> TaskGraph:
    graph, numbers = TaskGraph(), np.arange(6)
    producer = graph.unit("producer", [1] * 6, 2, numbers)
    consumer = graph.unit("consumer", [4] * 6, 5, numbers)
    graph.wait(consumer, numbers, producer, numbers, reason="data")
    graph.wait(
        producer, numbers[depth:], consumer, numbers[:-depth], link=Link.START, lag=1, reason="no place"
    )
    return graph


def test_a_fifo_holds_the_producer_up() -> None:
    schedule = producer_and_consumer(2).solve()
    assert schedule.starts[1].tolist() == [2, 6, 10, 14, 18, 22]
    assert schedule.starts[0].tolist() == [0, 1, 3, 7, 11, 15]
    assert schedule.stalls == (2, 1 + 3 + 3 + 3)
    assert schedule.end == 22 + 5


def test_the_critical_path_goes_from_the_end_to_the_beginning() -> None:
    path = producer_and_consumer(2).solve().critical_path()
    assert path == [
        ("producer", 0, "begin"),
        ("consumer", 0, "data"),
        *(("consumer", n, "unit") for n in range(1, 6)),
    ]


@few
@given(graphs())
def test_the_critical_path_is_tight(graph: TaskGraph) -> None:
    schedule = graph.solve()
    if not len(schedule.starts[-1]):
        return
    path = schedule.critical_path()
    numbers = {unit.name: u for u, unit in enumerate(graph.units)}
    assert path[-1][:2] == (graph.units[-1].name, len(schedule.starts[-1]) - 1)
    for (before, task, _), (unit, then, reason) in pairwise(path):
        start = schedule.starts[numbers[unit]][then]
        if reason == "unit":
            assert start == schedule.releases(numbers[before])[task]
        else:
            assert start in [r for n in range(len(graph.waits)) for r in ready(schedule, n)]


def test_a_cycle_is_refused() -> None:
    graph = TaskGraph()
    for name in ("a", "b"):
        graph.unit(name, [1, 1], 1, [0, 1])
    graph.wait(0, [0], 1, [1], reason="")
    graph.wait(1, [0], 0, [0], reason="")
    with pytest.raises(ValueError, match=re.escape("tasks wait for each other in a cycle")):
        graph.solve()
    with pytest.raises(CycleError):
        graph.solve_plain()


def test_a_unit_that_waits_for_its_own_later_task_is_refused() -> None:
    graph = TaskGraph()
    graph.unit("a", [1, 1], 1, [0, 1])
    graph.wait(0, [0], 0, [1], reason="")
    with pytest.raises(ValueError, match=re.escape("tasks wait for each other in a cycle")):
        graph.solve()


@pytest.mark.parametrize(
    ("task", "after", "message"),
    [
        ([0], [2], "a task waits for a task that does not exist"),
        ([2], [0], "the tasks of a wait must ascend and exist"),
        ([1, 0], [0, 0], "the tasks of a wait must ascend and exist"),
    ],
)
def test_tasks_that_do_not_exist_are_refused(task: list[int], after: list[int], message: str) -> None:
    graph = TaskGraph()
    for name in ("a", "b"):
        graph.unit(name, [1, 1], 1, [0, 1])
    graph.wait(1, task, 0, after, reason="")
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        graph.solve()


def test_nothing_to_do_ends_where_it_begins() -> None:
    graph = TaskGraph()
    graph.unit("a", [], [], [])
    assert graph.solve(begin=5).end == 5

"""Timelines of runs and the trace files they are saved as."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

from deltawave.hardware.tasks import TaskGraph
from deltawave.hardware.timeline import Part, Timeline, simulate

Events = list[tuple[str, str, int, int]]


def graph_of(first: int, last: int) -> TaskGraph:
    """A step: a load of 3 cycles, then a product of 1 + step cycles, then nothing more."""
    steps, graph = np.arange(first, last), TaskGraph()
    load = graph.unit("load", 3, 4, steps)
    product = graph.unit("product", 1 + steps, 1 + steps, steps, item=steps)
    graph.unit("idle", 0, 0, steps)
    graph.wait(product, steps - first, load, steps - first, reason="data")
    graph.wait(load, steps - first, product, steps - first - 1, reason="result")
    graph.wait(2, steps - first, product, steps - first, reason="result")
    return graph


def part(name: str, steps: int, *, stretch: int = 2, detail_steps: int = 2) -> Part:
    return simulate(name, steps, graph_of, stretch=stretch, detail_steps=detail_steps)


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(1e6, (part("one", 3), part("two", 2)))


def test_cycles_of_steps_parts_and_run(timeline: Timeline) -> None:
    assert {name: cycles.tolist() for name, cycles in timeline.step_cycles.items()} == {
        "one": [5, 6, 7],
        "two": [5, 6],
    }
    assert [part.cycles for part in timeline.parts] == [18, 11]
    assert timeline.cycles == 29
    assert timeline.seconds == 29e-6


def test_units_are_busy_or_stalled(timeline: Timeline) -> None:
    assert timeline.units == ("load", "product", "idle")
    assert timeline.busy_cycles("load") == 15
    assert timeline.busy_cycles("product") == 1 + 2 + 3 + 1 + 2
    assert timeline.utilisation("load") == 15 / 29
    assert dict(timeline.stalls()) == {
        ("idle", "result"): 29,
        ("product", "data"): 20,
        ("load", "result"): 7,
    }  # waits that never held anything up are left out
    assert list(timeline.stalls().values()) == sorted(timeline.stalls().values(), reverse=True)


def test_every_cycle_of_the_first_steps_hangs_on_a_unit(timeline: Timeline) -> None:
    assert timeline.critical_cycles() == {"load": 4 * 4, "product": 2 * (1 + 2), "idle": 0}
    assert sum(timeline.critical_cycles().values()) == 5 + 6 + 5 + 6


def test_a_unit_that_does_not_exist_was_never_busy(timeline: Timeline) -> None:
    assert timeline.busy_cycles("adder") == 0


def test_nothing_done_takes_no_time() -> None:
    timeline = Timeline(1e6, (part("none", 0),))
    assert (timeline.cycles, timeline.utilisation("load"), timeline.slices()) == (0, 0.0, [])


def expected(timeline: Timeline) -> Events:
    return [(s.unit, s.name, s.start, s.release) for s in timeline.slices()]


def test_parts_of_a_step_follow_each_other(timeline: Timeline) -> None:
    assert expected(timeline) == [
        ("load", "one step 0", 0, 3),
        ("product", "one step 0 column 0", 4, 5),
        ("load", "two step 0", 5, 8),
        ("product", "two step 0 column 0", 9, 10),
        ("load", "one step 1", 10, 13),
        ("product", "one step 1 column 1", 14, 16),
        ("load", "two step 1", 16, 19),
        ("product", "two step 1 column 1", 20, 22),
    ]


def test_chrome_trace_holds_the_slices(timeline: Timeline, tmp_path: Path) -> None:
    timeline.save(tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    units = {e["tid"]: e["args"]["name"] for e in events if e["ph"] == "M"}
    slices = [e for e in events if e["ph"] == "X"]
    read = [(units[e["tid"]], e["name"], e["ts"] * 1000, (e["ts"] + e["dur"]) * 1000) for e in slices]
    assert [(*e[:2], round(e[2]), round(e[3])) for e in read] == expected(timeline)


def test_perfetto_trace_holds_the_slices(timeline: Timeline, tmp_path: Path) -> None:
    timeline.save(tmp_path / "trace.pftrace")
    packets = [dict(fields(packet)) for _, packet in fields((tmp_path / "trace.pftrace").read_bytes())]
    tracks = dict(track(dict(fields(p[60]))) for p in packets if 60 in p)
    events = [(p[8], dict(fields(p[11]))) for p in packets if 11 in p]
    assert all(p[10] == 1 for p in packets if 11 in p)  # events need a sequence
    assert all(a <= b for (a, _), (b, _) in pairwise(events))
    assert sorted(slices_of(events, tracks)) == sorted(expected(timeline))


def test_perfettos_own_schema_reads_the_trace(timeline: Timeline, tmp_path: Path) -> None:
    timeline.save(tmp_path / "trace.pftrace")
    trace = Trace()
    trace.ParseFromString((tmp_path / "trace.pftrace").read_bytes())
    tracks = {
        p.track_descriptor.uuid: p.track_descriptor.name
        for p in trace.packet
        if p.HasField("track_descriptor")
    }
    begins = [
        (p.timestamp, p.track_event)
        for p in trace.packet
        if p.track_event.type == TrackEvent.TYPE_SLICE_BEGIN
    ]
    read = [(tracks[event.track_uuid], event.name, cycle) for cycle, event in begins]
    assert sorted(read) == sorted(slice[:3] for slice in expected(timeline))


def slices_of(events: list[tuple[int, dict]], tracks: dict[int, str]) -> Events:
    """Pairs of begin (type 1) and end (type 2), which must alternate on every track."""
    found, opened = [], {}
    for cycle, event in events:
        if event[9] == 1:
            assert event[11] not in opened
            opened[event[11]] = (event[23].decode(), cycle)
        else:
            assert event[9] == 2
            found.append((tracks[event[11]], *opened.pop(event[11]), cycle))
    assert not opened
    return found


def track(descriptor: dict) -> tuple[int, str]:
    return descriptor[1], descriptor[2].decode()


def fields(message: bytes) -> list[tuple[int, int | bytes]]:
    """The fields of a protobuf message: numbers and bytes."""
    found, at = [], 0
    while at < len(message):
        tag, at = varint(message, at)
        value, at = varint(message, at)
        if tag & 7 == 2:
            value, at = message[at : at + value], at + value
        found.append((tag >> 3, value))
    return found


def varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (message[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if message[at - 1] < 0x80:
            return value, at

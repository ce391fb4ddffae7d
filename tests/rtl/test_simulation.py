"""Simulated cores against naive models: every bit and every cycle, with stalls on every stream."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import InputError, SimulationError
from deltawave.rtl.core import StreamSimulation
from deltawave.rtl.simulation import Columns, Simulation, random_stalls
from deltawave.rtl.verilog import to_verilog
from rtl.designs import Loaded, Queue, Reader, SquareSum

patterns = st.lists(st.booleans(), min_size=1, max_size=9).filter(lambda pattern: not all(pattern))


def shared(name: str, design: object) -> pytest.FixtureRequest:
    """A simulation that all tests of this file use; each resets it."""

    @pytest.fixture(scope="module", name=name)
    def simulation() -> Iterator[StreamSimulation]:
        core = StreamSimulation(to_verilog(design, name), name)
        yield core
        core.close()

    return simulation


square_sum = shared("square_sum", SquareSum(3, 11, 40))
wide_sum = shared("wide_sum", SquareSum(128, 8, 40))
queue = shared("queue", Queue(70, 3))
reader = shared("reader", Reader(96))
loaded = shared("loaded", Loaded(20, 10))


class Offers:
    """A stream of beats, each offered in a cycle without a stall and from then on until it is taken."""

    def __init__(self, beats: int, stalls: list[bool]) -> None:
        self.left, self.stalls, self.valid = beats, stalls, False

    def offer(self, cycle: int) -> bool:
        self.valid = self.valid or (self.left > 0 and not self.stalls[cycle % len(self.stalls)])
        return self.valid

    def take(self) -> None:
        self.left, self.valid = self.left - 1, False


def model_of_register(beats: int, x_stalls: list[bool], h_stalls: list[bool]) -> list[int]:
    """Cycles in which the outputs of `SquareSum` are taken."""
    x, full, taken = Offers(beats, x_stalls), False, []
    for cycle in itertools.count():
        if len(taken) == beats:
            return taken
        offered, h_ready = x.offer(cycle), not h_stalls[cycle % len(h_stalls)]
        if full and h_ready:
            taken.append(cycle)
        if full and not h_ready:
            continue
        full = offered
        if offered:
            x.take()
    raise AssertionError


def model_of_queue(beats: int, depth: int, x_stalls: list[bool], h_stalls: list[bool]) -> list[int]:
    x, level, taken = Offers(beats, x_stalls), 0, []
    for cycle in itertools.count():
        if len(taken) == beats:
            return taken
        put = x.offer(cycle) and level < depth
        get = level > 0 and not h_stalls[cycle % len(h_stalls)]
        if put:
            x.take()
        if get:
            taken.append(cycle)
        level += put - get
    raise AssertionError


def model_of_memory(
    counts: list[int], cycles: list[int], latency: int, stalls: dict[str, list[bool]]
) -> tuple[list[int], list[int]]:
    """Cycles in which `Reader`'s requests, of columns that have these words and take these cycles, and the words
    are taken."""
    asked, words, free = [], [], 0
    for count, taking in zip(counts, cycles, strict=True):
        offered = next_free(asked[-1] + 1 if asked else 0, stalls["x"])
        asked.append(next_free(offered, stalls["column"]))
        start = max(asked[-1] + latency, free)
        free = start + taking
        for i in range(count):
            due = start + (i if i < count - 1 else max(i, taking - 1))
            offered = next_free(max(due, words[-1] + 1 if words else 0), stalls["w"])
            words.append(next_free(offered, stalls["h"]))
    return asked, words


def next_free(cycle: int, stalls: list[bool]) -> int:
    return next(c for c in itertools.count(cycle) if not stalls[c % len(stalls)])


def arrays(stalls: dict[str, list[bool]]) -> dict[str, np.ndarray]:
    return {name: np.array(pattern) for name, pattern in stalls.items()}


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 40), patterns, patterns)
def test_sums_and_their_cycles(
    square_sum: StreamSimulation, seed: int, beats: int, x_stalls: list[bool], h_stalls: list[bool]
) -> None:
    xs = np.random.default_rng(seed).integers(-1024, 1024, (beats, 3))
    square_sum.reset()
    stalls = {"x": np.array(x_stalls), "h": np.array(h_stalls)}
    run = square_sum.run_steps(xs, beats, steps=beats // 4, limit_cycles=100 * beats, stalls=stalls)
    cycles = model_of_register(beats, x_stalls, h_stalls)
    assert run.outputs.tolist() == np.cumsum((xs**2).sum(axis=1)).tolist()
    assert run.exchange.taken["h"].cycles.tolist() == cycles
    assert run.cycles == cycles[-1] + 1
    assert run.last.tolist() == [i % 4 == 3 for i in range(beats)]
    assert run.step_ends.tolist() == cycles[3::4]
    assert np.cumsum(run.step_cycles).tolist() == [cycle + 1 for cycle in cycles[3::4]]


def test_the_widest_input(wide_sum: StreamSimulation) -> None:
    xs = np.random.default_rng(3).integers(-128, 128, (1000, 128))
    wide_sum.reset()
    run = wide_sum.run_steps(xs, 1000, limit_cycles=1001)
    assert run.outputs.tolist() == np.cumsum((xs**2).sum(axis=1)).tolist()
    assert run.cycles == 1001


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32), st.integers(1, 40), patterns, patterns)
def test_a_queue_keeps_order_and_time(
    queue: StreamSimulation, seed: int, beats: int, x_stalls: list[bool], h_stalls: list[bool]
) -> None:
    xs = np.random.default_rng(seed).integers(0, 1 << 35, (beats, 2))
    queue.reset()
    stalls = {"x": np.array(x_stalls), "h": np.array(h_stalls)}
    h = queue.run({"x_data": xs}, {"h": beats}, limit_cycles=100 * beats, stalls=stalls).taken["h"]
    assert h.values(lanes=2).tolist() == xs.tolist()
    assert h.cycles.tolist() == model_of_queue(beats, 3, x_stalls, h_stalls)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(0, 7))
def test_columns_come_at_the_pace_of_the_memory(
    reader: StreamSimulation, data: st.DataObject, latency: int
) -> None:
    columns = data.draw(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 8)), min_size=1, max_size=6))
    counts, cycles = [c for c, _ in columns], [c for _, c in columns]
    asked = data.draw(st.lists(st.integers(0, len(columns) - 1), min_size=1, max_size=12))
    stalls = {name: data.draw(patterns) for name in ("x", "column", "w", "h")}
    words, first = np.arange(3 * sum(counts)).reshape(-1, 3), np.cumsum([0, *counts])
    expected = np.concatenate([words[first[c] : first[c + 1]] for c in asked])

    reader.reset()
    reader.set_columns(words, counts, cycles, latency_cycles=latency)
    run = reader.run_steps(asked, len(expected), h_lanes=3, limit_cycles=10_000, stalls=arrays(stalls))
    requests, answers = model_of_memory(
        [counts[c] for c in asked], [cycles[c] for c in asked], latency, stalls
    )
    assert run.columns.tolist() == asked
    assert run.exchange.taken["column"].cycles.tolist() == requests
    assert run.outputs.tolist() == expected.tolist()
    assert run.exchange.taken["h"].cycles.tolist() == answers


def test_loaded_memories(loaded: StreamSimulation) -> None:
    first, second = np.random.default_rng(1).integers(0, 1 << 20, (2, 10))
    loaded.reset()
    loaded.load(0, first, stalls={"load": random_stalls(5, 0.5)})
    loaded.load(1, second)
    read = loaded.run({"x_data": np.arange(10)}, {"h": 10}, limit_cycles=20).taken["h"].values(lanes=2)
    assert read.tolist() == np.stack([first, second], axis=1).tolist()


def test_a_run_goes_on_where_the_last_one_ended_until_a_reset(square_sum: StreamSimulation) -> None:
    xs = np.full((10, 3), 2)
    square_sum.reset()
    partly = square_sum.run_for(6, {"x_data": xs}, {"h": 10}).taken["h"]
    assert partly.values("h_data", signed=True).tolist() == [12, 24, 36, 48, 60]
    square_sum.reset()
    assert square_sum.run_steps(xs, 10, limit_cycles=11).outputs.tolist() == list(range(12, 132, 12))
    assert square_sum.run_steps(xs, 10, limit_cycles=11).outputs.tolist() == list(range(132, 252, 12))


def test_a_value_is_named_where_a_beat_has_more_than_one(square_sum: StreamSimulation) -> None:
    h = square_sum.run_for(1).taken["h"]
    with pytest.raises(InputError) as caught:
        h.values()
    assert str(caught.value) == "a beat of h has h_data, h_last: a name is wanted"
    with pytest.raises(InputError) as caught:
        h.values("x_data")
    assert str(caught.value) == "a beat of h has h_data, h_last: x_data is wanted"


def test_outputs_that_nobody_wanted_are_seen(square_sum: StreamSimulation) -> None:
    square_sum.reset()
    square_sum.run_steps([[1, 1, 1]], 1, limit_cycles=2)
    assert square_sum.offered() == set()
    square_sum.run_for(3, {"x_data": [[1, 1, 1]]})
    assert square_sum.offered() == {"h"}


def test_a_core_that_waits_for_ever(reader: StreamSimulation) -> None:
    reader.reset()
    reader.set_columns(np.arange(6).reshape(2, 3), [1, 1], [1, 1], latency_cycles=5)
    with pytest.raises(SimulationError) as caught:
        reader.run_steps([0, 1], 3, limit_cycles=50)
    assert str(caught.value) == (
        "the core is not done after 50 cycles: column: 2 of 0 came, waits for valid; "
        "h: 2 of 3 came, waits for valid; w: 2 of 2 taken, nothing offered; x: 2 of 2 taken, nothing offered"
    )
    reader.reset()
    with pytest.raises(SimulationError) as caught:
        reader.run_steps([0, 1], 2, limit_cycles=50, stalls={"h": np.array([True])})
    assert str(caught.value) == (
        "the core is not done after 50 cycles: column: 2 of 0 came, waits for valid; "
        "h: 0 of 2 came, valid, not taken; w: 0 of 1 taken, offered, waits for ready; "
        "x: 2 of 2 taken, nothing offered"
    )


def test_a_column_that_there_is_none_of(reader: StreamSimulation) -> None:
    reader.reset()
    reader.set_columns(np.arange(6).reshape(2, 3), [1, 1], [1, 1])
    with pytest.raises(SimulationError) as caught:
        reader.run_steps([0, 2], 2, limit_cycles=50)
    assert str(caught.value) == "the core fails in cycle 1: it asks for column 2 of 2"


IMPOSSIBLE = {
    "input": ({"y_data": [1]}, {}, {}, "the core takes no y_data; it takes w_data, x_data"),
    "output": ({}, {"x": 1}, {}, "the core has no such stream x; it has column, h"),
    "stalls": ({}, {}, {"y": [True]}, "the core has no such stream y; it has column, h, w, x"),
    "pattern": ({}, {}, {"x": [1]}, "stalls of x are a pattern [period] of bool, got int64 [1]"),
}


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_exchanges(reader: StreamSimulation, case: str) -> None:
    inputs, wanted, stalls, message = IMPOSSIBLE[case]
    with pytest.raises(InputError) as caught:
        reader.run(inputs, wanted, limit_cycles=1, stalls=stalls)
    assert str(caught.value) == message


def test_a_beat_needs_all_its_values(loaded: StreamSimulation) -> None:
    with pytest.raises(InputError) as caught:
        loaded.run({"load_data": [1]}, {}, limit_cycles=1)
    assert str(caught.value) == "a beat of load has load_data, load_select: load_select is not given"
    with pytest.raises(InputError) as caught:
        loaded.run({"load_data": [1], "load_select": [0, 0]}, {}, limit_cycles=1)
    assert str(caught.value) == "load_data, load_select take one value a beat each, got [1, 2]"


COLUMNS = {
    "empty": (([1], [0], [1]), "counts of columns are integers [columns] of 1 or more"),
    "too quick": (([1], [1], [0]), "cycles of columns are integers [columns] of 1 or more"),
    "too few": (([1], [2], [1, 1]), "1 columns need 2 words and 1 cycles, got 1 and 2"),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_impossible_columns(reader: StreamSimulation, case: str) -> None:
    (words, counts, cycles), message = COLUMNS[case]
    with pytest.raises(InputError) as caught:
        reader.set_columns(np.repeat(words, 3).reshape(-1, 3), counts, cycles)
    assert str(caught.value) == message


def test_a_memory_needs_one_number_and_one_port(loaded: StreamSimulation) -> None:
    with pytest.raises(InputError) as caught:
        loaded.serve("h", "load", Columns([1], [1], [1]))
    assert str(caught.value) == "h asks by one number of at most 32 bits, load answers by one port"


BROKEN = """
module broken(input clk, input rst, input go_valid, input [7:0] go_data, output go_ready,
              output reg h_valid, output reg [7:0] h_data, input h_ready);
  reg [7:0] cycle = 0;
  assign go_ready = 1;
  always @(posedge clk) begin
    cycle <= rst ? 0 : cycle + 1;
    h_valid <= RULE;
    h_data <= DATA;
  end
  ASSERTION
endmodule
"""
FAULTS = {
    "valid falls": (("cycle == 2", "1", ""), "in cycle 4: h takes back a beat: valid falls before ready"),
    "data changes": (
        ("cycle >= 2", "cycle", ""),
        "in cycle 4: h changes a beat that waits: other data before ready",
    ),
    "assertion": (
        ("0", "0", "always @(posedge clk) assert (cycle != 5);"),
        "in cycle 5: an assertion of the design failed",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_core_that_breaks_a_rule(fault: str) -> None:
    (rule, data, assertion), message = FAULTS[fault]
    verilog = BROKEN.replace("RULE", rule).replace("DATA", data).replace("ASSERTION", assertion)
    core = Simulation(verilog, "broken")
    with pytest.raises(SimulationError) as caught:
        core.run({}, {"h": 1}, limit_cycles=50, stalls={"h": np.array([True])})
    assert str(caught.value) == f"the core fails {message}"


def test_waves_show_every_cycle(tmp_path: Path) -> None:
    place = tmp_path / "queue.vcd"
    core = StreamSimulation(to_verilog(Queue(70, 3), "queue"), "queue", waves=place)
    core.run({"x_data": [[5, 0], [6, 0]]}, {"h": 2}, limit_cycles=10)
    core.close()
    text = place.read_text()
    assert " h_valid " in text
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert times == list(range(2 * (2 + 3)))  # two cycles of reset, three of the run

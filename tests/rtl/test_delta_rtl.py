"""The RTL of the delta machines against semantics and timeline: every bit of the outputs, every cycle of the steps.

A few random machines are in every run. The long list, 300 random machines with a random cell each, those of DeltaRNN
and EdgeDRNN with two, and 64 of these with cells that take turns:

    pytest -m slow tests/rtl/test_delta_rtl.py

DELTAWAVE_RTL_SEED=1000 takes others. A comparison that fails leaves its waves in a VCD file, which it names.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from deltawave.errors import SimulationError
from deltawave.kernels.cell import CellKind, CellState, QuantisedCell
from deltawave.machines.deltarnn import semantics
from deltawave.machines.deltarnn.rtl.simulate import CoreSimulation, OnACore, model
from deltawave.rtl.simulation import random_stalls
from rtl.cycle_table import TABLE, Compared, check_row
from rtl.delta_cases import (
    KINDS,
    Case,
    described,
    first_of,
    random_case,
    random_inputs,
    random_stack,
    tightest,
)

EVERY_RUN_SEED = 20
"""Whose tables are small."""
FIRST_SEED = int(os.environ.get("DELTAWAVE_RTL_SEED", 100))
MACHINES_A_ROW = 25
STEPS = 6
ROWS: tuple[tuple[str, CellKind], ...] = tuple(
    (machine, kind) for machine in ("deltarnn", "edgedrnn", "spartus") for kind in KINDS
)
STACKS_A_ROW = 8
STACK_ROWS = [(machine, kind) for machine, kind in ROWS if machine != "spartus"]
IN_EVERY_RUN = [row for row in ROWS if row not in (("spartus", "rnn"), ("spartus", "gru_before"))]


def seeds_of(machine: str, kind: CellKind) -> range:
    """Of the long list."""
    first = FIRST_SEED + MACHINES_A_ROW * ROWS.index((machine, kind))
    return range(first, first + MACHINES_A_ROW)


def stack_seeds_of(machine: str, kind: CellKind) -> range:
    """Of the long list, behind those of single cells."""
    first = FIRST_SEED + MACHINES_A_ROW * len(ROWS) + STACKS_A_ROW * STACK_ROWS.index((machine, kind))
    return range(first, first + STACKS_A_ROW)


class Bench:
    """A core beside its model."""

    def __init__(self, case: Case, waves: Path | None = None) -> None:
        self.case, self.machine, self.runs = case, case.machine, case.runs
        self.core = CoreSimulation(case.machine, case.runs, waves=waves)
        self.rng = np.random.default_rng(case.seed)
        self.compared = Compared(pairs=1)

    def take(self, runs: OnACore) -> None:
        """Run this cell, or these cells, from now on."""
        self.runs = runs
        self.compared.pairs += 1
        self.core.load(runs)

    @property
    def cell(self) -> QuantisedCell:
        """The cell, or the first of several."""
        return first_of(self.runs)

    def inputs(self, steps: int = STEPS) -> NDArray[np.int64]:
        return random_inputs(self.rng, self.cell, steps)

    def stream(self, xs: NDArray[np.int64], **shares: float) -> None:
        """A new stream, with these shares of the cycles stalled: outputs equal, and cycles, too, unless something
        that a step waits for is stalled."""
        stalls = {name: random_stalls(self.case.seed, share, 257) for name, share in shares.items()}
        self.core.begin_stream()
        rtl, wanted = self.core.run(xs, stalls=stalls), model(self.machine, self.runs, xs)
        paced = not {"column", "w", "h"} & set(shares)
        self.compared.add(rtl, wanted, self.cell.activation.bits, paced=paced)
        same(rtl.outputs, wanted.outputs, "outputs")
        if paced:
            same(rtl.step_cycles, wanted.step_cycles, "cycles")
        assert (rtl.step_cycles >= wanted.step_cycles).all()


def same(rtl: NDArray[np.int64], wanted: NDArray[np.int64], what: str) -> None:
    """Not by assert: an array of them is no help."""
    assert rtl.shape == wanted.shape
    places = np.argwhere(rtl != wanted)
    assert len(places) == 0, (
        f"{len(places)} of {wanted.size} {what} differ, first at {places[0].tolist()}: "
        f"{rtl[tuple(places[0])]}, not {wanted[tuple(places[0])]}"
    )


def scenario(bench: Bench) -> None:
    """All that is asked of a design."""
    for _ in range(2):
        bench.stream(bench.inputs())
    bench.stream(bench.inputs(), x=0.7)
    bench.stream(bench.inputs(), h=0.6)
    if "w" in bench.core.simulation.streams:
        bench.stream(bench.inputs(), w=0.5)
        bench.stream(bench.inputs(), column=0.8)
        bench.stream(bench.inputs(), x=0.5, h=0.5, w=0.5, column=0.5)
    stop_in_the_middle(bench)
    for runs in bench.case.others:
        bench.take(runs)
        for _ in range(2):
            bench.stream(bench.inputs())


def stop_in_the_middle(bench: Bench) -> None:
    """Reset at any time: what comes after is a new stream."""
    beats = np.zeros((2 * bench.core.read("groups_x"), bench.core.shape.input_rate), np.int64)
    beats += bench.cell.activation.highest
    for _ in range(3):
        cycles = int(bench.rng.integers(1, 60))
        bench.core.simulation.run_for(cycles, {"x_data": beats if beats.shape[1] > 1 else beats[:, 0]})
        bench.core.reset()
        bench.stream(bench.inputs(2))


def compare(case: Case, folder: Path, asked: Callable[[Bench], None] = scenario) -> Compared:
    """Ask it of the case's core. When the comparison fails, it runs again and its waves are written."""
    bench = Bench(case)
    try:
        asked(bench)
    except (AssertionError, SimulationError) as failure:
        waves = folder / f"seed-{case.seed}.vcd"
        write_waves(case, waves, asked)
        raise AssertionError(f"{case}, now {described(bench.runs)}: {failure}; waves in {waves}") from failure
    finally:
        bench.core.close()
    return bench.compared


def write_waves(case: Case, waves: Path, asked: Callable[[Bench], None]) -> None:
    again = Bench(case, waves)
    with pytest.raises((AssertionError, SimulationError)):
        asked(again)
    again.core.close()


@pytest.mark.parametrize(("machine", "kind"), IN_EVERY_RUN)
def test_a_random_machine(machine: str, kind: CellKind, tmp_path: Path) -> None:
    compare(random_case(EVERY_RUN_SEED + ROWS.index((machine, kind)), machine, kind, smaller=3), tmp_path)


@pytest.mark.parametrize(("machine", "kind"), [("deltarnn", "gru"), ("edgedrnn", "lstm")])
def test_a_random_stack(machine: str, kind: CellKind, tmp_path: Path) -> None:
    compare(
        random_stack(EVERY_RUN_SEED + STACK_ROWS.index((machine, kind)), machine, kind), tmp_path, in_turn
    )


def in_turn(bench: Bench) -> None:
    """All that is asked of a core whose cells take turns."""
    scenario(bench)
    rewrite_thresholds(bench)


def rewrite_thresholds(bench: Bench) -> None:
    """Those of every cell, while a stream is under way and before the next one."""
    assert isinstance(bench.runs, Sequence)
    thetas = bench.rng.integers(0, 1 << bench.cell.activation.bits, (len(bench.runs), 2)).tolist()
    bench.core.run(bench.inputs(1))
    for number, pair in enumerate(thetas, start=1):
        for name, theta in zip(("theta_x", "theta_h"), pair, strict=True):
            bench.core.write(name if number == 1 else f"{name}_{number}", theta)
    bench.runs = tuple(
        replace(compiled, cell=replace(compiled.cell, theta_x=theta_x, theta_h=theta_h))
        for compiled, (theta_x, theta_h) in zip(bench.runs, thetas, strict=True)
    )
    bench.stream(bench.inputs())


@pytest.mark.parametrize("cells", [1, 3])
@pytest.mark.parametrize("machine", ["deltarnn", "edgedrnn"])
def test_the_tightest_machine(machine: str, cells: int, tmp_path: Path) -> None:
    def asked(bench: Bench) -> None:
        scenario(bench)
        bench.stream(bench.inputs(20), h=0.95)  # outputs of several steps wait

    compare(tightest(machine, cells), tmp_path, asked)


@pytest.fixture(params=[1, 2, 4, 7], ids=lambda row: "-".join(ROWS[row]), scope="module")
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    """Some of the cores of the test above, so that they are built once."""
    machine, kind = ROWS[request.param]
    bench = Bench(random_case(EVERY_RUN_SEED + request.param, machine, kind, smaller=0))
    yield bench
    bench.core.close()


def test_a_long_stream(bench: Bench) -> None:
    bench.stream(bench.inputs(2000))


def test_outputs_that_leave_in_time_cost_nothing(bench: Bench) -> None:
    """A stall every fifth cycle; the outputs of a step have gone before those of the next one come."""
    xs, groups = bench.inputs(20), bench.core.read("groups_h")
    bench.core.begin_stream()
    rtl = bench.core.run(xs, stalls={"h": np.arange(5) == 0})
    wanted = model(bench.machine, bench.cell, xs)
    assert wanted.step_cycles.min() >= 5 * groups / 4 + 2
    assert rtl.equals(wanted)


@pytest.mark.parametrize("later_cycles", range(0, 40, 5))
def test_a_new_stream_begins_when_the_step_is_over(bench: Bench, later_cycles: int) -> None:
    """The register is written at some time in the first step, or after it, and the inputs of the next wait."""
    old, new = bench.inputs(1), bench.inputs(3)
    groups_x, groups_h = bench.core.read("groups_x"), bench.core.read("groups_h")
    rate = bench.core.shape.hidden_rate
    simulation = bench.core.simulation
    bench.core.begin_stream()
    simulation.run_for(200)
    assert bench.core.read("idle")
    simulation.run_for(groups_x + 2 + later_cycles, {"x_data": in_beats(bench, old, groups_x)})
    bench.core.begin_stream()
    run = simulation.run_steps(
        in_beats(bench, new, groups_x), 4 * groups_h, h_lanes=rate, limit_cycles=20_000
    )
    outputs = run.outputs.reshape(4, groups_h * rate)[:, : bench.cell.hidden]
    wanted = model(bench.machine, bench.cell, new)
    same(outputs[:1], model(bench.machine, bench.cell, old).outputs, "outputs of the old stream")
    same(outputs[1:], wanted.outputs, "outputs of the new stream")
    same(run.step_cycles[-3:], wanted.step_cycles, "cycles of the new stream")


def in_beats(bench: Bench, xs: NDArray[np.int64], groups: int) -> NDArray[np.int64]:
    rate = bench.core.shape.input_rate
    beats = np.pad(xs, ((0, 0), (0, groups * rate - xs.shape[1]))).reshape(-1, rate)
    return beats[:, 0] if rate == 1 else beats


@pytest.mark.parametrize(("machine", "kind"), ROWS)
def test_states_of_random_cells_move(machine: str, kind: CellKind) -> None:
    """Else comparing them would say little."""
    moves = []
    for seed in seeds_of(machine, kind):
        cell = random_case(seed, machine, kind).cell
        xs = random_inputs(np.random.default_rng(seed), cell, 4 * STEPS)
        outputs, _ = semantics.run(cell, CellState.initial(cell), xs.astype(np.int32))
        moves.append((np.diff(outputs, axis=0) != 0).mean())
    assert np.mean(moves) > 0.2
    assert np.count_nonzero(moves) >= 0.6 * MACHINES_A_ROW


def test_a_failure_leaves_its_waves(tmp_path: Path) -> None:
    def asked(bench: Bench) -> None:
        bench.stream(bench.inputs(1))
        same(np.zeros(1, np.int64), np.ones(1, np.int64), "outputs")

    case = random_case(EVERY_RUN_SEED, "edgedrnn", "rnn", smaller=0)
    with pytest.raises(AssertionError, match="1 of 1 outputs differ") as failure:
        compare(case, tmp_path, asked)
    waves = tmp_path / f"seed-{EVERY_RUN_SEED}.vcd"
    assert str(failure.value).endswith(f"waves in {waves}")
    assert b"step_done" in waves.read_bytes()


def test_the_documented_comparisons_are_enough_and_differ_nowhere() -> None:
    rows = [
        line.strip("| ").split(" | ") for line in TABLE.read_text().splitlines() if line.startswith("| ")
    ][1:]
    assert all(row[6] == row[8] == "0" and row[4] == row[5] for row in rows)
    assert sum(int(row[2]) for row in rows if row[0].startswith("random")) >= 200
    assert len({row[0] for row in rows if not row[0].startswith("random")}) >= 3


@pytest.mark.slow
@pytest.mark.parametrize(("machine", "kind"), ROWS)
def test_many_random_machines(machine: str, kind: CellKind, tmp_path: Path) -> None:
    seeds = seeds_of(machine, kind)
    compared = compare_all([random_case(seed, machine, kind) for seed in seeds], tmp_path, scenario)
    assert compared.pairs == MACHINES_A_ROW * (1 if machine == "spartus" else 2)
    check_seeds(f"random {kind}", machine, seeds, compared)


@pytest.mark.slow
@pytest.mark.parametrize(("machine", "kind"), STACK_ROWS)
def test_many_random_stacks(machine: str, kind: CellKind, tmp_path: Path) -> None:
    seeds = stack_seeds_of(machine, kind)
    compared = compare_all([random_stack(seed, machine, kind) for seed in seeds], tmp_path, in_turn)
    assert compared.pairs == 2 * STACKS_A_ROW
    check_seeds(f"random stacks of {kind}", machine, seeds, compared)


def compare_all(cases: list[Case], folder: Path, asked: Callable[[Bench], None]) -> Compared:
    """Those that come after a failure are worth knowing, too."""
    compared, failures = Compared(), []
    for case in cases:
        try:
            compared += compare(case, folder, asked)
        except AssertionError as failure:
            failures.append(str(failure))
    assert failures == []
    return compared


def check_seeds(what: str, machine: str, seeds: range, compared: Compared) -> None:
    """The documented row, unless other seeds were taken."""
    if FIRST_SEED == 100:
        check_row(f"{what}, seeds {seeds[0]} to {seeds[-1]}", f"random {machine}", compared)

"""Reports of runs: every figure from the run itself, worked out another way."""

import numpy as np
import pytest

from deltawave.errors import OptionError
from deltawave.machines import machine
from deltawave.machines.deltarnn.search import fetched
from deltawave.machines.fetched import weights_fetched
from deltawave.machines.program import Run, compile_network
from deltawave.network import Network, load
from deltawave.report.compare import compare
from deltawave.report.inspection import inspect
from deltawave.report.metrics import Scoring
from deltawave.report.report import float_outputs, measure
from deltawave.report.sweep import sweep
from deltawave.report.variants import variant_name
from network.onnx_models import constants, model, node, value
from networks import recurrent_network, walk

EDGE = machine("edgedrnn-minized")


def run_of(network: Network, data: object = None, **options: object) -> Run:
    program = compile_network(network, EDGE.with_options(options), calibration=walk())
    return program.run(walk() if data is None else data)


@pytest.mark.parametrize("op", ["GRU", "LSTM", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_work_is_that_of_the_dense_network(op: str, direction: str) -> None:
    network = recurrent_network(op, direction=direction)
    work = measure(run_of(network, [walk(steps=20), walk(steps=7)])).work
    gates, directions = {"GRU": 3, "LSTM": 4, "RNN": 1}[op], 1 if direction == "forward" else 2
    assert work.machine == 27 * directions * 2 * gates * 9 * (6 + 9)
    assert work.host == 2 * 20 * 2 * directions * 9 * 3  # the steps of the first call stand for all
    assert work.machine_share == work.machine / (work.machine + work.host)


def test_sparsity_counts_what_was_sent() -> None:
    run = run_of(recurrent_network("GRU", linear_before_reset=1), theta_hidden=0.1, theta_input=0.1)
    (rows,) = run.activity.values()
    (cell,) = measure(run).sparsity.cells
    assert cell.x_sent == rows[:, :6].mean()
    assert cell.h_sent == rows[:, 6:].mean()
    assert cell.weights_fetched == pytest.approx(rows.mean())
    assert cell.columns_sent == pytest.approx(rows.sum() / 20)


def test_columns_of_a_reset_state_carry_fewer_weights() -> None:
    run = run_of(recurrent_network("GRU"), theta_hidden=0.1)
    (rows,) = run.activity.values()
    sent = rows.sum(axis=0)
    assert rows.shape == (20, 6 + 2 * 9)
    moved = 27 * sent[:6].sum() + 18 * sent[6:15].sum() + 9 * sent[15:].sum()
    assert measure(run).sparsity.weights_fetched == pytest.approx(moved / (20 * 27 * (6 + 9)))


def test_all_cells_count_by_their_weights_and_steps() -> None:
    run = run_of(recurrent_network("GRU", direction="bidirectional"), theta_hidden=0.1)
    sparsity = measure(run).sparsity
    assert [cell.name for cell in sparsity.cells] == list(run.program.cells)
    assert sparsity.weights_fetched == pytest.approx(
        np.mean([cell.weights_fetched for cell in sparsity.cells])
    )
    assert sparsity.weights_fetched == fetched(run)


def test_a_machine_that_sends_everything_spares_nothing() -> None:
    run = compile_network(recurrent_network("GRU"), machine("bw-s10")).run(walk())
    assert weights_fetched(run.program.cells.values(), run.activity) is None
    assert measure(run).sparsity is None


def test_zero_weights_are_counted_as_compiled() -> None:
    network = recurrent_network("LSTM", hidden=16)
    program = compile_network(
        network, machine("spartus-zynq7100").with_options({"prune_gamma": 0.5, "array_pes": 4})
    )
    report = measure(program.run(walk()))
    arrays = program.cells["layer"].arrays()
    weights = np.concatenate([arrays["weights_x"].ravel(), arrays["weights_h"].ravel()])
    assert report.sparsity.zero_weights == np.mean(weights == 0)
    assert report.sparsity.zero_weights >= 0.5


def test_time_is_the_timelines() -> None:
    run = run_of(recurrent_network("LSTM", direction="bidirectional"))
    timing = measure(run).timing
    assert timing.cycles == run.timeline.cycles
    assert timing.worst_step_cycles == max(np.sum(list(run.timeline.step_cycles.values()), axis=0))
    assert timing.cycles_per_step == run.timeline.cycles / 20
    assert timing.latency_s == timing.cycles_per_step / EDGE.clock_hz
    assert timing.operations_per_s == pytest.approx(timing.operations / run.timeline.seconds)
    assert timing.utilisation == {unit: run.timeline.utilisation(unit) for unit in run.timeline.units}


def test_json_has_every_row_of_the_cost() -> None:
    run = run_of(recurrent_network("GRU"))
    plain = measure(run).as_dict()
    assert [figure["value"] for figure in plain["area"]] == [row.amount for row in run.cost.area]
    energy = [figure["value"] for figure in plain["energy"]]
    assert energy[2:] == pytest.approx([row.picojoules * 1e-12 / 20 for row in run.cost.energy])
    assert energy[0] == pytest.approx(run.cost.energy_pj * 1e-12 / 20)
    assert energy[1] == pytest.approx(run.cost.energy_pj * 1e-12 / run.timeline.seconds)
    assert [row["bytes_moved"] for row in plain["traffic"]] == [row.bytes_moved for row in run.cost.traffic]


def test_notes_tell_of_extensions_and_the_host() -> None:
    assert measure(run_of(recurrent_network("LSTM"))).notes == (
        "layer: the published machine has no LSTM, ours has it as an extension",
        "dense_layer ran on the host, which cycles and energy leave out: runs recurrent layers only",
    )


def test_calls_without_recurrent_layers_are_steps() -> None:
    nodes = [node("Gemm", ["x", "w"], ["y"], name="dense", transB=1)]
    weights = constants(w=np.eye(3, 4, dtype=np.float32))
    network = load(model(nodes, [value("x", ["N", 4])], [value("y", ["N", 3])], weights))
    report = measure(compile_network(network, machine("bw-s10")).run(np.ones((5, 4), np.float32)))
    assert report.timing.steps == 5
    assert report.notes == ("the network has no recurrent layer: a step is a call",)
    assert inspect(network, [machine("bw-s10")]).text().splitlines()[0] == (
        "model: 12 parameters, 24.00 op a call"
    )


def test_labels_that_the_float_network_says_make_it_perfect() -> None:
    network = recurrent_network("GRU")
    streams = [walk(seed=seed) for seed in range(5)]
    run = run_of(network, streams)
    labels = [out["y"][0, :, 0].argmax(axis=-1) for out in float_outputs(network, run.streams)]
    quality = measure(run, labels).quality
    ours = [out["y"][0, :, 0].argmax(axis=-1) for out in run.outputs]
    assert quality.floats[0].value == 1.0
    assert quality.machine[0].value == np.mean(np.concatenate(ours) == np.concatenate(labels))
    assert measure(run, labels, scoring=Scoring(metric="none")).quality.machine == ()


def test_a_comparison_reports_what_each_machine_would_alone() -> None:
    network, variant = (
        recurrent_network("GRU"),
        EDGE.with_options({"theta_hidden": 0.25, "extensions": False}),
    )
    comparison = compare(network, [EDGE, variant], walk(), calibration=walk())
    assert [entry.machine for entry in comparison.entries] == [
        "edgedrnn-minized",
        "edgedrnn-minized, extensions=false, theta_hidden=0.25",
    ]
    assert comparison.entries[0].report == measure(run_of(network))
    assert comparison.entries[1].report is None
    assert "the published machine resets after the product" in comparison.entries[1].refusal


def test_a_sweep_takes_every_combination() -> None:
    network, over = recurrent_network("GRU"), {"theta_input": [0.0, 0.25], "theta_layers.layer": [(0.5, 1.0)]}
    found = sweep(network, EDGE, walk(), over=over, calibration=walk())
    assert found.points == tuple(
        {"theta_input": theta, "theta_layers.layer": (0.5, 1.0)} for theta in (0.0, 0.25)
    )
    assert found.labels == ("0, 0.5,1", "0.25, 0.5,1")
    machines = [
        EDGE.with_options({"theta_input": theta, "theta_layers.layer": (0.5, 1.0)}) for theta in (0.0, 0.25)
    ]
    assert found.comparison == compare(network, machines, walk(), calibration=walk())


@pytest.mark.parametrize(
    ("over", "message"),
    [
        ({}, "edgedrnn-minized: no option is varied; give at least one, with its values"),
        ({"pes": []}, "edgedrnn-minized: pes is varied over no values; give at least one"),
        ({"pse": [8]}, "edgedrnn-minized has no option 'pse'; did you mean 'pes'?"),
    ],
)
def test_a_sweep_over_nothing_is_refused(over: dict[str, list[object]], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        sweep(recurrent_network("GRU"), EDGE, walk(), over=over)
    assert str(caught.value) == message


def test_machines_are_named_by_what_differs() -> None:
    assert variant_name(EDGE) == "edgedrnn-minized"
    tuned = EDGE.with_options(
        {"theta_layers.a": "0.5,1", "published_cells": "gru,lstm", "weight_fraction_bits": 5}
    )
    assert variant_name(tuned) == (
        "edgedrnn-minized, published_cells=gru,lstm, theta_layers={a: 0.5,1}, weight_fraction_bits=5"
    )


def test_clips_that_continue_one_another_are_pointed_out() -> None:
    program = compile_network(recurrent_network(streaming=True), EDGE)
    clips = np.stack([walk(5, seed=seed) for seed in range(3)])
    hint = (
        "the 3 calls of 5 steps continue one another as one stream; "
        "--separate (in Python a list of arrays) starts each afresh"
    )
    assert hint in measure(program.run(clips)).notes
    assert hint not in measure(program.run(list(clips))).notes


def test_a_program_without_calibration_says_so() -> None:
    note = (
        "compiled without calibration data: number formats fit the weights only; "
        "--calibration (in Python calibration=) picks them for the data"
    )
    network = recurrent_network("GRU", linear_before_reset=1)
    assert note in measure(compile_network(network, EDGE).run(walk())).notes
    assert note not in measure(run_of(network)).notes

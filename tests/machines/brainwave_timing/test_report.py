"""A network on the Brainwave NPU from end to end: exact outputs, cycles, bounds, report."""

from dataclasses import replace

import numpy as np
import pytest

from deltawave.machines.brainwave.machine import BW_S10
from deltawave.machines.program import compile_network
from deltawave.report.inspection import inspect
from deltawave.report.report import measure
from networks import recurrent_network, walk


@pytest.mark.parametrize("op", ["GRU", "LSTM", "RNN"])
@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_network_runs_and_its_report_has_the_bounds(op: str, direction: str) -> None:
    program = compile_network(recurrent_network(op, direction=direction), BW_S10)
    run = program.run(walk())
    report = measure(run).as_dict()
    figures = {figure["name"]: figure["value"] for figure in report["particulars"]}
    assert figures["this machine"] == run.timeline.cycles
    assert figures["critical path, UDM"] < figures["critical path, SDM"] < figures["this machine"]
    assert report["sparsity"] == []


@pytest.mark.parametrize("op", ["GRU", "LSTM", "RNN"])
def test_the_kernels_and_the_program_give_the_same_bits(op: str) -> None:
    program = compile_network(
        recurrent_network(op), BW_S10.with_options({"native_dim": 8, "lanes": 4, "mfu_lanes": 4})
    )
    fast, plain = program.run(walk()), program.run(walk(), plain=True)
    assert np.array_equal(fast.outputs[0]["y"], plain.outputs[0]["y"])
    assert fast.timeline.cycles == plain.timeline.cycles


def test_one_invocation_serves_all_loops() -> None:
    network = recurrent_network("LSTM", direction="bidirectional")
    run = compile_network(network, BW_S10).run(walk())
    at_once = compile_network(network, replace(BW_S10, invocation_cycles=0)).run(walk())
    assert [part.name for part in run.timeline.parts] == ["layer .. layer/reverse", "dense_layer"]
    assert run.timeline.cycles - at_once.timeline.cycles == BW_S10.invocation_cycles


def test_inspection_has_the_bounds_before_any_run() -> None:
    network = recurrent_network("LSTM", inputs=300, hidden=500)
    program = compile_network(network, BW_S10)
    timeline = program.run(np.zeros((5, 1, 300), np.float32)).timeline
    cycles = timeline.step_cycles["layer .. dense_layer"][-1]
    lines = inspect(network, [BW_S10]).text(200).splitlines()
    # the LSTM: 4 * 500 * (300 + 500) products on 96,000 multipliers: 17; 8 operations and 9 levels of a sum: 17
    # the dense layer: 3 * 500 products: 1; multiply, 9 levels, add: 11
    assert lines[-1] == (
        f"- a step: critical path, UDM 28 cycles; critical path, SDM 46 cycles; this machine {cycles} cycles"
    )

"""Everything once, in less than a minute, on the shipped example."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import deltawave as dw
from commands import succeeds
from deltawave.machines import Machine, deltarnn, machines
from deltawave.network import Network

DIGITS = Path(__file__).parents[1] / "examples/digits"
THRESHOLDS = {"theta_input": 0.25, "theta_hidden": 0.25}
NETWORKS = ("digits_gru", "digits_lstm")


@pytest.fixture(scope="module", params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return dw.load(DIGITS / f"{request.param}.onnx")


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    return list(np.load(DIGITS / "digits_test.npz")["frames"][:3])


@pytest.fixture(scope="module", params=list(machines().values()), ids=list(machines()))
def program(request: pytest.FixtureRequest, network: Network, clips: list[np.ndarray]) -> dw.Program:
    machine: Machine = request.param
    if not takes(machine, network):
        pytest.skip(f"{machine.name} takes no layer of {network.name}")
    options = THRESHOLDS if machine in deltarnn.MACHINES else {}
    return dw.compile(network, machine.with_options(options), calibration=clips[:1])


def takes(machine: Machine, network: Network) -> bool:
    """Whether the machine takes a layer of the network."""
    return any(machine.verdict(layer).takes for layer in network.layers)


def test_kernels_and_semantics_give_the_same_bits(program: dw.Program, clips: list[np.ndarray]) -> None:
    fast, plain = program.run(clips[:1]), program.run(clips[:1], plain=True)
    assert np.array_equal(fast.outputs[0]["logits"], plain.outputs[0]["logits"])
    assert fast.activity.keys() == plain.activity.keys()
    assert all(np.array_equal(fast.activity[name], plain.activity[name]) for name in fast.activity)


def test_a_session_says_step_by_step_what_a_run_says(program: dw.Program, clips: list[np.ndarray]) -> None:
    session, run = program.session(), program.run(clips[0])
    logits = [session.step(frame[None])["logits"] for frame in clips[0]]
    assert np.array_equal(np.concatenate(logits), run.outputs[0]["logits"][0])
    activity = session.activity()
    assert all(np.array_equal(activity[name], run.activity[name]) for name in run.activity)


def test_the_timeline_conserves_work(program: dw.Program, clips: list[np.ndarray]) -> None:
    timeline = program.run(clips).timeline
    assert timeline.cycles == sum(part.cycles for part in timeline.parts)
    assert timeline.cycles == sum(int(cycles.sum()) for cycles in timeline.step_cycles.values())
    for unit in timeline.units:
        assert 0 <= timeline.busy_cycles(unit) <= timeline.cycles
    for part in timeline.parts:
        assert len(part.step_cycles) == sum(len(clip) for clip in clips)


def test_no_unit_works_twice_at_once(program: dw.Program, clips: list[np.ndarray]) -> None:
    slices = program.run(clips[0]).timeline.slices()
    for unit in {s.unit for s in slices}:
        spans = sorted((s.start, s.release) for s in slices if s.unit == unit)
        assert all(release <= start for (_, release), (start, _) in pairwise(spans))


def test_a_report_adds_up(program: dw.Program, clips: list[np.ndarray]) -> None:
    run = program.run(clips)
    report = dw.measure(run, labels=np.load(DIGITS / "digits_test.npz")["labels"][:3])
    assert report.timing.cycles == run.timeline.cycles
    assert report.timing.steps == 3 * 80
    assert report.quality.machine[0].counted == 3
    headline = [row.picojoules for row in run.cost.energy if row.basis == run.cost.basis]
    assert report.energy_per_step_j == sum(headline) * 1e-12 / (3 * 80)
    assert all(row.source for row in (*run.cost.energy, *run.cost.area))
    assert report.text().startswith(program.network.name)


def test_a_program_file_gives_the_same_bits(
    program: dw.Program, clips: list[np.ndarray], tmp_path: Path
) -> None:
    dw.save_program(program, tmp_path / "digits.dwp")
    restored = dw.load_program(tmp_path / "digits.dwp")
    assert restored.machine == program.machine
    assert restored.listing() == program.listing()
    ours, theirs = program.run(clips[0]), restored.run(clips[0])
    assert np.array_equal(ours.outputs[0]["logits"], theirs.outputs[0]["logits"])
    assert ours.timeline.cycles == theirs.timeline.cycles


def test_every_machine_from_the_command_line(network: Network) -> None:
    model, data = DIGITS / f"{network.name}.onnx", DIGITS / "digits_test.npz"
    found = json.loads(succeeds("compare", model, "--input", data, "--separate", "--json", "-"))
    assert [entry["machine"] for entry in found["machines"]] == list(machines())
    assert found["streams"] == 200
    for entry in found["machines"]:
        if "refused" in entry:
            assert not takes(dw.machine(entry["machine"]), network)
            continue
        accuracy = {figure["name"]: figure["value"] for figure in entry["report"]["quality"]}["accuracy"]
        assert accuracy > found["float_network"][0]["value"] - 0.05


def test_thresholds_spare_most_of_the_work(network: Network) -> None:
    frames = list(np.load(DIGITS / "digits_test.npz")["frames"][:5])
    for machine in deltarnn.MACHINES:
        dense, sparse = (
            dw.compile(network, machine.with_options(options)).run(frames) for options in ({}, THRESHOLDS)
        )
        assert sparse.timeline.cycles < dense.timeline.cycles
        assert sparse.cost.energy_pj < 0.5 * dense.cost.energy_pj

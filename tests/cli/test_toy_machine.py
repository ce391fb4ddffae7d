"""The extension point: a machine from one folder and one line appears everywhere."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import toy_machine
from commands import refusal, succeeds, write_model
from deltawave import machines
from networks import recurrent_network, walk


@pytest.fixture(autouse=True)
def _toy() -> Iterator[None]:
    machines.register("toy", toy_machine)
    yield
    machines.unregister("toy")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    np.save(tmp_path / "walk.npy", walk())
    return write_model(recurrent_network("RNN"), tmp_path / "small.onnx")


def test_it_is_listed() -> None:
    rows = json.loads(succeeds("machines", "--json", "-"))
    assert {
        "machine": "toy-1",
        "family": "toy",
        "clock_hz": 50e6,
        "what": toy_machine.PlainProcessor.__doc__,
    } in rows
    assert "toy-1" in succeeds("machines")


def test_its_parameters_are_options(model: Path) -> None:
    options = {
        row["option"]: row["default"] for row in json.loads(succeeds("machines", "toy-1", "--json", "-"))
    }
    assert options == {"name": "toy-1", "clock_hz": 50e6, "units": 64, "multiply_pj": 0.5}
    assert refusal("run", model, "-m", "toy-1", "--set", "unitz=3", "-i", model.parent / "walk.npy") == (
        "toy-1 has no option 'unitz'; did you mean 'units'?"
    )


def test_it_is_inspected(model: Path) -> None:
    taken = {row["machine"]: row for row in json.loads(succeeds("inspect", model, "--json", "-"))["machines"]}
    assert taken["toy-1"]["runs"]
    assert taken["toy-1"]["layers"]["layer"] == [True, ""]


def test_it_runs(model: Path) -> None:
    report = json.loads(succeeds("run", model, "-m", "toy-1", "-i", model.parent / "walk.npy", "--json", "-"))
    time = {figure["name"]: figure["value"] for figure in report["time"]}
    assert time["cycles"] == 20 * (6 + 9)
    assert time["MAC busy"] == 1.0
    energy = {figure["name"]: figure["value"] for figure in report["energy"]}
    assert energy["products"] == pytest.approx(9 * (6 + 9) * 0.5e-12)


def test_it_is_compared_and_its_programs_are_files(model: Path) -> None:
    text = succeeds("compare", model, "-m", "toy-1", "-m", "toy-1,units=4", "-i", model.parent / "walk.npy")
    assert "toy-1, units=4: layer has 9 units, toy-1 has 4; set units" in text
    program = model.parent / "small.dwp"
    succeeds("compile", model, "-m", "toy-1", "-o", program)
    assert "cell layer rnn inputs=6 hidden=9" in succeeds("list", program)

"""Everything around a machine works with layers that keep no state: alone, and beside recurrent ones.

Weights and inputs are sixteenths, so that two dense layers, a rectifier and a sum are exact in Q4.12 and in float32.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

import deltawave as dw
import stateless_machine
from commands import succeeds, write_model
from deltawave.errors import InputError, UnsupportedError
from deltawave.network import Network, load
from deltawave.report.inspection import inspect
from network.onnx_models import constants, model, node, value, weights
from toy_machine import MACHINES as TOYS

(MACHINE,) = stateless_machine.MACHINES
BOTH_PRODUCTS = 2 * (4 * 4 + 4 * 4)


@pytest.fixture(autouse=True)
def _registered() -> Iterator[None]:
    dw.machines.register("stateless", stateless_machine)
    yield
    dw.machines.unregister("stateless")


def sixteenths(*shape: int, seed: int = 0, most: int = 8) -> NDArray[np.float32]:
    return (np.random.default_rng(seed).integers(-most, most + 1, shape) / 16).astype(np.float32)


def residual(batch: int | str = "N") -> Network:
    """x [batch, 4] -> a -> rectifier -> b, and the sum of the last two; in float32 all of it is exact."""
    nodes = [
        node("Gemm", ["x", "wa", "ba"], ["ya"], name="a"),
        node("Relu", ["ya"], ["r"], name="relu"),
        node("Gemm", ["r", "wb", "bb"], ["yb"], name="b"),
        node("Add", ["yb", "r"], ["y"], name="sum"),
    ]
    stored = {name: sixteenths(4, 4, seed=seed) for seed, name in enumerate(["wa", "wb"])}
    stored |= {name: sixteenths(4, seed=seed) for seed, name in enumerate(["ba", "bb"], start=2)}
    return load(model(nodes, [value("x", [batch, 4])], [value("y", [batch, 4])], constants(**stored)))


def mixed() -> Network:
    """x ['T', 1, 4] -> a -> a recurrent cell whose state is carried -> b -> softmax."""
    rng = np.random.default_rng(5)
    nodes = [
        node("MatMul", ["x", "wa"], ["ya"], name="a"),
        node("RNN", ["ya", "W", "R", "B", "", "h"], ["y_all", "h_new"], name="cell", hidden_size=4),
        node("Squeeze", ["y_all", "one"], ["y_cell"], name="squeeze"),
        node("MatMul", ["y_cell", "wb"], ["yb"], name="b"),
        node("Softmax", ["yb"], ["y"], name="softmax"),
    ]
    stored = {
        "wa": sixteenths(4, 4),
        "wb": sixteenths(4, 3, seed=1),
        "one": np.array([1]),
        **weights(rng, "RNN", 4, 4),
    }
    inputs = [value("x", ["T", 1, 4]), value("h", [1, 1, 4])]
    outputs = [value("y", ["T", 1, 3]), value("h_new", [1, 1, 4])]
    return load(model(nodes, inputs, outputs, constants(**stored)))


def rows(run: dw.Run) -> dict[str, tuple[int, ...]]:
    return {name: happened.shape for name, happened in run.activity.items()}


def expected(x: NDArray[np.float32]) -> NDArray[np.float64]:
    """What `residual` makes, in doubles."""
    wa, wb = (sixteenths(4, 4, seed=seed).astype(float) for seed in (0, 1))
    ba, bb = (sixteenths(4, seed=seed).astype(float) for seed in (2, 3))
    rectified = np.maximum(x @ wa + ba, 0)
    return rectified @ wb + bb + rectified


def test_a_network_without_recurrent_layers_item_by_item() -> None:
    program = dw.compile(residual(), MACHINE)
    assert [layer.name for layer in program.taken] == ["a", "relu", "b", "sum"]
    x = sixteenths(5, 4, seed=9)
    run = program.run(x)
    assert len(run.outputs) == 5
    assert np.array_equal(np.concatenate([each["y"][0] for each in run.outputs]), expected(x))
    assert rows(run) == dict.fromkeys(["a", "relu", "b", "sum"], (5, 1))
    assert run.steps == 5
    plain = program.run(x, plain=True)
    assert all(np.array_equal(a["y"], b["y"]) for a, b in zip(run.outputs, plain.outputs, strict=True))


def test_a_batch_that_the_network_declares_is_one_call() -> None:
    x = sixteenths(3, 4, seed=9)
    run = dw.compile(residual(batch=3), MACHINE).run(x)
    (outputs,) = run.outputs
    assert outputs["y"].shape == (1, 3, 4)
    assert np.array_equal(outputs["y"][0], expected(x))
    assert rows(run) == dict.fromkeys(["a", "relu", "b", "sum"], (3, 1))


@pytest.mark.parametrize(("batch", "shape"), [("N", (6, 4)), (3, (2, 3, 4))])
def test_operations_are_counted_once(batch: int | str, shape: tuple[int, ...]) -> None:
    report = dw.measure(dw.compile(residual(batch), MACHINE).run(sixteenths(*shape)))
    assert (report.work.machine, report.work.host) == (6 * BOTH_PRODUCTS, 0)
    assert report.timing.operations == 6 * BOTH_PRODUCTS
    assert report.timing.cycles == 6 * (4 + 1 + 4 + 1)
    assert report.quality.errors[0].relative_rms == 0
    assert report.sparsity is None


def test_a_report_is_text() -> None:
    text = dw.measure(dw.compile(residual(), MACHINE).run(sixteenths(6, 4))).text()
    assert "layers-1" in text
    assert "ran on the host" not in text


def test_the_place_of_a_layer_reaches_its_compiler() -> None:
    assert dw.compile(residual(), MACHINE).listing().splitlines() == [
        "program model for layers-1",
        "layer a Gemm: host -> machine",
        "layer relu Relu: a -> machine",
        "layer b Gemm: relu -> machine",
        "layer sum Add: b,relu -> host",
    ]


def test_a_stream_of_several_calls_through_layers_with_and_without_a_state() -> None:
    program = dw.compile(mixed(), MACHINE)
    assert [layer.name for layer in program.taken] == ["a", "cell", "b"]
    x = sixteenths(12, 1, 4, seed=9)
    whole, calls = program.run(x), program.run(x.reshape(4, 3, 1, 4))
    assert calls.outputs[0]["y"].shape == (4, 3, 1, 3)
    assert np.array_equal(calls.outputs[0]["y"].reshape(12, 1, 3), whole.outputs[0]["y"][0])
    assert rows(whole) == rows(calls) == {"a": (12, 1), "cell": (12, 8), "b": (12, 1)}


def test_a_session_of_single_steps_says_what_a_run_says() -> None:
    program = dw.compile(mixed(), MACHINE)
    x = sixteenths(6, 1, 4, seed=9)
    run, session, silent = program.run(x), program.session(), program.session(record=False)
    assert np.array_equal(
        np.concatenate([session.step(frame[None])["y"] for frame in x]), run.outputs[0]["y"][0]
    )
    assert all(np.array_equal(session.activity()[name], run.activity[name]) for name in run.activity)
    assert np.array_equal(silent.step(x)["y"], run.outputs[0]["y"][0])
    assert silent.activity() == {}


def test_several_streams_start_afresh_and_their_work_adds_up() -> None:
    program = dw.compile(mixed(), MACHINE)
    x = sixteenths(4, 1, 4, seed=9)
    run = program.run([x, x])
    assert np.array_equal(run.outputs[0]["y"], run.outputs[1]["y"])
    assert dw.measure(run).work.machine == 8 * 2 * (4 * 4 + 2 * 4 * 4 + 4 * 3)


def test_kernels_and_semantics_give_the_same_bits_beside_a_cell() -> None:
    program = dw.compile(mixed(), MACHINE)
    fast, plain = (program.run(sixteenths(5, 1, 4), plain=plain).outputs[0]["y"] for plain in (False, True))
    assert np.array_equal(fast, plain)


@pytest.mark.parametrize("make", [residual, mixed])
def test_a_program_file_gives_the_same_bits(make, tmp_path: Path) -> None:
    program = dw.compile(make(), MACHINE)
    program.save(tmp_path / "first.dwp")
    again = dw.load_program(tmp_path / "first.dwp")
    again.save(tmp_path / "second.dwp")
    assert (tmp_path / "first.dwp").read_bytes() == (tmp_path / "second.dwp").read_bytes()
    assert again.listing() == program.listing()
    x = sixteenths(5, 1, 4)
    for ours, theirs in zip(program.run(x).outputs, again.run(x).outputs, strict=True):
        assert np.array_equal(ours["y"], theirs["y"])


def test_inspection_says_what_is_taken() -> None:
    inspection = inspect(mixed(), [MACHINE, *TOYS])
    ours, toy = inspection.taken
    assert ours.runs
    assert ours.layers == {"a": (True, ""), "cell": (True, ""), "b": (True, "")}
    assert (ours.operations_share, toy.operations_share) == (1.0, 64 / (32 + 64 + 24))
    assert "- takes 100.0 % of the operations\n- takes a, cell, b\n" in inspection.text()


def test_a_machine_for_recurrent_layers_beside_one_for_all() -> None:
    comparison = dw.compare(residual(), [MACHINE, *TOYS], sixteenths(5, 4))
    ours, toy = comparison.entries
    assert ours.report is not None
    assert ours.report.work.machine_share == 1.0
    assert toy.refusal == "toy-1 takes recurrent layers and model has none; choose another machine"
    report = dw.compare(mixed(), [MACHINE, *TOYS], sixteenths(5, 1, 4)).reports[1]
    assert (report.work.machine, report.work.host) == (5 * 64, 5 * (32 + 24))


def test_only_layers_with_weights_make_a_program() -> None:
    relu = load(model([node("Relu", ["x"], ["y"])], [value("x", [1, 4])], [value("y", [1, 4])]))
    with pytest.raises(UnsupportedError) as caught:
        dw.compile(relu, MACHINE)
    assert str(caught.value) == (
        "layers-1 takes recurrent and dense layers and model has none; choose another machine"
    )


def test_calibration_data_is_checked_even_where_it_is_not_needed() -> None:
    with pytest.raises(InputError) as caught:
        dw.compile(residual(), MACHINE, calibration=sixteenths(5, 3))
    assert str(caught.value) == (
        "the data for x has the shape [5, 3], the network takes [N, 4] for one call, "
        "or several of these along one more axis in front"
    )


@pytest.mark.parametrize("element", [TensorProto.DOUBLE, TensorProto.FLOAT16])
def test_other_float_types_come_back_as_they_went_in(element: int) -> None:
    """A host node reads what the machine made."""
    dtype = {TensorProto.DOUBLE: np.float64, TensorProto.FLOAT16: np.float16}[element]
    nodes = [node("MatMul", ["x", "w"], ["h"], name="a"), node("Neg", ["h"], ["y"], name="negative")]
    stored = constants(w=sixteenths(4, 2).astype(dtype))
    net = load(model(nodes, [value("x", [1, 4], element)], [value("y", [1, 2], element)], stored))
    x = sixteenths(1, 4, seed=1).astype(dtype)
    (outputs,) = dw.compile(net, MACHINE).run(x).outputs
    assert outputs["y"].dtype == dtype
    assert np.array_equal(outputs["y"][0], -(x.astype(float) @ sixteenths(4, 2).astype(float)))


def test_the_command_line_runs_and_lists_it(tmp_path: Path) -> None:
    path = write_model(residual(), tmp_path / "net.onnx")
    np.save(tmp_path / "x.npy", sixteenths(5, 4))
    assert "layers-1" in succeeds("run", path, "-m", "layers-1", "-i", tmp_path / "x.npy")
    succeeds("compile", path, "-m", "layers-1", "-o", tmp_path / "net.dwp")
    assert "layer b Gemm: relu -> machine" in succeeds("list", tmp_path / "net.dwp")

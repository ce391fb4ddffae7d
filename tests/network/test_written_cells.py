"""Cells that exporters write out are found, whatever the order of their gates, and mean the same as a node."""

from collections.abc import Callable
from functools import partial

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from deltawave.network import FloatReference, Network, as_streams, capture, load
from network.onnx_models import constants, floats, model, node, value
from network.written_cells import INPUTS, joined_lstm, keras_gru, keras_lstm, plain_rnn, torch_gru

CELLS = [
    (keras_lstm, "LSTM"),
    (partial(keras_lstm, forget_bias=1.0), "LSTM"),
    (joined_lstm, "LSTM"),
    (torch_gru, "GRU"),
    (keras_gru, "GRU"),
    (partial(keras_gru, update_keeps=False), "GRU"),
    (plain_rnn, "RNN"),
]


def assert_same(network: Network, x: np.ndarray) -> None:
    """The canonical graph computes what the original does."""
    names = [tensor.name for tensor in network.outputs]
    for stream in as_streams(network, x):
        expected = FloatReference(network).run(stream)
        (found,) = capture(network, [stream], names)
        for before, after in zip(expected, found, strict=True):
            for name in names:
                np.testing.assert_allclose(after[name], before[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("written", "kind"), CELLS)
@given(seed=st.integers(0, 999))
@settings(deadline=None, max_examples=5)
def test_a_written_cell_becomes_a_node_that_carries_its_state(
    written: Callable[[int], onnx.ModelProto], kind: str, seed: int
) -> None:
    network = load(written(seed))
    (layer,) = network.recurrent
    assert (layer.kind, layer.carried, layer.cells[0].inputs) == (kind, True, INPUTS)
    assert [tensor.name for tensor in network.inputs] == ["x"]
    assert_same(network, floats(np.random.default_rng(seed), 6, 1, INPUTS))


def test_conventions_of_written_cells() -> None:
    (after,), (before,), (peepholes,) = (
        load(cell()).recurrent for cell in (torch_gru, keras_gru, joined_lstm)
    )
    assert (after.cells[0].reset, after.cells[0].activations) == ("after", ("sigmoid", "tanh", ""))
    assert (before.cells[0].reset, before.cells[0].activations) == ("before", ("sigmoid", "relu", ""))
    assert peepholes.cells[0].peepholes is not None


def test_a_dense_layer_of_two_inputs_is_no_recurrent_cell() -> None:
    network = load(plain_rnn(state_comes_back=False))
    assert network.recurrent == ()
    assert network.states == ()


def test_an_lstm_with_a_clipped_cell_state_is_left_alone() -> None:
    written = keras_lstm()
    add = next(entry for entry in written.graph.node if entry.output[0] == "c_new")
    add.output[0] = "c_free"
    clip = node("Clip", ["c_free", "low", "high"], ["c_new"])
    nodes = list(written.graph.node)
    nodes.insert(nodes.index(add) + 1, clip)
    del written.graph.node[:]
    written.graph.node.extend(nodes)
    written.graph.initializer.extend(constants(low=np.float32(-1), high=np.float32(1)))
    assert load(written).recurrent == ()


def test_stacked_cells_of_one_state_tensor() -> None:
    """Two cells over the halves of one state, the second fed by the first."""
    rng = np.random.default_rng(0)
    nodes = [node("Split", ["s"], ["h1", "h2"], axis=0)]
    for number, source in (("1", "x"), ("2", "n1")):
        nodes += [
            node("MatMul", [source, f"w{number}"], [f"a{number}"]),
            node("MatMul", [f"h{number}", f"u{number}"], [f"b{number}"]),
            node("Add", [f"a{number}", f"b{number}"], [f"p{number}"]),
            node("Tanh", [f"p{number}"], [f"n{number}"]),
        ]
    nodes += [node("Concat", ["n1", "n2"], ["s_new"], axis=0), node("Neg", ["n2"], ["y"])]
    stored = constants(w1=floats(rng, 3, 4), **{name: floats(rng, 4, 4) for name in ("u1", "w2", "u2")})
    inputs = [value("x", [1, 3]), value("s", [2, 4])]
    network = load(model(nodes, inputs, [value("y", [1, 4]), value("s_new", [2, 4])], stored, opset=13))
    assert [(layer.kind, layer.carried) for layer in network.recurrent] == [("RNN", True)] * 2
    assert_same(network, floats(rng, 5, 3))


def test_an_output_gate_that_sees_the_old_cell_state_is_no_lstm() -> None:
    assert load(joined_lstm(output_sees="c")).recurrent == ()


def scanned(cell: onnx.ModelProto, *, backwards: bool = False) -> onnx.ModelProto:
    """A Scan with the cell as its body, a step counter beside its state, and constants taken from outside."""
    states = [entry.name for entry in cell.graph.input][1:]
    shapes = {entry.name: [1, 4] for entry in cell.graph.input[1:]}
    body = helper.make_graph(
        [*cell.graph.node, node("Add", ["t", "one_step"], ["t_new"]), node("Identity", ["h_new"], ["out"])],
        "body",
        [value("t", [], TensorProto.INT64), *cell.graph.input[1:], cell.graph.input[0]],
        [value("t_new", [], TensorProto.INT64), *cell.graph.output[1:], value("out", [1, 4])],
    )
    way = [int(backwards)]
    scan = node(
        "Scan",
        ["t0", *(f"{state}0" for state in states), "xs"],
        ["t_last", *(f"{state}_last" for state in states), "ys"],
        body=body,
        num_scan_inputs=1,
        scan_input_directions=way,
        scan_output_directions=way,
    )
    zeros = {f"{state}0": np.zeros(shapes[state], np.float32) for state in states}
    stored = [*cell.graph.initializer, *constants(t0=np.int64(0), one_step=np.int64(1), **zeros)]
    outputs = [value("ys", ["T", 1, 4]), *(value(f"{state}_last", [1, 4]) for state in states)]
    return model([scan], [value("xs", ["T", 1, INPUTS])], outputs, stored, opset=13)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("written", "kind"), CELLS)
def test_a_scan_over_a_written_cell_becomes_a_node_of_many_steps(
    written: Callable[[], onnx.ModelProto], kind: str, backwards: bool
) -> None:
    network = load(scanned(written(), backwards=backwards))
    (layer,) = network.recurrent
    assert (layer.kind, layer.x, layer.cells[0].reverse) == (kind, "xs", backwards)
    assert_same(network, floats(np.random.default_rng(0), 7, 1, INPUTS))


def test_a_scan_whose_counter_is_read_stays() -> None:
    counting = scanned(keras_lstm())
    counting.graph.output.append(value("t_last", [], TensorProto.INT64))
    network = load(counting)
    assert network.recurrent == ()
    assert network.layers[0].why == "its body is not a plain LSTM, GRU or RNN cell"  # type: ignore[attr-defined]


def test_the_only_input_of_a_network_is_no_state() -> None:
    square = np.full((4, 4), 0.5, np.float32)
    nodes = [
        node("MatMul", ["x", "r"], ["direct"]),
        node("MatMul", ["x", "a"], ["inner"]),
        node("Tanh", ["inner"], ["bent"]),
        node("MatMul", ["bent", "b"], ["outer"]),
        node("Add", ["direct", "outer"], ["sum"]),
        node("Relu", ["sum"], ["y"]),
    ]
    x, y = (value(name, ["T", 1, 4]) for name in "xy")
    network = load(model(nodes, [x], [y], constants(r=square, a=square, b=square)))
    assert (network.recurrent, network.states, len(network.inputs)) == ((), (), 1)

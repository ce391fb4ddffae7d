"""The typed layers say what the nodes mean: a plain twin computes from them what ONNX Runtime does from the file."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import NetworkError
from deltawave.network import Conv, Dense, FloatReference, Opaque, Pool, Recurrent, as_streams, load
from network.float_twin import run_layer
from network.onnx_models import constants, floats, model, node, sequence, streaming, value, weights

_PARAMETERS = {"HardSigmoid": (0.25, 0.4), "LeakyRelu": (0.1,), "Elu": (0.7,), "ScaledTanh": (0.9, 0.8)}
_GATES = st.sampled_from(["Sigmoid", "HardSigmoid", "Softsign"])
_CANDIDATES = st.sampled_from(["Tanh", "Relu", "LeakyRelu", "Elu", "ScaledTanh", "Softplus", "Affine"])


@st.composite
def recurrent_flags(draw: st.DrawFn, kind: str) -> dict[str, object]:
    direction = draw(st.sampled_from(["forward", "reverse", "bidirectional"]))
    each = {"LSTM": [_GATES, _CANDIDATES, _CANDIDATES], "GRU": [_GATES, _CANDIDATES], "RNN": [_CANDIDATES]}[
        kind
    ]
    functions = [draw(choice) for _ in range(1 + (direction == "bidirectional")) for choice in each]
    flags: dict[str, object] = {"direction": direction, "activations": functions}
    # Affine has no defaults in ONNX Runtime: its parameters are always given
    values = [(1.0, 0.0) if name == "Affine" else _PARAMETERS.get(name, ()) for name in functions]
    for position, key in enumerate(["activation_alpha", "activation_beta"]):
        chosen = [pair[position] for pair in values if len(pair) > position]
        if chosen:
            flags[key] = chosen
    if draw(st.booleans()):
        flags["clip"] = draw(st.sampled_from([0.3, 2.0]))
    if kind == "GRU":
        flags["linear_before_reset"] = draw(st.sampled_from([0, 1]))
    return flags


@given(
    st.data(),
    st.sampled_from(["LSTM", "GRU", "RNN"]),
    st.integers(1, 4),
    st.integers(1, 5),
    st.integers(0, 99),
)
@settings(deadline=None, max_examples=60)
def test_a_recurrent_layer_means_what_onnx_runtime_computes(
    data: st.DataObject, kind: str, inputs: int, hidden: int, seed: int
) -> None:
    flags = data.draw(recurrent_flags(kind))
    network = load(sequence(kind, inputs, hidden, seed, **flags))
    (layer,) = network.recurrent
    x = floats(np.random.default_rng(seed), 5, 1, inputs)
    expected = FloatReference(network).run([{"x": x}])[0]["y"]
    np.testing.assert_allclose(run_layer(layer, x.astype(np.float64))[0], expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("coupled", [0, 1])
def test_peepholes_and_coupled_gates(coupled: int) -> None:
    rng = np.random.default_rng(3)
    stored = {**weights(rng, "LSTM", 3, 4), "P": floats(rng, 1, 12)}
    lstm = node(
        "LSTM", ["x", "W", "R", "B", "", "", "", "P"], ["y"], name="l", hidden_size=4, input_forget=coupled
    )
    network = load(
        model([lstm], [value("x", ["T", 1, 3])], [value("y", ["T", 1, 1, 4])], constants(**stored))
    )
    x = floats(rng, 6, 1, 3)
    expected = FloatReference(network).run([{"x": x}])[0]["y"]
    np.testing.assert_allclose(run_layer(network.recurrent[0], x)[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_initial_and_final_state(kind: str) -> None:
    network = load(streaming(kind))
    (layer,) = network.recurrent
    x = floats(np.random.default_rng(1), 7, 1, 3)
    whole = FloatReference(network).run([{"x": x}])[0]["y"]
    first, h, c = run_layer(layer, x[:3].astype(np.float64))
    second, _, _ = run_layer(layer, x[3:].astype(np.float64), h, c)
    np.testing.assert_allclose(np.concatenate([first, second]), whole, rtol=1e-5, atol=1e-6)


def test_gates_are_in_our_order() -> None:
    stored = {"W": np.arange(8, dtype=np.float32).reshape(1, 8, 1), "R": np.ones((1, 8, 2), np.float32)}
    lstm = node("LSTM", ["x", "W", "R"], ["y"], name="l", hidden_size=2)
    network = load(
        model([lstm], [value("x", ["T", 1, 1])], [value("y", ["T", 1, 1, 2])], constants(**stored))
    )
    # ONNX i o f c -> ours i f g o
    assert network.recurrent[0].cells[0].weights_x[:, 0].tolist() == [0, 1, 4, 5, 6, 7, 2, 3]


def test_what_a_recurrent_layer_says_of_itself() -> None:
    (layer,) = load(sequence("GRU", 3, 4, direction="bidirectional")).recurrent
    assert (layer.name, layer.kind, layer.shape, layer.x) == ("cell", "GRU", "3 -> 4 x 2", "x")
    assert layer.parameters == 2 * (12 * 3 + 12 * 4 + 24)
    assert layer.operations == 2 * 2 * (12 * 3 + 12 * 4)
    assert [cell.reverse for cell in layer.cells] == [False, True]
    assert layer.cells[0].activations == ("sigmoid", "tanh", "")


def test_parameters_of_an_activation_are_named_where_they_are_not_the_defaults() -> None:
    flags = {
        "activations": ["HardSigmoid", "LeakyRelu"],
        "activation_alpha": [0.2, 0.25],
        "activation_beta": [0.5],
    }
    (layer,) = load(sequence("GRU", **flags)).recurrent
    assert layer.cells[0].activations == ("hard_sigmoid", "leaky_relu(0.25)", "")


def test_batch_first_is_rewritten_with_steps_first() -> None:
    rng = np.random.default_rng(0)
    gru = node("GRU", ["x", "W", "R", "B"], ["y", "y_h"], name="g", hidden_size=4, layout=1)
    network = load(
        model(
            [gru],
            [value("x", ["N", "T", 3])],
            [value("y", ["N", "T", 1, 4]), value("y_h", ["N", 1, 4])],
            constants(**weights(rng, "GRU", 3, 4)),
        )
    )
    assert [layer.kind for layer in network.layers] == ["Transpose", "GRU", "Transpose", "Transpose"]
    x = floats(rng, 1, 5, 3)
    results = FloatReference(network).run([{"x": x}])[0]
    y, y_h, _ = run_layer(network.recurrent[0], x.transpose(1, 0, 2))
    np.testing.assert_allclose(results["y"], y.transpose(2, 0, 1, 3), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(results["y_h"], y_h.transpose(1, 0, 2), rtol=1e-5, atol=1e-6)


def test_sequence_lengths_stay_on_the_host() -> None:
    stored = constants(**weights(np.random.default_rng(0), "GRU", 3, 4))
    gru = node("GRU", ["x", "W", "R", "B", "lengths"], ["y"], name="g", hidden_size=4)
    inputs = [value("x", ["T", 1, 3]), value("lengths", [1], 6)]
    (layer,) = load(model([gru], inputs, [value("y", ["T", 1, 1, 4])], stored)).layers
    assert isinstance(layer, Opaque)
    assert layer.why == "it has sequence_lens: a machine steps through whole sequences"


@pytest.mark.parametrize("kind", [np.float16, np.float64])
def test_weights_of_other_float_types_become_float32(kind: type) -> None:
    stored = {
        name: array.astype(kind) for name, array in weights(np.random.default_rng(0), "RNN", 3, 4).items()
    }
    element = {np.float16: 10, np.float64: 11}[kind]
    rnn = node("RNN", ["x", "W", "R", "B"], ["y"], name="r", hidden_size=4)
    network = load(
        model(
            [rnn], [value("x", [5, 1, 3], element)], [value("y", [5, 1, 1, 4], element)], constants(**stored)
        )
    )
    cell = network.recurrent[0].cells[0]
    assert cell.weights_x.dtype == np.float32
    assert np.array_equal(cell.weights_x, stored["W"][0].astype(np.float32))
    x = floats(np.random.default_rng(1), 5, 1, 3).astype(kind)
    y = FloatReference(network).run([{"x": x}])[0]["y"]
    assert y.dtype == kind
    np.testing.assert_allclose(y, run_layer(network.recurrent[0], x.astype(np.float64))[0], atol=2e-3)


def test_dense_conv_and_pool() -> None:
    rng = np.random.default_rng(0)
    w, b, g, gb = floats(rng, 4, 2, 3, 3), floats(rng, 4), floats(rng, 64, 3), floats(rng, 3)
    network = load(
        model(
            [
                node("Conv", ["x", "w", "b"], ["c"], name="conv", auto_pad="SAME_UPPER", strides=[2, 2]),
                node("MaxPool", ["c"], ["p"], name="pool", kernel_shape=[1, 1]),
                node("Flatten", ["p"], ["f"], name="flat"),
                node("Gemm", ["f", "g", "gb"], ["y"], name="gemm", alpha=0.5, beta=2.0),
            ],
            [value("x", ["N", 2, 7, 8])],
            [value("y", ["N", 3])],
            constants(w=w, b=b, g=g, gb=gb),
        )
    )
    conv, pool, _, dense = network.layers
    assert isinstance(conv, Conv)
    assert (conv.pads, conv.strides, conv.groups) == ((1, 0, 1, 1), (2, 2), 1)
    assert conv.operations == 2 * w.size * 4 * 4
    assert isinstance(pool, Pool)
    assert pool.kernel == (1, 1)
    assert isinstance(dense, Dense)
    assert np.array_equal(dense.weights, g.T * np.float32(0.5))
    assert np.array_equal(dense.bias, gb * 2)
    assert (dense.parameters, dense.operations, dense.shape) == (195, 2 * 192, "64 -> 3")


def test_padding_written_out_is_the_padding_onnx_runtime_uses() -> None:
    rng = np.random.default_rng(0)
    w = floats(rng, 4, 2, 3, 3)
    automatic = node("Conv", ["x", "w"], ["y"], name="conv", auto_pad="SAME_LOWER", strides=[2, 3])
    nets = [load(model([automatic], [value("x", [1, 2, 7, 8])], [value("y", [1, 4, 4, 3])], constants(w=w)))]
    (conv,) = nets[0].layers
    assert isinstance(conv, Conv)
    written = node("Conv", ["x", "w"], ["y"], name="conv", pads=conv.pads, strides=[2, 3])
    nets.append(
        load(model([written], [value("x", [1, 2, 7, 8])], [value("y", [1, 4, 4, 3])], constants(w=w)))
    )
    x = floats(rng, 1, 2, 7, 8)
    results = [FloatReference(net).run(as_streams(net, x)[0])[0]["y"] for net in nets]
    assert np.array_equal(*results)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"W": np.zeros((1, 15, 3))}, "cell (GRU): W has the shape [1, 15, 3], not [1, 12, 3]"),
        ({"R": np.zeros((1, 12, 5))}, "cell (GRU): R has the shape [1, 12, 5], not [1, 15, 5]"),
        ({"B": np.zeros((1, 12))}, "cell (GRU): B has the shape [1, 12], not [1, 24]"),
        ({"W": np.zeros((1, 12, 2))}, "cell (GRU): W has the shape [1, 12, 2], not [1, 12, 3]"),
        (
            {"W": np.full((1, 12, 3), np.nan)},
            "cell (GRU): the weights W hold values that are not finite float32 numbers",
        ),
        (
            {"R": np.full((1, 12, 4), np.inf)},
            "cell (GRU): the weights R hold values that are not finite float32 numbers",
        ),
    ],
)
def test_weights_that_do_not_fit(change: dict[str, np.ndarray], message: str) -> None:
    stored = {**weights(np.random.default_rng(0), "GRU", 3, 4), **change}
    stored = {name: array.astype(np.float32) for name, array in stored.items()}
    gru = node("GRU", ["x", "W", "R", "B"], ["y"], name="cell", hidden_size=4)
    broken = model([gru], [value("x", ["T", 1, 3])], [value("y", ["T", 1, 1, 4])], constants(**stored))
    with pytest.raises(NetworkError) as caught:
        load(broken)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("groups", "attributes", "message"),
    [
        (
            1,
            {},
            "conv (Conv): weights [4, 2, 3, 3] in 1 groups take 2 channels, x has 4",
        ),
        (
            4,
            {},
            "conv (Conv): weights [4, 2, 3, 3] in 4 groups take 8 channels, x has 4",
        ),
        (
            2,
            {"kernel_shape": [5, 5]},
            "conv (Conv): weights [4, 2, 3, 3] do not fit its kernel_shape [5, 5]",
        ),
    ],
)
def test_convolutions_that_do_not_fit(groups: int, attributes: dict[str, object], message: str) -> None:
    conv = node("Conv", ["x", "W"], ["y"], name="conv", group=groups, **attributes)
    stored = constants(W=np.ones((4, 2, 3, 3), np.float32))
    broken = model([conv], [value("x", [1, 4, 8, 8])], [value("y", [1, 4, "h", "w"])], stored)
    with pytest.raises(NetworkError) as caught:
        load(broken)
    assert str(caught.value) == message


def test_layers_are_recurrent_only_where_the_weights_are_constant() -> None:
    gru = node("GRU", ["x", "W", "R"], ["y"], name="g", hidden_size=4)
    inputs = [value("x", ["T", 1, 3]), value("W", [1, 12, 3])]
    stored = constants(R=np.zeros((1, 12, 4), np.float32))
    (layer,) = load(model([gru], inputs, [value("y", ["T", 1, 1, 4])], stored)).layers
    assert not isinstance(layer, Recurrent)
    assert isinstance(layer, Opaque)
    assert layer.why == "its weights are not constant"

"""Point-wise layers: what they say is what ONNX Runtime computes, and what is no plain float operation is not one."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto

from deltawave.network import FloatReference, Layer, Network, Opaque, Pool, load
from deltawave.network.layers import Pointwise
from deltawave.network.partition import activations
from network.onnx_models import constants, floats, model, node, value

OPERATIONS = {
    "Relu": lambda x: np.maximum(x, 0),
    "Sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "Tanh": np.tanh,
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Max": np.maximum,
}
ARITHMETIC = ["Add", "Sub", "Mul", "Max"]
ACTIVATIONS = ["Relu", "Sigmoid", "Tanh"]


def network(
    kind: str, read: Sequence[str], stored: dict[str, NDArray], element: int = TensorProto.FLOAT
) -> Network:
    """One node on inputs x and z, which are [T, 1, 4], and stored constants."""
    inputs = [value(name, ["T", 1, 4], element) for name in dict.fromkeys(read) if name not in stored]
    nodes = [node(kind, read, ["y"], name="layer")]
    return load(model(nodes, inputs, [value("y", ["T", 1, 4], element)], constants(**stored)))


def computed(layer: Layer, tensors: dict[str, NDArray]) -> NDArray:
    """What a point-wise layer says, computed."""
    assert isinstance(layer, Pointwise)
    operands = [tensors[name] for name in activations(layer)]
    if layer.constant is not None:
        operands.insert(0 if layer.constant_first else 1, layer.constant)
    return OPERATIONS[layer.kind](*operands)


@given(st.sampled_from(ARITHMETIC), st.sampled_from(["xk", "kx", "xz", "zx", "xx"]), st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_arithmetic_is_what_onnx_runtime_computes(kind: str, read: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    net = network(kind, read, {"k": floats(rng, 4)} if "k" in read else {})
    call = {name: floats(rng, 3, 1, 4) for name in set(read) - {"k"}}
    assert np.array_equal(computed(net.layers[0], call), FloatReference(net).run([call])[0]["y"])


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_activations_are_what_onnx_runtime_computes(kind: str) -> None:
    net = network(kind, "x", {})
    call = {"x": floats(np.random.default_rng(0), 50, 1, 4)}
    np.testing.assert_allclose(
        computed(net.layers[0], call), FloatReference(net).run([call])[0]["y"], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(("read", "first"), [("xk", False), ("kx", True)])
def test_a_constant_operand_is_known_with_its_place(read: str, first: bool) -> None:
    stored = floats(np.random.default_rng(0), 1, 4)
    (layer,) = network("Sub", read, {"k": stored}).layers
    assert isinstance(layer, Pointwise)
    assert np.array_equal(layer.constant, stored)
    assert (layer.constant_first, layer.shape, layer.parameters) == (first, "T x 1 x 4", 0)
    assert activations(layer) == ("x",)


def test_two_operands_that_are_computed() -> None:
    (layer,) = network("Add", "xz", {}).layers
    assert isinstance(layer, Pointwise)
    assert (layer.constant, layer.constant_first, activations(layer)) == (None, False, ("x", "z"))


def test_a_dequantised_constant_is_a_constant() -> None:
    stored = {"q": np.array([-3, 0, 5, 127], np.int8), "scale": np.float32(0.5), "zero": np.int8(1)}
    nodes = [
        node("DequantizeLinear", ["q", "scale", "zero"], ["k"], name="dequantise"),
        node("Mul", ["x", "k"], ["y"], name="layer"),
    ]
    net = load(model(nodes, [value("x", ["T", 4])], [value("y", ["T", 4])], constants(**stored)))
    (layer,) = (each for each in net.layers if each.name == "layer")
    assert isinstance(layer, Pointwise)
    assert layer.constant is not None
    assert layer.constant.tolist() == [-2.0, -0.5, 2.0, 63.0]
    assert activations(layer) == ("x",)


@pytest.mark.parametrize(
    ("kind", "element"),
    [
        ("Relu", TensorProto.INT32),
        ("Relu", TensorProto.DOUBLE),
        ("Relu", TensorProto.FLOAT16),
        ("Add", TensorProto.INT64),
        ("Add", TensorProto.DOUBLE),
    ],
)
def test_numbers_that_are_not_float32_stay_opaque(kind: str, element: int) -> None:
    inputs = [value(name, [3], element) for name in ("xz" if kind == "Add" else "x")]
    nodes = [node(kind, [each.name for each in inputs], ["y"], name="layer")]
    (layer,) = load(model(nodes, inputs, [value("y", [3], element)])).layers
    assert isinstance(layer, Opaque)
    assert (layer.kind, layer.why, layer.parameters) == (kind, "", 0)


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_a_constant_that_is_not_finite_stays_opaque(wrong: float) -> None:
    (layer,) = network("Max", "xk", {"k": np.array([0, 1, wrong, 2], np.float32)}).layers
    assert isinstance(layer, Opaque)


@pytest.mark.parametrize("read", ["x", "xzx"])
def test_a_maximum_of_any_other_number_than_two_stays_opaque(read: str) -> None:
    (layer,) = network("Max", read, {}).layers
    assert isinstance(layer, Opaque)


@given(
    st.sampled_from(["MaxPool", "AveragePool"]),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(1, 2)),
    st.booleans(),
)
@settings(deadline=None, max_examples=40)
def test_pooling_is_what_onnx_runtime_computes(
    kind: str, kernel: tuple[int, ...], strides: tuple[int, ...], dilations: tuple[int, ...], counts: bool
) -> None:
    flags = {"dilations": dilations} if kind == "MaxPool" else {"count_include_pad": int(counts)}
    pads = [size // 2 for size in kernel] * 2
    pool = node(kind, ["x"], ["y"], kernel_shape=kernel, strides=strides, pads=pads, **flags)
    net = load(model([pool], [value("x", [1, 2, 8, 9])], [value("y", [1, 2, "H", "W"])]))
    (layer,) = net.layers
    assert isinstance(layer, Pool)
    assert layer.dilations == (dilations if kind == "MaxPool" else (1, 1))
    assert layer.counts_padding == (counts and kind == "AveragePool")
    x = floats(np.random.default_rng(0), 1, 2, 8, 9)
    expected = FloatReference(net).run([{"x": x}])[0]["y"]
    np.testing.assert_allclose(_pooled(layer, x, expected.shape), expected, rtol=1e-5, atol=1e-6)


def _pooled(layer: Pool, x: NDArray, shape: tuple[int, ...]) -> NDArray:
    """Pooling, window by window; positions outside count as padding only where the layer says so."""
    (top, left), (height, width) = layer.pads[:2], x.shape[2:]
    found = np.zeros(shape)
    for row, column in np.ndindex(*shape[2:]):
        places = [
            (
                row * layer.strides[0] - top + i * layer.dilations[0],
                column * layer.strides[1] - left + j * layer.dilations[1],
            )
            for i, j in np.ndindex(*layer.kernel)
        ]
        inside = [x[:, :, i, j] for i, j in places if 0 <= i < height and 0 <= j < width]
        total = len(places) if layer.counts_padding else len(inside)
        found[:, :, row, column] = np.max(inside, 0) if layer.kind == "MaxPool" else np.sum(inside, 0) / total
    return found


def test_a_product_of_integers_stays_opaque() -> None:
    product = node("MatMul", ["x", "k"], ["y"])
    x, y = (value(name, [1, size], TensorProto.INT32) for name, size in (("x", 4), ("y", 2)))
    (layer,) = load(model([product], [x], [y], constants(k=np.ones((4, 2), np.int32)))).layers
    assert isinstance(layer, Opaque)
    assert (layer.why, layer.parameters) == ("it computes with integers", 8)


def test_a_pool_of_integers_stays_opaque() -> None:
    pool = node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2])
    x, y = (value(name, [1, 1, n, n], TensorProto.INT8) for name, n in (("x", 4), ("y", 3)))
    (layer,) = load(model([pool], [x], [y])).layers
    assert isinstance(layer, Opaque)
    assert layer.why == "it computes with integers"


def test_the_output_of_a_pool_says_how_far_its_windows_go() -> None:
    pool = node("MaxPool", ["x"], ["y"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    (layer,) = load(model([pool], [value("x", [1, 1, 5, 5])], [value("y", [1, 1, 3, 3])])).layers
    assert isinstance(layer, Pool)
    assert (layer.kernel, layer.strides, layer.pads) == ((2, 2), (2, 2), (0, 0, 0, 0))


def test_a_pool_that_makes_indices_stays_opaque() -> None:
    pool = node("MaxPool", ["x"], ["y", "where"], kernel_shape=[2, 2])
    outputs = [value("y", [1, 1, 4, 4]), value("where", [1, 1, 4, 4], TensorProto.INT64)]
    (layer,) = load(model([pool], [value("x", [1, 1, 5, 5])], outputs)).layers
    assert isinstance(layer, Opaque)
    assert layer.why == "it makes indices, too"

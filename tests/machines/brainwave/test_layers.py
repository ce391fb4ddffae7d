"""Layers without state: kernels, programs and scalar equations give the same bits, near those of ONNX Runtime."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import OptionError
from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.compiled_layer import BrainwaveLayer
from deltawave.machines.brainwave.encoding import decode, encode
from deltawave.machines.brainwave.listing import parse
from deltawave.machines.brainwave.machine import Brainwave
from deltawave.machines.brainwave.restore import restore
from deltawave.machines.program import compile_network
from deltawave.network import Network, load
from deltawave.network.host import make_session
from deltawave.network.layers import Conv, Dense, Layer, Pointwise, Pool
from deltawave.network.partition import activations
from machines.brainwave import scalar_layers
from machines.brainwave.drawn_networks import BINARY, UNARY, Sketch, conv, dense, pool
from machines.brainwave.test_devices import SEEDS, machines
from network.onnx_models import constants, model, value

RARE = [0.0, -0.0, 65504.0, -65504.0, 1e30, -1e30, np.inf, -np.inf, np.nan, 2**-24]


@dataclass
class Case:
    """A network whose last layer is looked at. `read`, `made`: sizes of its input and output, without the batch."""

    network: Network
    layer: Layer
    read: tuple[int, ...]
    made: tuple[int, ...]

    def compiled(self, machine: Brainwave) -> BrainwaveLayer:
        part = compile_network(self.network, machine).cells[self.layer.name]
        assert isinstance(part, BrainwaveLayer)
        return part

    def tensors(self, batch: int, seed: int, rare: float = 0.0) -> list[np.ndarray]:
        """What the layer works on; a share of the values are only few."""
        rng, shape = np.random.default_rng(seed), (batch, *self.read)
        found = {}
        for name in activations(self.layer):
            values = rng.normal(size=shape)
            found[name] = np.where(rng.random(shape) < rare, rng.choice(RARE, shape), values).astype(
                np.float32
            )
        return [found[name] for name in activations(self.layer)]


def drawn(kind: str) -> st.SearchStrategy[Case]:
    """Layers of a kind, behind one that makes the machine take them."""

    @st.composite
    def case(draw: st.DrawFn) -> Case:
        sketch = Sketch(np.random.default_rng(draw(SEEDS)))
        axes = AXES.get(kind) or draw(st.sampled_from([0, 2]))
        channels = draw(st.integers(1, 6))
        sizes = (channels, *(draw(st.integers(1, 5)) for _ in range(axes)))
        operator, weight = "Conv" if axes else "Gemm", sketch.store(channels, channels, *[1] * axes)
        sketch.shapes = {sketch.add(operator, ["x", weight], sizes): sizes}
        ADD[kind](sketch, draw)
        name, made = list(sketch.shapes.items())[-1]
        outputs = [value(name, ["N", *made])]
        network = load(model(sketch.nodes, [value("x", ["N", *sizes])], outputs, constants(**sketch.stored)))
        layer = next(layer for layer in network.layers if name in layer.outputs)
        read = (int(np.prod(sizes)),) if kind == "dense" else sizes
        return Case(network, layer, read, made)

    return case()


def depthwise(sketch: Sketch, draw: st.DrawFn) -> None:
    ((x, (channels, height, width)),) = sketch.shapes.items()
    stride = draw(st.integers(1, 2))
    flags = {"group": channels, "kernel_shape": [2, 3], "strides": [stride, 1], "pads": [1, 0, 0, 2]}
    inputs = [x, sketch.store(channels, 1, 2, 3), sketch.store(channels)]
    sketch.add("Conv", inputs, (channels, (height - 1) // stride + 1, width), **flags)


def row(sketch: Sketch, draw: st.DrawFn) -> None:
    """A convolution or pool along one axis."""
    ((x, (channels, width)),) = sketch.shapes.items()
    length, stride, begin = (draw(st.integers(*ends)) for ends in ((1, 3), (1, 2), (0, 1)))
    kind = draw(st.sampled_from(["Conv", "MaxPool"]))
    begin, end = min(begin, length - 1), length - 1
    flags = {"kernel_shape": [length], "strides": [stride], "pads": [begin, end]}
    made = (width + begin + end - length) // stride + 1
    outputs = 3 if kind == "Conv" else channels
    stored = [sketch.store(3, channels, length), sketch.store(3)] if kind == "Conv" else []
    sketch.add(kind, [x, *stored], (outputs, made), **flags)


def pointwise(sketch: Sketch, draw: st.DrawFn) -> None:
    ((x, sizes),) = sketch.shapes.items()
    kind = draw(st.sampled_from((*UNARY, *BINARY)))
    others = [x, "x", sketch.store(sizes[0], *[1] * (len(sizes) - 1))]
    operands = [x] if kind in UNARY else draw(st.permutations([x, draw(st.sampled_from(others))]))
    sketch.add(kind, operands, sizes)


ADD: dict[str, Callable[[Sketch, st.DrawFn], None]] = {
    "conv": conv,
    "depthwise": depthwise,
    "pool": pool,
    "row": row,
    "dense": dense,
    "pointwise": pointwise,
}
KINDS = tuple(ADD)
AXES = {"conv": 2, "depthwise": 2, "pool": 2, "row": 1}
"""Of the pixels that a kind works on; others work on vectors or maps."""


def scalar(case: Case, machine: Brainwave, items: list[np.ndarray]) -> np.ndarray:
    """What the equations make of one item of each tensor."""
    layer, native, bits = case.layer, machine.native_dim, machine.mantissa_bits
    with np.errstate(over="ignore"):
        x, *others = (item.astype(np.float16).astype(float) for item in items)
    if isinstance(layer, Pointwise):
        constant = layer.constant if layer.constant is None else layer.constant.astype(np.float16)
        other = others[0] if others else np.broadcast_to(0 if constant is None else constant, x.shape)
        pairs = zip(x.ravel().tolist(), other.astype(float).ravel().tolist(), strict=True)
        swaps = layer.constant_first
        made = [scalar_layers.pointwise(layer.kind, *((b, a) if swaps else (a, b))) for a, b in pairs]
        return np.array(made).reshape(case.made)
    if isinstance(layer, Dense):
        return np.array(scalar_layers.dense(layer, native, bits, unflattened(case, x).tolist())).ravel()
    x = x.reshape(len(x), -1, x.shape[-1])
    sizes = (1, *case.made[1:])[-2:]
    if isinstance(layer, Conv):
        made_map = scalar_layers.convolution(layer, native, bits, x.tolist(), sizes)
    else:
        assert isinstance(layer, Pool)
        made_map = scalar_layers.pool(layer, x.tolist(), sizes, layer.kernel or x.shape[1:])
    return np.array(made_map).reshape(case.made)


def unflattened(case: Case, x: np.ndarray) -> np.ndarray:
    """The map that was flattened, or the vector as one pixel."""
    (given,) = case.network.inputs
    return x.reshape(-1, *(given.shape[2:] or (1, 1)))


@pytest.mark.parametrize("kind", KINDS)
def test_kernels_programs_and_equations_give_the_same_bits(kind: str) -> None:
    @settings(deadline=None, max_examples=30)
    @given(drawn(kind), machines(), st.integers(0, 3), SEEDS, st.sampled_from([0.0, 0.1]))
    def same(case: Case, machine: Brainwave, batch: int, seed: int, rare: float) -> None:
        layer, tensors = case.compiled(machine), case.tensors(batch, seed, rare)
        fast, happened = layer.layer_executor().run(tensors)
        plain, _ = layer.layer_executor(plain=True).run(tensors)
        assert fast.shape == plain.shape == (batch, *case.made)
        assert fast.dtype == plain.dtype == np.float32
        assert happened.tolist() == [[True]] * batch
        assert np.array_equal(fast, plain, equal_nan=True)
        for number, made in enumerate(fast):
            expected = scalar(case, machine, [tensor[number] for tensor in tensors])
            assert np.array_equal(made, expected, equal_nan=True)

    same()


def error_bound(case: Case, x: np.ndarray) -> float:
    """How far values may be from exact ones with 5 mantissa bits: derived from the formats, not from results.

    A block's values are at most a unit off, a sixteenth of its largest; everything else rounds to 11 bits.
    """
    layer, largest = case.layer, float(np.abs(x).max())
    if isinstance(layer, Conv | Dense):
        weight, terms = float(np.abs(layer.weights).max()), layer.weights[0].size
        products = terms * weight * largest
        blocks = 0.0 if layer.kind == "Conv" and is_depthwise(layer, x) else 2 / 16 + 1 / 256
        return products * blocks + (terms + 4) * 2**-11 * 2 * (products + float(np.abs(layer.bias).max()))
    constant = getattr(layer, "constant", None)
    other = largest if constant is None else float(np.abs(constant).max())
    rounds = 4 + (int(np.prod(layer.kernel or case.read[1:])) if isinstance(layer, Pool) else 0)
    return rounds * 2**-11 * 2 * max(largest * max(1, other), largest + other)


def is_depthwise(layer: Conv, x: np.ndarray) -> bool:
    return layer.groups > 1 and layer.groups == len(layer.weights) == x.shape[1]


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_those_of_onnx_runtime_and_values_are_near(kind: str) -> None:
    @settings(deadline=None, max_examples=20)
    @given(drawn(kind), machines(), st.integers(1, 2), SEEDS)
    def near(case: Case, machine: Brainwave, batch: int, seed: int) -> None:
        machine = replace(machine, mantissa_bits=5)
        tensors = case.tensors(batch, seed)
        made, _ = case.compiled(machine).layer_executor().run(tensors)
        exact = alone(case, tensors)
        assert made.shape == exact.shape
        assert np.abs(made - exact).max() <= error_bound(case, np.stack(tensors, axis=-1))

    near()


def alone(case: Case, tensors: list[np.ndarray]) -> np.ndarray:
    """What ONNX Runtime makes of the layer."""
    graph = case.network.model.graph
    layer_node = next(node for node in graph.node if node.name == case.layer.name)
    names = dict.fromkeys(activations(case.layer))
    stored = [tensor for tensor in graph.initializer if tensor.name in layer_node.input]
    inputs = [value(name, ["N", *case.read]) for name in names]
    proto = model([layer_node], inputs, [value(layer_node.output[0], ["N", *case.made])], stored)
    feeds = dict(zip(activations(case.layer), tensors, strict=True))
    return make_session(proto).run(None, feeds)[0]


@settings(deadline=None, max_examples=40)
@given(st.one_of([drawn(kind) for kind in KINDS]), machines(), SEEDS)
def test_layers_are_legal_programs_that_list_encode_and_restore(
    case: Case, machine: Brainwave, seed: int
) -> None:
    layer = case.compiled(machine)
    check(layer.program, machine.limits)
    assert parse(layer.listing()) == layer.program
    assert decode(encode(layer.program)) == layer.program
    again = restore(layer.name, layer.arrays())
    assert isinstance(again, BrainwaveLayer)
    assert again.listing() == layer.listing()
    assert (again.sources, again.leaves, again.shape) == (layer.sources, layer.leaves, layer.shape)
    x = case.tensors(2, seed)
    made = [part.layer_executor().run(x)[0] for part in (layer, again)]
    assert np.array_equal(*made, equal_nan=True)


def dense_network(weight: float = 0.5, bias: float = 0.5) -> Network:
    sketch = Sketch(np.random.default_rng(0))
    sketch.stored = {"w": np.full((3, 2), weight, np.float32), "b": np.full(2, bias, np.float32)}
    sketch.add("Gemm", ["x", "w", "b"], (2,))
    proto = model(
        sketch.nodes, [value("x", ["N", 3])], [value("gemm_0_y", ["N", 2])], constants(**sketch.stored)
    )
    return load(proto)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            dense_network(weight=-70000),
            "gemm_0: a weight of 70000 is beyond float16, which holds up to 65504; scale the layer",
        ),
        (
            dense_network(bias=1e6),
            "gemm_0: a constant of 1e+06 is beyond float16, which holds up to 65504; scale the layer",
        ),
    ],
)
def test_numbers_beyond_float16_are_refused(network: Network, message: str) -> None:
    with pytest.raises(OptionError) as error:
        compile_network(network, Brainwave(name="bw"))
    assert str(error.value) == message

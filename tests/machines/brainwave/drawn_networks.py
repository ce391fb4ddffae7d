"""Random small networks: maps through convolutions, pools and dense layers; sequences through cells as well."""

from dataclasses import dataclass, field

import numpy as np
import onnx
from hypothesis import strategies as st

from deltawave.network import Network, load
from network.onnx_models import constants, model, node, value, weights

UNARY = ("Relu", "Sigmoid", "Tanh")
BINARY = ("Add", "Sub", "Mul", "Max")


@dataclass
class Sketch:
    """Nodes so far; `shapes`: of every tensor that a node may read, without the batch or the steps."""

    rng: np.random.Generator
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    stored: dict[str, np.ndarray] = field(default_factory=dict)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    def store(self, *shape: int, scale: float = 1.0) -> str:
        name = f"c{len(self.stored)}"
        self.stored[name] = self.rng.normal(0, scale, shape).astype(np.float32)
        return name

    def add(self, kind: str, inputs: list[str], shape: tuple[int, ...], **flags: object) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(node(kind, inputs, [f"{name}_y"], name=name, **flags))
        self.shapes[f"{name}_y"] = shape
        self.read |= set(inputs)
        return f"{name}_y"

    def pointwise(self, draw: st.DrawFn) -> None:
        """An activation, or an operation on two tensors or on one and a constant."""
        x = self.pick_made(draw)
        kind = draw(st.sampled_from((*UNARY, *BINARY)))
        if kind in UNARY:
            self.add(kind, [x], self.shapes[x])
            return
        alike = [name for name, shape in self.shapes.items() if shape == self.shapes[x]]
        if draw(st.booleans()):
            other = draw(st.sampled_from(alike))
        else:
            channels, *pixels = self.shapes[x]
            other = self.store(channels, *[1] * len(pixels))
        operands = [x, other] if draw(st.booleans()) else [other, x]
        self.add(kind, operands, self.shapes[x])

    def gate(self, draw: st.DrawFn) -> None:
        """x * sigmoid(x)."""
        x = self.pick_made(draw)
        gate = self.add("Sigmoid", [x], self.shapes[x])
        self.add("Mul", [x, gate] if draw(st.booleans()) else [gate, x], self.shapes[x])

    def pick_made(self, draw: st.DrawFn) -> str:
        """A tensor that the machine makes, rather a late one."""
        names = [name for name in self.shapes if name != "x"]
        return names[-1 - min(draw(st.integers(0, 3)), len(names) - 1)]

    def pick(self, draw: st.DrawFn, rank: int = 0) -> str:
        """A tensor, rather a late one."""
        names = [name for name, shape in self.shapes.items() if not rank or len(shape) == rank]
        return names[-1 - min(draw(st.integers(0, 3)), len(names) - 1)]

    def network(
        self, draw: st.DrawFn, x: onnx.ValueInfoProto, names: dict[str, tuple[object, ...]]
    ) -> Network:
        """With every tensor that nothing reads as an output, and perhaps another one."""
        outputs = [name for name in names if name not in self.read]
        others = [name for name in names if name in self.read]
        if others and draw(st.booleans()):
            outputs.append(draw(st.sampled_from(others)))
        made = [value(name, names[name]) for name in outputs]
        return load(model(self.nodes, [x], made, constants(**self.stored)))


@st.composite
def map_networks(draw: st.DrawFn) -> tuple[Network, tuple[int, ...]]:
    """A network on maps ['N', channels, height, width], and those sizes."""
    sketch = Sketch(np.random.default_rng(draw(st.integers(0, 2**32 - 1))))
    sizes = draw(st.integers(1, 6)), draw(st.integers(1, 5)), draw(st.integers(1, 5))
    sketch.shapes["x"] = sizes
    steps = {
        "conv": conv,
        "pool": pool,
        "dense": dense,
        "pointwise": Sketch.pointwise,
        "gate": Sketch.gate,
        "residual": residual,
    }
    kinds = ["conv", *draw(st.lists(st.sampled_from([*steps, "pointwise"]), max_size=6))]
    for kind in kinds:
        steps[kind](sketch, draw)
    names = {name: ("N", *shape) for name, shape in sketch.shapes.items() if name != "x"}
    names = {name: shape for name, shape in names.items() if not name.startswith("flatten")}
    return sketch.network(draw, value("x", ["N", *sizes]), names), sizes


def residual(sketch: Sketch, draw: st.DrawFn) -> None:
    """Two sums, each of the one before and of what one or two layers make of that."""
    x = sketch.pick_made(draw)
    for _ in range(2):
        made = x
        for _ in range(draw(st.integers(1, 2))):
            made = same_sizes(sketch, made)
        kind = draw(st.sampled_from(BINARY))
        x = sketch.add(kind, [made, x] if draw(st.booleans()) else [x, made], sketch.shapes[x])


def same_sizes(sketch: Sketch, x: str) -> str:
    """A layer with weights that keeps the sizes."""
    size = sketch.shapes[x][0]
    if len(sketch.shapes[x]) == 1:
        return sketch.add("MatMul", [x, sketch.store(size, size, scale=size**-0.5)], (size,))
    inputs = [x, sketch.store(size, size, 3, 1, scale=(3 * size) ** -0.5)]
    return sketch.add("Conv", inputs, sketch.shapes[x], kernel_shape=[3, 1], pads=[1, 0, 1, 0])


def conv(sketch: Sketch, draw: st.DrawFn) -> None:
    x = sketch.pick(draw, rank=3)
    channels, height, width = sketch.shapes[x]
    groups = draw(st.sampled_from([g for g in (1, 2, channels) if channels % g == 0]))
    outputs = groups * draw(st.integers(1, max(1, 6 // groups)))
    if draw(st.booleans()):
        outputs = channels  # which a residual sum needs
    kernel, strides, dilations, pads, made = windows(draw, height, width)
    weight = sketch.store(outputs, channels // groups, *kernel, scale=(channels * np.prod(kernel)) ** -0.5)
    flags = {"strides": strides, "dilations": dilations, "pads": pads}
    inputs = [x, weight, sketch.store(outputs)]
    sketch.add("Conv", inputs, (outputs, *made), group=groups, kernel_shape=kernel, **flags)


def windows(draw: st.DrawFn, height: int, width: int) -> tuple[list[int], ...]:
    """Kernel, strides, dilations, pads (each less than the kernel), and the sizes of what is made."""
    if draw(st.booleans()):  # which keeps the sizes
        return [3, 3], [1, 1], [1, 1], [1, 1, 1, 1], [height, width]
    kernel, strides, dilations, begins, ends, made = [], [], [], [], [], []
    for size in (height, width):
        length, stride, dilation = (draw(st.integers(1, most)) for most in (3, 2, 2))
        begin, end = (draw(st.integers(0, length - 1)) for _ in range(2))
        span = (length - 1) * dilation + 1
        if size + begin + end < span:
            length, dilation, span, begin, end = 1, 1, 1, 0, 0
        for found, number in zip(
            (kernel, strides, dilations, begins, ends, made),
            (length, stride, dilation, begin, end, (size + begin + end - span) // stride + 1),
            strict=True,
        ):
            found.append(number)
    return kernel, strides, dilations, begins + ends, made


def pool(sketch: Sketch, draw: st.DrawFn) -> None:
    x = sketch.pick(draw, rank=3)
    channels, height, width = sketch.shapes[x]
    kind = draw(st.sampled_from(["MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool"]))
    if kind.startswith("Global"):
        sketch.add(kind, [x], (channels, 1, 1))
        return
    kernel, strides, dilations, pads, made = windows(draw, height, width)
    flags = {"dilations": dilations} if kind == "MaxPool" else {"count_include_pad": 1}
    if kind == "AveragePool":
        spans = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
        if spans != kernel:  # a dilation that opset 14 does not know
            kernel = [1, 1]
            pads = [0, 0, 0, 0]
            made = [-(-size // stride) for size, stride in zip((height, width), strides, strict=True)]
    sketch.add(kind, [x], (channels, *made), kernel_shape=kernel, strides=strides, pads=pads, **flags)


def dense(sketch: Sketch, draw: st.DrawFn) -> None:
    x = sketch.pick_made(draw)
    shape, outputs = sketch.shapes[x], draw(st.integers(1, 6))
    inputs = int(np.prod(shape))
    if len(shape) > 1:
        flat = sketch.add("Flatten", [x], (inputs,), axis=1)
        del sketch.shapes[flat]
        x = flat
    sketch.add(
        "Gemm", [x, sketch.store(inputs, outputs, scale=inputs**-0.5), sketch.store(outputs)], (outputs,)
    )


@st.composite
def sequence_networks(draw: st.DrawFn) -> tuple[Network, tuple[int]]:
    """A network on sequences ['T', 1, inputs], and that size."""
    sketch = Sketch(np.random.default_rng(draw(st.integers(0, 2**32 - 1))), stored={"one": np.array([1])})
    inputs = draw(st.integers(1, 7))
    sketch.shapes["x"] = (inputs,)
    steps = {
        "matmul": matmul,
        "cell": cell,
        "pointwise": Sketch.pointwise,
        "gate": Sketch.gate,
        "residual": residual,
    }
    kinds = ["matmul", *draw(st.lists(st.sampled_from([*steps, "pointwise"]), max_size=6))]
    for kind in kinds:
        steps[kind](sketch, draw)
    names = {name: ("T", 1, *shape) for name, shape in sketch.shapes.items() if name != "x"}
    return sketch.network(draw, value("x", ["T", 1, inputs]), names), (inputs,)


def matmul(sketch: Sketch, draw: st.DrawFn) -> None:
    x = sketch.pick(draw)
    (inputs,), outputs = sketch.shapes[x], draw(st.integers(1, 7))
    sketch.add("MatMul", [x, sketch.store(inputs, outputs, scale=inputs**-0.5)], (outputs,))


def cell(sketch: Sketch, draw: st.DrawFn) -> None:
    x = sketch.pick(draw)
    kind, hidden = draw(st.sampled_from(["LSTM", "GRU", "RNN"])), draw(st.integers(1, 6))
    number = len(sketch.nodes)
    parts = weights(sketch.rng, kind, *sketch.shapes[x], hidden)
    sketch.stored |= {f"{part}{number}": array for part, array in parts.items()}
    flags = {"linear_before_reset": draw(st.integers(0, 1))} if kind == "GRU" else {}
    states = sketch.add(kind, [x, *(f"{part}{number}" for part in parts)], (), hidden_size=hidden, **flags)
    del sketch.shapes[states]
    sketch.add("Squeeze", [states, "one"], (hidden,))

"""ResNet-50, the network of Brainwave's convolutional experiments (ISCA 2018, Table VI), by its public shapes.

Shapes: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Table 1, batch norms folded into the
convolutions. The weights are random: neither cycles nor operations depend on them, and accuracy means nothing here.
"""

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from deltawave.errors import OptionError
from deltawave.network.editing import IR_VERSION

OPSET = 17
IMAGE = (1, 3, 224, 224)
STEM = 64
STAGES = ((3, 64, 1), (4, 128, 2), (6, 256, 2), (3, 512, 2))
"""conv2_x to conv5_x: blocks, channels inside a block, stride of the first one."""
EXPANSION = 4
"""Channels that leave a block over those inside it."""
BRANCH_GAIN = 0.25
"""Scales what a block adds to its shortcut: the root mean square then grows fourfold through all blocks."""


def resnet50(*, classes: int = 1000, seed: int = 50) -> onnx.ModelProto:
    """ResNet-50 on one image: float32 [1, 3, 224, 224] -> `scores` [1, classes], or `features` [1, 2048] without any.

    `classes=0` leaves the last dense layer out, as the paper does. The stride of a stage is in the first 1 x 1
    convolution of its first block, as in He et al.: 7.71 Gop, two a product (7.72 with the dense layer), which is
    the talk's 7.7 Gop per image. With the stride in the 3 x 3 convolution ("v1.5") it would be 8.18 Gop.
    Weights are He-initialised from `seed`: equal seeds give equal models. Raises OptionError for negative `classes`.
    """
    if classes < 0:
        raise OptionError(
            f"resnet50 has classes = {classes}; take 0 to end with the features, or a positive number"
        )
    graph = _Graph(seed)
    x = graph.relu(graph.conv("conv1", "image", (STEM, IMAGE[1], 7, 7), stride=2))
    x = graph.node("MaxPool", "pool1", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    channels = STEM
    for stage, (blocks, width, stride) in enumerate(STAGES, start=2):
        for block in range(blocks):
            x = _bottleneck(
                graph, f"conv{stage}_{block + 1}", x, channels, width, stride if block == 0 else 1
            )
            channels = EXPANSION * width
    x = graph.node("Flatten", "features", [graph.node("GlobalAveragePool", "pool5", [x])])
    return graph.model(
        x if classes == 0 else graph.dense("scores", x, classes, channels), classes or channels
    )


def _bottleneck(graph: "_Graph", name: str, x: str, channels: int, width: int, stride: int) -> str:
    """1 x 1, 3 x 3 and 1 x 1 convolutions beside a shortcut, which is projected where it changes its shape."""
    leaving = EXPANSION * width
    branch = graph.relu(graph.conv(f"{name}_reduce", x, (width, channels, 1, 1), stride=stride))
    branch = graph.relu(graph.conv(f"{name}_spatial", branch, (width, width, 3, 3)))
    branch = graph.conv(f"{name}_expand", branch, (leaving, width, 1, 1), gain=BRANCH_GAIN)
    if channels != leaving:
        x = graph.conv(f"{name}_project", x, (leaving, channels, 1, 1), stride=stride)
    return graph.relu(graph.node("Add", f"{name}_add", [branch, x]))


class _Graph:
    """A graph that grows node by node: each makes one tensor, of the node's name."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []

    def node(self, kind: str, name: str, inputs: list[str], **attributes: int | list[int]) -> str:
        self._nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def relu(self, x: str) -> str:
        return self.node("Relu", f"{x}_relu", [x])

    def conv(
        self, name: str, x: str, shape: tuple[int, int, int, int], *, stride: int = 1, gain: float = 1.0
    ) -> str:
        """shape: [out, in, height, width]; padded so that a stride of one keeps the size."""
        stored = self._stored(name, shape, gain)
        pads = [shape[2] // 2, shape[3] // 2] * 2
        return self.node(
            "Conv", name, [x, *stored], kernel_shape=list(shape[2:]), strides=[stride, stride], pads=pads
        )

    def dense(self, name: str, x: str, outputs: int, inputs: int) -> str:
        return self.node("Gemm", name, [x, *self._stored(name, (outputs, inputs), 1.0)], transB=1)

    def model(self, output: str, size: int) -> onnx.ModelProto:
        image = helper.make_tensor_value_info("image", TensorProto.FLOAT, IMAGE)
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, (1, size))
        graph = helper.make_graph(self._nodes, "resnet50", [image], [result], self._weights)
        return helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="deltawave",
        )

    def _stored(self, name: str, shape: tuple[int, ...], gain: float) -> list[str]:
        """Weights with a variance of gain**2 * 2 / inputs, which keeps that of activations, and small biases."""
        deviation = gain * float(np.sqrt(2 / np.prod(shape[1:])))
        return [
            self._constant(f"{name}.weight", shape, deviation),
            self._constant(f"{name}.bias", shape[:1], 0.1 * gain),
        ]

    def _constant(self, name: str, shape: tuple[int, ...], deviation: float) -> str:
        drawn: NDArray[np.float32] = self._random.standard_normal(shape, np.float32)
        self._weights.append(numpy_helper.from_array(drawn * np.float32(deviation), name))
        return name

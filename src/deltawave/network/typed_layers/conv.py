"""Convolutions and pooling, their padding written out."""

from collections.abc import Sequence

import numpy as np
import onnx

from deltawave.errors import NetworkError
from deltawave.network.layers import Conv, Layer, Pool
from deltawave.network.onnx_types import attributes, dims, label
from deltawave.network.typed_layers.common import Shapes, given, known_sizes, opaque, weights
from deltawave.network.values import Values

_PADDING_UNKNOWN = "its padding depends on a size that is not known"


def conv_layer(values: Values, node: onnx.NodeProto, shapes: Shapes) -> Layer:
    """A `Conv` layer; opaque where the weights are not constant."""
    flags, kernel, bias = attributes(node), weights(values, node, 1), weights(values, node, 2)
    if kernel is None or kernel.ndim < 3 or (given(node, 2) and bias is None):
        return opaque(node, shapes, "its weights are not constant")
    groups, ones = int(flags.get("group", 1)), [1] * (kernel.ndim - 2)
    if groups < 1 or len(kernel) % groups or (bias is not None and bias.shape != (len(kernel),)):
        raise NetworkError(
            f"{label(node)}: weights {list(kernel.shape)} do not fit {groups} groups and the bias"
        )
    _check_kernel(node, kernel.shape, groups, shapes)
    pads = _pads(node, kernel.shape[2:], shapes)
    if pads is None:
        return opaque(node, shapes, _PADDING_UNKNOWN)
    return Conv(
        name=node.name,
        kind=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        parameters=kernel.size + (0 if bias is None else bias.size),
        operations=2 * kernel.size * known_sizes(shapes.get(node.output[0]), slice(2, None)),
        shape=" x ".join(map(str, kernel.shape)),
        weights=kernel,
        bias=np.zeros(len(kernel), np.float32) if bias is None else bias,
        strides=tuple(flags.get("strides", ones)),
        pads=pads,
        dilations=tuple(flags.get("dilations", ones)),
        groups=groups,
    )


def _check_kernel(node: onnx.NodeProto, kernel: Sequence[int], groups: int, shapes: Shapes) -> None:
    """Raises NetworkError for weights that do not fit the input, or the node's own `kernel_shape`."""
    declared = attributes(node).get("kernel_shape", kernel[2:])
    if list(declared) != list(kernel[2:]):
        raise NetworkError(
            f"{label(node)}: weights {list(kernel)} do not fit its kernel_shape {list(declared)}"
        )
    sizes = (dims(shapes[node.input[0]]) if node.input[0] in shapes else None) or []
    channels = next(iter(sizes[1:2]), None)
    if isinstance(channels, int) and channels != kernel[1] * groups:
        raise NetworkError(
            f"{label(node)}: weights {list(kernel)} in {groups} groups take {kernel[1] * groups} channels,"
            f" {node.input[0]} has {channels}"
        )


def pool_layer(node: onnx.NodeProto, shapes: Shapes) -> Layer:
    """A `Pool` layer; opaque where the padding is not known, or it is more than a pool."""
    flags = attributes(node)
    if any(node.output[1:]):
        return opaque(node, shapes, "it makes indices, too")
    kernel = tuple(flags.get("kernel_shape", ()))
    pads = _pads(node, kernel, shapes)
    if pads is None:
        return opaque(node, shapes, _PADDING_UNKNOWN)
    return Pool(
        name=node.name,
        kind=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        shape=" x ".join(map(str, kernel)),
        kernel=kernel,
        strides=tuple(flags.get("strides", [1] * len(kernel))),
        pads=pads,
        dilations=tuple(flags.get("dilations", [1] * len(kernel))),
        counts_padding=bool(flags.get("count_include_pad", 0)),
    )


def _pads(node: onnx.NodeProto, kernel: Sequence[int], shapes: Shapes) -> tuple[int, ...] | None:
    """Padding, begins then ends; None if `auto_pad` needs a size that is not known."""
    flags = attributes(node)
    mode = flags.get("auto_pad", "NOTSET")
    if mode == "NOTSET":
        return tuple(flags.get("pads", [0] * (2 * len(kernel))))
    if mode == "VALID":
        return (0,) * (2 * len(kernel))
    spatial = ((dims(shapes[node.input[0]]) if node.input[0] in shapes else None) or [])[2:]
    sizes = [size for size in spatial if isinstance(size, int)]
    if len(sizes) != len(kernel):
        return None
    ones = [1] * len(kernel)
    spans = [(width - 1) * step + 1 for width, step in zip(kernel, flags.get("dilations", ones), strict=True)]
    totals = [
        max(0, (-(-size // stride) - 1) * stride + span - size)
        for size, stride, span in zip(sizes, flags.get("strides", ones), spans, strict=True)
    ]
    small, large = [total // 2 for total in totals], [total - total // 2 for total in totals]
    return tuple(small + large) if mode == "SAME_UPPER" else tuple(large + small)

"""Makes constants added after a product its bias, and a batch norm after a product part of its weights and bias."""

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from deltawave.network.editing import Array, Editor
from deltawave.network.onnx_types import attributes, dims

Shapes = dict[str, onnx.ValueInfoProto]


@dataclass(frozen=True, eq=False)
class _Line:
    """product -> factor * product + summand, for each output of the product; float64 [outputs]."""

    product: str
    factor: Array
    summand: Array


def fold_lines(editor: Editor) -> bool:
    """Add and BatchNormalization after Conv, Gemm or a MatMul of two matrices go into its weights and bias."""
    shapes, makers, readers = editor.infer_shapes(), editor.makers(), editor.readers()
    outputs, done = editor.output_names(), list[onnx.NodeProto]()
    for node in list(editor.nodes):
        line = _batch_norm(editor, node) or _addition(editor, node, shapes)
        product = makers.get(line.product) if line else None
        if line is None or product is None or line.product in outputs or len(readers[line.product]) != 1:
            continue
        folded = _folded(editor, product, line, shapes)
        if folded is not None:
            folded.output[0] = node.output[0]
            product.CopyFrom(folded)
            makers[node.output[0]] = product
            done.append(node)
    editor.drop(done)
    return bool(done)


def _batch_norm(editor: Editor, node: onnx.NodeProto) -> _Line | None:
    flags = attributes(node)
    if node.op_type != "BatchNormalization" or flags.get("training_mode", 0) or not flags.get("spatial", 1):
        return None
    parameters = [editor.constant(name) for name in node.input[1:5]]
    if len(node.output) > 1 or any(value is None or value.ndim != 1 for value in parameters):
        return None
    scale, shift, mean, variance = (np.asarray(value, np.float64) for value in parameters)
    with np.errstate(all="ignore"):
        factor = scale / np.sqrt(variance + flags.get("epsilon", 1e-5))
    return _Line(node.input[0], factor, shift - mean * factor)


def _addition(editor: Editor, node: onnx.NodeProto, shapes: Shapes) -> _Line | None:
    """A constant that is the same for every position of an output channel."""
    if node.op_type != "Add":
        return None
    for product, other in (node.input, reversed(node.input)):
        constant = editor.constant(other)
        sizes = dims(shapes[product]) if product in shapes else None
        if constant is None or constant.dtype.kind != "f" or not sizes or not constant.ndim <= len(sizes) > 1:
            continue
        channel = 1 - len(sizes)
        channels = constant.shape[channel] if constant.ndim >= -channel else 1
        if constant.size == channels:
            return _Line(product, np.ones(1), constant.reshape(-1).astype(np.float64))
    return None


def _folded(editor: Editor, product: onnx.NodeProto, line: _Line, shapes: Shapes) -> onnx.NodeProto | None:
    """The product with new weights and bias; None if they are not constant."""
    weights, axis = _weights(editor, product, shapes)
    bias = editor.constant(product.input[2]) if len(product.input) > 2 and product.input[2] else np.zeros(1)
    if weights is None or bias is None:
        return None
    count = weights.shape[axis]
    if any(value.size not in (1, count) for value in (bias, line.factor, line.summand)):
        return None
    name, factor = product.input[1], np.broadcast_to(line.factor, count)
    if (factor != 1).any():
        spread = [count if position == axis else 1 for position in range(weights.ndim)]
        name = editor.new_constant((weights * factor.reshape(spread)).astype(weights.dtype), name)
    # beta weighs the old bias only
    old = bias.reshape(-1).astype(np.float64) * attributes(product).get("beta", 1.0)
    new = editor.new_constant((old * factor + line.summand).astype(weights.dtype), f"{product.name}_bias")
    kind = "Conv" if product.op_type == "Conv" else "Gemm"
    folded = helper.make_node(kind, [product.input[0], name, new], list(product.output), name=product.name)
    folded.attribute.extend(attribute for attribute in product.attribute if attribute.name != "beta")
    return folded


def _weights(editor: Editor, product: onnx.NodeProto, shapes: Shapes) -> tuple[Array | None, int]:
    """The constant weights of a Conv or a product of matrices, and the axis of the outputs; else None."""
    weights = editor.constant(product.input[1]) if product.op_type in ("Conv", "Gemm", "MatMul") else None
    if weights is None or weights.dtype.kind != "f":
        return None, 0
    if product.op_type == "Conv":
        return weights, 0
    sizes = dims(shapes[product.input[0]]) if product.input[0] in shapes else None
    matrices = weights.ndim == 2 and sizes is not None and len(sizes) == 2
    return (weights if matrices else None), (0 if attributes(product).get("transB", 0) else 1)

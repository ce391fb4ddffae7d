"""Layers from the nodes of a canonical model: attributes and weights in the words of `layers`."""

from dataclasses import replace
from math import prod

import onnx

from deltawave.network.editing import Editor
from deltawave.network.layers import Layer
from deltawave.network.onnx_types import free_names, subgraphs
from deltawave.network.typed_layers.common import Shapes, opaque
from deltawave.network.typed_layers.conv import conv_layer, pool_layer
from deltawave.network.typed_layers.dense import dense_layer
from deltawave.network.typed_layers.recurrent import KINDS, recurrent_layer
from deltawave.network.values import Values

POOLS = ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")


def layers_of(editor: Editor) -> tuple[Layer, ...]:
    """One layer for each node, in order. Raises NetworkError for weights that do not fit their node."""
    values, shapes = Values(editor), editor.infer_shapes()
    return tuple(_layer(values, node, shapes) for node in editor.nodes)


def _layer(values: Values, node: onnx.NodeProto, shapes: Shapes) -> Layer:
    if node.domain not in ("", "ai.onnx"):
        return opaque(node, shapes, f"the operator is of the domain {node.domain}")
    if node.op_type in KINDS:
        return recurrent_layer(values, node, shapes)
    if node.op_type in ("Gemm", "MatMul"):
        return dense_layer(values, node, shapes)
    if node.op_type == "Conv":
        return conv_layer(values, node, shapes)
    if node.op_type in POOLS:
        return pool_layer(node, shapes)
    return replace(opaque(node, shapes), parameters=_stored(values, node))


def _stored(values: Values, node: onnx.NodeProto) -> int:
    """Constants, counted one by one, that the branches or the body of a node hold or read."""
    bodies = list(subgraphs(node))
    inside: int = sum(prod(tensor.dims) for body in bodies for tensor in body.initializer)
    outside = [values.get(name) for name in set[str]().union(*map(free_names, bodies))]
    return inside + sum(value.size for value in outside if value is not None)


__all__ = ["layers_of"]

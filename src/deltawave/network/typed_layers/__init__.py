"""Layers from the nodes of a canonical model: attributes and weights in the words of `layers`."""

from dataclasses import replace
from math import prod

import onnx

from deltawave.network.editing import Editor
from deltawave.network.layers import Layer, Opaque
from deltawave.network.onnx_types import free_names, subgraphs
from deltawave.network.typed_layers.common import Shapes, element_type, opaque
from deltawave.network.typed_layers.conv import conv_layer, pool_layer
from deltawave.network.typed_layers.dense import dense_layer
from deltawave.network.typed_layers.pointwise import OPERATIONS, pointwise_layer
from deltawave.network.typed_layers.recurrent import KINDS, recurrent_layer
from deltawave.network.values import Values

PRODUCTS = ("Gemm", "MatMul", "Conv")
POOLS = ("MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool")


def layers_of(editor: Editor) -> tuple[Layer, ...]:
    """One layer for each node, in order. Raises NetworkError for weights that do not fit their node."""
    values, shapes = Values(editor), editor.infer_shapes()
    return tuple(_counted(values, node, _layer(values, node, shapes)) for node in editor.nodes)


def _layer(values: Values, node: onnx.NodeProto, shapes: Shapes) -> Layer:
    if node.domain not in ("", "ai.onnx"):
        return opaque(node, shapes, f"the operator is of the domain {node.domain}")
    if node.op_type in KINDS:
        return recurrent_layer(values, node, shapes)
    if node.op_type in (*PRODUCTS, *POOLS) and element_type(shapes, node.output[0]).startswith(
        ("int", "uint")
    ):
        return opaque(node, shapes, "it computes with integers")
    if node.op_type == "Conv":
        return conv_layer(values, node, shapes)
    if node.op_type in PRODUCTS:
        return dense_layer(values, node, shapes)
    if node.op_type in POOLS:
        return pool_layer(node, shapes)
    if node.op_type in OPERATIONS:
        return pointwise_layer(values, node, shapes)
    return opaque(node, shapes)


def _counted(values: Values, node: onnx.NodeProto, layer: Layer) -> Layer:
    """The layer; one that could not be read with the constants it holds, so that it is not overlooked."""
    if not (isinstance(layer, Opaque) and layer.why):
        return layer
    bodies = list(subgraphs(node))
    held: int = sum(prod(tensor.dims) for body in bodies for tensor in body.initializer)
    names = set[str]().union(*map(free_names, bodies)) if bodies else set(node.input)
    constants = [value for value in map(values.get, names) if value is not None]
    return replace(layer, parameters=held + sum(value.size for value in constants if value.size > 1))


__all__ = ["layers_of"]

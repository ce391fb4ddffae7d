"""Activations and element-wise operations, with the operand that is constant."""

import numpy as np
import onnx

from deltawave.network.layers import Layer, Pointwise
from deltawave.network.typed_layers.common import Shapes, element_type, opaque, shape_text
from deltawave.network.values import Values

ACTIVATIONS = ("Relu", "Sigmoid", "Tanh")
ARITHMETIC = ("Add", "Sub", "Mul", "Max")
OPERATIONS = (*ACTIVATIONS, *ARITHMETIC)
OPERANDS = {**dict.fromkeys(ACTIVATIONS, 1), **dict.fromkeys(ARITHMETIC, 2)}


def pointwise_layer(values: Values, node: onnx.NodeProto, shapes: Shapes) -> Layer:
    """A `Pointwise` layer; opaque where its operands are not as many finite float32 numbers as it takes."""
    if len(node.input) != OPERANDS[node.op_type] or element_type(shapes, node.output[0]) != "float32":
        return opaque(node, shapes)
    constants = [values.get(name) for name in node.input]
    known = [value for value in constants if value is not None]
    if len(known) == len(constants) or not all(np.isfinite(value).all() for value in known):
        return opaque(node, shapes)
    return Pointwise(
        name=node.name,
        kind=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        shape=shape_text(shapes.get(node.output[0])),
        constant=np.asarray(known[0], np.float32) if known else None,
        constant_first=constants[0] is not None,
    )

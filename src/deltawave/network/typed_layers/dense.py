"""Gemm and MatMul nodes with constant weights as `Dense` layers."""

import numpy as np
import onnx

from deltawave.network.layers import Dense, Layer
from deltawave.network.onnx_types import attributes
from deltawave.network.typed_layers.common import Shapes, given, known_sizes, opaque, weights
from deltawave.network.values import Values


def dense_layer(values: Values, node: onnx.NodeProto, shapes: Shapes) -> Layer:
    """A `Dense` layer; opaque where the weights are not a constant matrix."""
    flags = attributes(node)
    matrix, bias = (
        weights(values, node, 1, flags.get("alpha", 1.0)),
        weights(values, node, 2, flags.get("beta", 1.0)),
    )
    if matrix is None or matrix.ndim != 2 or flags.get("transA", 0):
        return opaque(node, shapes, "its weights are not a constant matrix on the right")
    matrix = matrix if flags.get("transB", 0) else matrix.T
    if given(node, 2) and (bias is None or bias.size not in (1, len(matrix))):
        return opaque(node, shapes, "its bias is not a constant vector")
    summand = np.zeros(1, np.float32) if bias is None else bias.reshape(-1)
    return Dense(
        name=node.name,
        kind=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        parameters=matrix.size + (0 if bias is None else bias.size),
        operations=2 * matrix.size * known_sizes(shapes.get(node.output[0]), slice(0, -1)),
        shape=f"{matrix.shape[1]} -> {len(matrix)}",
        weights=np.ascontiguousarray(matrix),
        bias=np.ascontiguousarray(np.broadcast_to(summand, len(matrix))),
    )

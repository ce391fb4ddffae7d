"""What every typed layer needs: weights as float32, shapes as text, and the layer known by name only."""

from math import prod

import numpy as np
import onnx

from deltawave.errors import NetworkError
from deltawave.network.layers import Floats, Opaque
from deltawave.network.onnx_types import attributes, dims, label, subgraphs
from deltawave.network.values import Values

Shapes = dict[str, onnx.ValueInfoProto]


def weights(values: Values, node: onnx.NodeProto, position: int, factor: float = 1.0) -> Floats | None:
    """A constant input times a factor, as float32; None if left out or not constant.

    Raises NetworkError unless these are finite numbers.
    """
    name = node.input[position] if position < len(node.input) else ""
    value = values.get(name)
    if value is None:
        return None
    if value.dtype.kind not in "fiu" and value.dtype.name != "bfloat16":
        raise NetworkError(f"{label(node)}: the weights {name} are of type {value.dtype}, not numbers")
    floats = np.asarray(value).astype(np.float32) * np.float32(factor)
    if not np.isfinite(floats).all():
        raise NetworkError(
            f"{label(node)}: the weights {name} hold values that are not finite float32 numbers"
        )
    return floats


def given(node: onnx.NodeProto, position: int) -> bool:
    """Whether an optional input is there."""
    return position < len(node.input) and bool(node.input[position])


def opaque(node: onnx.NodeProto, shapes: Shapes, why: str = "") -> Opaque:
    """A layer known by name only. `why`: why no more is known."""
    plain: dict[str, object] = {
        name: value for name, value in attributes(node).items() if isinstance(value, int | float | str | list)
    }
    if not why and any(subgraphs(node)):
        branches = node.op_type == "If"
        why = "its condition is not constant" if branches else "its body is not a plain LSTM, GRU or RNN cell"
    return Opaque(
        name=node.name,
        kind=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        shape=shape_text(shapes.get(next(iter(node.output), ""))),
        attributes=plain,
        why=why,
    )


def element_type(shapes: Shapes, name: str) -> str:
    """The NumPy name of a tensor's element type: 'float32'; '' if it is not known."""
    code = shapes[name].type.tensor_type.elem_type if name in shapes else 0
    return str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(code)).name) if code else ""


def shape_text(value: onnx.ValueInfoProto | None) -> str:
    """A shape to read: '1 x T x 42', '?' for a size without a name."""
    sizes = None if value is None else dims(value)
    return "" if sizes is None else " x ".join(str(size or "?") for size in sizes)


def known_sizes(value: onnx.ValueInfoProto | None, axes: slice) -> int:
    """Product of the sizes of some axes, free ones counted as one; 0 if the rank is not known."""
    sizes = None if value is None else dims(value)
    return 0 if sizes is None else prod(size for size in sizes[axes] if isinstance(size, int))

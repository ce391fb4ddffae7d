"""What the operators that move, reshape and count numbers mean, in NumPy, with a bound on every result.

Used to compute constants while reading a model, and to follow elements of a state through a graph. The bound is checked
before memory is taken.
"""

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from deltawave.errors import NetworkError
from deltawave.network.onnx_types import attributes, label

Array = NDArray[Any]
Inputs = list[Array | None]


def evaluate(node: onnx.NodeProto, inputs: Inputs, most_bytes: int) -> list[Array] | None:
    """Outputs of a node; None if the operator is not known here or its inputs do not fit it.

    Raises NetworkError if the results would take more than `most_bytes`.
    """
    operator = OPERATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    if operator is None:
        return None
    try:
        with np.errstate(all="ignore"):
            results = operator(_Call(node, inputs, most_bytes))
    except (ValueError, IndexError, TypeError, OverflowError, ZeroDivisionError, KeyError):
        return None
    return results if len(results) >= len(node.output) else None


class _Call:
    """One use of an operator: its inputs and attributes."""

    def __init__(self, node: onnx.NodeProto, inputs: Inputs, most_bytes: int) -> None:
        self.node, self.inputs, self.most_bytes = node, inputs, most_bytes
        self.attributes, self.outputs = attributes(node), len(node.output)

    def __getitem__(self, position: int) -> Array:
        value = self.inputs[position]
        if value is None:
            raise TypeError("a needed input is missing")
        return value

    def integers(self, position: int, name: str) -> list[int] | None:
        """Axes, sizes or the like: an attribute in old opsets, an input in new ones."""
        if name in self.attributes:
            return [int(value) for value in self.attributes[name]]
        value = self.inputs[position] if position < len(self.inputs) else None
        return None if value is None else [int(item) for item in value.reshape(-1)]

    def bounded(self, shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
        """The shape of a result, if there is room for it."""
        if any(size < 0 for size in shape):
            raise ValueError("sizes cannot be negative")
        if prod(shape) * itemsize > self.most_bytes:
            raise NetworkError(
                f"{label(self.node)} makes a constant of {prod(shape) * itemsize} bytes, "
                f"room is left for {self.most_bytes} (Limits.computed_bytes)"
            )
        return shape


def _binary(function: Callable[[Array, Array], Array]) -> Callable[[_Call], list[Array]]:
    def run(call: _Call) -> list[Array]:
        left, right = call[0], call[1]
        call.bounded(np.broadcast_shapes(left.shape, right.shape), max(left.itemsize, right.itemsize))
        result = np.asarray(function(left, right))
        return [result if result.dtype == np.bool_ else result.astype(left.dtype)]

    return run


def _unary(function: Callable[[Array], Array]) -> Callable[[_Call], list[Array]]:
    return lambda call: [np.asarray(function(call[0])).astype(call[0].dtype)]


def _divide(left: Array, right: Array) -> Array:
    if not np.issubdtype(left.dtype, np.integer):
        return np.asarray(left / right)
    if not right.all():
        raise ZeroDivisionError
    # integers divide towards zero in ONNX, downwards in NumPy
    return np.asarray(np.sign(left) * np.sign(right) * (np.abs(left) // np.abs(right)))


def _cast(call: _Call) -> list[Array]:
    kind = helper.tensor_dtype_to_np_dtype(call.attributes["to"])
    call.bounded(call[0].shape, np.dtype(kind).itemsize)
    return [call[0].astype(kind)]


def _slice(call: _Call) -> list[Array]:
    starts, ends = call.integers(1, "starts"), call.integers(2, "ends")
    if starts is None or ends is None:
        raise TypeError("a slice needs starts and ends")
    axes, steps = (
        call.integers(3, "axes") or list(range(len(starts))),
        call.integers(4, "steps") or [1] * len(starts),
    )
    index = [slice(None)] * call[0].ndim
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        # an end below -size means "past the first element" for a negative step
        size = call[0].shape[axis]
        index[axis] = slice(start, None if step < 0 and end < -size else end, step)
    return [call[0][tuple(index)]]


def _squeeze(call: _Call) -> list[Array]:
    axes = call.integers(1, "axes")
    return [np.squeeze(call[0], None if axes is None else tuple(axes))]


def _unsqueeze(call: _Call) -> list[Array]:
    return [np.expand_dims(call[0], tuple(call.integers(1, "axes") or ()))]


def _reshape(call: _Call) -> list[Array]:
    wanted = call.integers(1, "shape") or []
    keep = not call.attributes.get("allowzero", 0)
    return [
        call[0].reshape([call[0].shape[i] if size == 0 and keep else size for i, size in enumerate(wanted)])
    ]


def _flatten(call: _Call) -> list[Array]:
    axis = call.attributes.get("axis", 1)
    axis += call[0].ndim if axis < 0 else 0
    return [call[0].reshape(prod(call[0].shape[:axis]), prod(call[0].shape[axis:]))]


def _split(call: _Call) -> list[Array]:
    axis = call.attributes.get("axis", 0)
    size = call[0].shape[axis]
    sizes = call.integers(1, "split")
    if sizes is None:
        each = -(-size // call.outputs)
        sizes = [each] * (call.outputs - 1) + [size - each * (call.outputs - 1)]
    if sum(sizes) != size or min(sizes) < 0:
        raise ValueError("the parts do not make up the whole")
    return list(np.split(call[0], np.cumsum(sizes)[:-1], axis))


def _gather(call: _Call) -> list[Array]:
    axis = call.attributes.get("axis", 0)
    rest = call[0].shape[:axis] + call[0].shape[axis:][1:]
    call.bounded((*call[1].shape, *rest), call[0].itemsize)
    return [np.take(call[0], call[1], axis)]


def _concat(call: _Call) -> list[Array]:
    parts = [call[position] for position in range(len(call.inputs))]
    call.bounded((sum(part.nbytes for part in parts),), 1)
    return [np.concatenate(parts, call.attributes["axis"])]


def _constant_of_shape(call: _Call) -> list[Array]:
    value = call.attributes.get("value")
    fill = np.zeros(1, np.float32) if value is None else onnx.numpy_helper.to_array(value)
    shape = call.bounded(tuple(int(size) for size in call[0]), fill.itemsize)
    return [np.full(shape, fill.reshape(-1)[0])]


def _expand(call: _Call) -> list[Array]:
    shape = np.broadcast_shapes(call[0].shape, tuple(int(size) for size in call[1]))
    return [np.broadcast_to(call[0], call.bounded(shape, call[0].itemsize))]


def _tile(call: _Call) -> list[Array]:
    repeats = tuple(int(count) for count in call[1])
    call.bounded(
        tuple(size * count for size, count in zip(call[0].shape, repeats, strict=True)), call[0].itemsize
    )
    return [np.tile(call[0], repeats)]


def _range(call: _Call) -> list[Array]:
    start, limit, delta = (call[position].reshape(()) for position in range(3))
    call.bounded((max(0, int(np.ceil((float(limit) - float(start)) / float(delta)))),), start.itemsize)
    return [np.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)]


def _where(call: _Call) -> list[Array]:
    shape = np.broadcast_shapes(call[0].shape, call[1].shape, call[2].shape)
    call.bounded(shape, call[1].itemsize)
    return [np.where(call[0], call[1], call[2])]


def _clip(call: _Call) -> list[Array]:
    low, high = (call.inputs[position] if len(call.inputs) > position else None for position in (1, 2))
    if "min" in call.attributes or "max" in call.attributes:
        raise TypeError("bounds of old opsets are not read")
    return [call[0] if low is None and high is None else np.clip(call[0], low, high).astype(call[0].dtype)]


def _reduce(function: Callable[..., Array]) -> Callable[[_Call], list[Array]]:
    def run(call: _Call) -> list[Array]:
        axes = call.integers(1, "axes") or None
        if axes is None and call.attributes.get("noop_with_empty_axes", 0):
            return [call[0]]
        keep = bool(call.attributes.get("keepdims", 1))
        result = function(call[0], axis=None if axes is None else tuple(axes), keepdims=keep)
        return [np.asarray(result).astype(call[0].dtype)]

    return run


def _dequantize(call: _Call) -> list[Array]:
    integers, scale = call[0], call[1]
    zero = call.inputs[2] if len(call.inputs) > 2 else None
    call.bounded(integers.shape, scale.itemsize)
    if call.attributes.get("block_size", 0) or scale.ndim > 1:
        raise TypeError("blocked scales are not read")
    shape = [1] * integers.ndim
    if scale.size > 1:
        shape[call.attributes.get("axis", 1)] = scale.size
    shifted = integers.astype(np.int64) - (
        0 if zero is None else zero.astype(np.int64).reshape(_like(zero, shape))
    )
    return [shifted.astype(scale.dtype) * scale.reshape(_like(scale, shape))]


def _like(value: Array, shape: list[int]) -> list[int]:
    return shape if value.size > 1 else []


# operators that only move elements: each element of a result is an element of the first inputs
MOVES: dict[str, Callable[[_Call], list[Array]]] = {
    "Identity": lambda call: [call[0]],
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze,
    "Reshape": _reshape,
    "Flatten": _flatten,
    "Split": _split,
    "Gather": _gather,
    "Concat": _concat,
    "Transpose": lambda call: [np.transpose(call[0], call.attributes.get("perm"))],
}

OPERATORS: dict[str, Callable[[_Call], list[Array]]] = {
    **MOVES,
    "Cast": _cast,
    "ConstantOfShape": _constant_of_shape,
    "Expand": _expand,
    "Tile": _tile,
    "Range": _range,
    "Where": _where,
    "Shape": lambda call: [_part_of_shape(call)],
    "Size": lambda call: [np.array(call[0].size, np.int64)],
    "NonZero": lambda call: [np.array(np.nonzero(call[0]), np.int64)],
    "DequantizeLinear": _dequantize,
    "Add": _binary(np.add),
    "Sub": _binary(np.subtract),
    "Mul": _binary(np.multiply),
    "Div": _binary(_divide),
    "Equal": _binary(np.equal),
    "Less": _binary(np.less),
    "LessOrEqual": _binary(np.less_equal),
    "Greater": _binary(np.greater),
    "GreaterOrEqual": _binary(np.greater_equal),
    "And": _binary(np.logical_and),
    "Or": _binary(np.logical_or),
    "Not": _unary(np.logical_not),
    "Neg": _unary(np.negative),
    "Abs": _unary(np.abs),
    "Sqrt": _unary(np.sqrt),
    "Reciprocal": _unary(np.reciprocal),
    "Floor": _unary(np.floor),
    "Ceil": _unary(np.ceil),
    "Round": _unary(np.rint),
    "Clip": _clip,
    "ReduceProd": _reduce(np.prod),
    "ReduceSum": _reduce(np.sum),
    "ReduceMax": _reduce(np.max),
    "ReduceMin": _reduce(np.min),
}


def _part_of_shape(call: _Call) -> Array:
    whole = slice(call.attributes.get("start", 0), call.attributes.get("end"))
    return np.array(call[0].shape, np.int64)[whole]

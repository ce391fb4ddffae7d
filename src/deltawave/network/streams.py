"""Brings a user's arrays into the shape of calls.

A stream is a list of calls, a call the inputs by name, each of the exact type and a legal shape with batch one. An
array is one call if its shape is that of the input (sizes of one may be left out), and one call per item if it has one
more axis in front, or is longer along the batch axis. A streaming network takes the calls of one array as one stream;
for any other network every call is a stream of its own.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltawave.errors import InputError
from deltawave.network.graph import Network, Tensor
from deltawave.network.naming import unknown

Array = NDArray[Any]
Call = dict[str, Array]
Stream = list[Call]
Item = ArrayLike | Mapping[str, ArrayLike]


def as_streams(network: Network, data: Item | Sequence[Any]) -> list[Stream]:
    """Streams of calls from an array, arrays by input name, or a list of either.

    Raises InputError naming the input for a wrong name, shape, type or content.
    """
    if not isinstance(data, list | tuple):
        return _streams(network, data)
    if not data:
        raise InputError("the data is an empty list; give at least one array")
    return [stream for item in data for stream in _streams(network, item)]


def _streams(network: Network, item: Item) -> list[Stream]:
    arrays = _by_name(network, item)
    calls = {tensor.name: _calls(tensor, arrays[tensor.name]) for tensor in network.inputs}
    counts = {name: len(values) for name, values in calls.items()}
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"the inputs are for different numbers of calls: {listed}")
    stream = [dict(zip(calls, values, strict=True)) for values in zip(*calls.values(), strict=True)]
    return [stream] if network.streaming else [[call] for call in stream]


def _by_name(network: Network, item: Item) -> dict[str, Array]:
    names = [tensor.name for tensor in network.inputs]
    if not isinstance(item, Mapping):
        if len(names) != 1:
            raise InputError(
                f"the network has {len(names)} inputs; give a dict of arrays by name: {', '.join(names)}"
            )
        item = {names[0]: item}
    for name in item:
        if name not in names:
            raise InputError(unknown(f"the data names {name!r}", name, names, "an input"))
    missing = [name for name in names if name not in item]
    if missing:
        raise InputError(f"the data for the input {missing[0]!r} is missing")
    return {name: _array(name, value) for name, value in item.items()}


def _array(name: str, value: ArrayLike) -> Array:
    try:
        return np.asarray(value)
    except ValueError as error:
        raise InputError(f"the data for {name} is not a regular array: {error}") from error


def _calls(tensor: Tensor, array: Array) -> list[Array]:
    """One array for each call."""
    if array.size == 0:
        raise InputError(f"the data for {tensor.name} is empty: its shape is {list(array.shape)}")
    array = _converted(tensor, array)
    shape = _call_shape(tensor)
    if _fits(array.shape, shape):
        return [array]
    axis = tensor.batch_axis
    if axis is not None and _fits(array.shape, (*shape[:axis], "items", *shape[axis + 1 :])):
        return [np.ascontiguousarray(part) for part in np.split(array, array.shape[axis], axis)]
    if _fits(array.shape, ("items", *shape)):
        return [*array]
    whole, item = _aligned(array.shape, shape), _aligned(array.shape[1:], shape)
    if whole is not None:
        return [array.reshape(whole)]
    if item is not None and array.ndim:
        return [part.reshape(item) for part in array]
    raise InputError(
        f"the data for {tensor.name} has the shape {list(array.shape)}, the network takes {_text(tensor)}"
        " for one call, or several of these along one more axis in front"
    )


def _call_shape(tensor: Tensor) -> tuple[int | str, ...]:
    return tuple(1 if axis == tensor.batch_axis else size for axis, size in enumerate(tensor.shape))


def _fits(shape: tuple[int, ...], wanted: tuple[int | str, ...]) -> bool:
    return len(shape) == len(wanted) and all(
        isinstance(want, str) or size == want for size, want in zip(shape, wanted, strict=True)
    )


@cache
def _aligned(shape: tuple[int, ...], wanted: tuple[int | str, ...]) -> tuple[int, ...] | None:
    """The shape with sizes of one put in or left out so that it fits; None if there is no way."""
    if not wanted:
        return () if all(size == 1 for size in shape) else None
    if shape and (isinstance(wanted[0], str) or shape[0] == wanted[0]):
        rest = _aligned(shape[1:], wanted[1:])
        if rest is not None:
            return (shape[0], *rest)
    if wanted[0] == 1 and (rest := _aligned(shape, wanted[1:])) is not None:
        return (1, *rest)
    return _aligned(shape[1:], wanted) if shape and shape[0] == 1 else None


def _text(tensor: Tensor) -> str:
    return "[" + ", ".join(map(str, tensor.shape)) + "]"


def _converted(tensor: Tensor, array: Array) -> Array:
    wanted = np.dtype(tensor.dtype)
    if array.dtype.kind not in {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}.get(wanted.kind, wanted.kind):
        raise InputError(f"the data for {tensor.name} is of type {array.dtype}, the network takes {wanted}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = [int(axis[0]) for axis in np.nonzero(~np.isfinite(array))]
        raise InputError(
            f"the data for {tensor.name} is {array[tuple(place)]} at {place}; every value must be finite"
        )
    with np.errstate(over="ignore"):
        converted = array.astype(wanted, order="C", copy=False)
    lossless = np.isfinite(converted).all() if wanted.kind == "f" else np.array_equal(converted, array)
    if not lossless:
        raise InputError(f"the data for {tensor.name} holds values that {wanted} cannot hold")
    return converted

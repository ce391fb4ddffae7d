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
CONVERTED_FROM = {"f": "fiu", "i": "iu", "u": "iu", "b": "b"}
"""Kinds of types that a network's type takes, as NumPy names kinds."""


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
    layout = _layout(tensor.shape, tensor.batch_axis, array.shape)
    if layout is None:
        raise InputError(
            f"the data for {tensor.name} has the shape {list(array.shape)}, the network takes {_text(tensor)}"
            " for one call, or several of these along one more axis in front"
        )
    shape, axis = layout
    if axis is None:
        return [array.reshape(shape)]
    return [np.ascontiguousarray(part).reshape(shape) for part in np.moveaxis(array, axis, 0)]


@cache
def _layout(
    declared: tuple[int | str, ...], batch_axis: int | None, given: tuple[int, ...]
) -> tuple[tuple[int, ...], int | None] | None:
    """The shape of a call, and the axis of the given array along which the calls lie; None for one that does not fit.

    A single step of a stream costs less when this is remembered.
    """
    wanted = tuple(1 if axis == batch_axis else size for axis, size in enumerate(declared))
    if _fits(given, wanted):
        return given, None
    if batch_axis is not None and _fits(given, (*wanted[:batch_axis], "items", *wanted[batch_axis + 1 :])):
        return (*given[:batch_axis], 1, *given[batch_axis + 1 :]), batch_axis
    if _fits(given, ("items", *wanted)):
        return given[1:], 0
    whole, item = _aligned(given, wanted), _aligned(given[1:], wanted)
    if whole is not None:
        return whole, None
    return (item, 0) if item is not None and given else None


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
    if array.dtype.kind not in CONVERTED_FROM.get(wanted.kind, wanted.kind):
        raise InputError(f"the data for {tensor.name} is of type {array.dtype}, the network takes {wanted}")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        place = [int(axis[0]) for axis in np.nonzero(~np.isfinite(array))]
        raise InputError(
            f"the data for {tensor.name} is {array[tuple(place)]} at {place}; every value must be finite"
        )
    if array.dtype == wanted:
        return np.asarray(array, order="C")
    with np.errstate(over="ignore"):
        converted = array.astype(wanted, order="C")
    lossless = np.isfinite(converted).all() if wanted.kind == "f" else np.array_equal(converted, array)
    if not lossless:
        raise InputError(f"the data for {tensor.name} holds values that {wanted} cannot hold")
    return converted

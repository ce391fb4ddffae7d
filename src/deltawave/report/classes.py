"""Classification: one class for a whole stream, one for every call, or one for every step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import InputError

Label = int | str | NDArray[Any]
"""Of one stream: its class, its text, or an array with the class of every call or step."""
Array = NDArray[Any]


@dataclass(frozen=True)
class Share:
    """How many of the labels counted were met."""

    right: int
    counted: int


def share_right(
    rows: Sequence[Array], labels: Sequence[Label], calls: Sequence[int], threshold: float | None
) -> Share:
    """How often the outputs say the label. rows: [steps, classes] by stream; calls: how many made them.

    The class said is the largest; with a `threshold`, whether the last column reaches it. Raises InputError.
    """
    right = counted = 0
    for number, (row, label) in enumerate(zip(rows, labels, strict=True)):
        expected = _classes(label, number, row.shape[1] if threshold is None else 2)
        said = row.argmax(axis=-1) if threshold is None else row[:, -1] >= threshold
        right += int(
            np.count_nonzero(_where_labelled(said, len(expected), calls[number], number) == expected)
        )
        counted += len(expected)
    return Share(right, counted)


def _classes(label: Label, number: int, classes: int) -> Array:
    expected = np.atleast_1d(np.asarray(label))
    if expected.dtype.kind not in "iub" or expected.ndim != 1 or not expected.size:
        kind = f"{expected.dtype} of shape {expected.shape}"
        raise InputError(f"the labels of stream {number} are {kind}; classes are a list of whole numbers")
    wrong = expected[(expected < 0) | (expected >= classes)]
    if wrong.size:
        raise InputError(f"stream {number} has the label {wrong[0]}; classes go from 0 to {classes - 1}")
    return expected


def _where_labelled(said: Array, labels: int, calls: int, number: int) -> Array:
    """What was said at every step, at the end of every call, or at the end."""
    if labels == len(said):
        return said
    if labels == calls:
        return said.reshape(calls, -1)[:, -1]
    if labels == 1:
        return said[-1:]
    raise InputError(
        f"stream {number} has {labels} labels for {calls} calls and {len(said)} steps; "
        "give one a stream, a call or a step"
    )

"""Language models: the next token of the input is the label of every step but the last."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import InputError
from deltawave.report.classes import Share


def next_tokens_right(rows: Sequence[NDArray[Any]], tokens: Sequence[NDArray[Any]]) -> tuple[Share, float]:
    """Tokens foretold, and the bits all of them took. rows: logits or probabilities [steps, classes] by stream.

    Raises InputError where there is not one row a token, or no second token.
    """
    right = counted = 0
    bits = 0.0
    for number, (row, stream) in enumerate(zip(rows, tokens, strict=True)):
        if len(row) != stream.size:
            raise InputError(
                f"stream {number} has {stream.size} tokens and {len(row)} outputs; next-token pairs them"
            )
        expected = stream.ravel()[1:]
        right += int(np.count_nonzero(row[:-1].argmax(axis=-1) == expected))
        bits += float(np.sum(_bits(row[:-1])[np.arange(len(expected)), expected]))
        counted += len(expected)
    if not counted:
        raise InputError("the metric 'next-token' needs a stream of at least two tokens")
    return Share(right, counted), bits


def _bits(row: NDArray[Any]) -> NDArray[np.float64]:
    """-log2 of every class's probability. Rows that are no probabilities are logits."""
    wide = np.asarray(row, np.float64)
    if wide.min(initial=0.0) >= 0 and np.all(np.abs(wide.sum(axis=-1) - 1.0) < 1e-3):
        return np.asarray(-np.log2(np.maximum(wide, 2.0**-100)))
    shifted = wide - wide.max(axis=-1, keepdims=True)
    return np.asarray((np.log(np.exp(shifted).sum(axis=-1, keepdims=True)) - shifted) / math.log(2.0))

"""Texts read from outputs by connectionist temporal classification (CTC)."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from numpy.typing import NDArray

from deltawave.errors import InputError
from deltawave.report.classes import Label, Share


def characters_right(
    rows: Sequence[NDArray[Any]], labels: Sequence[Label], alphabet: Sequence[str], blank: int | None
) -> Share:
    """Characters less the edits that lead from what was read to the labels. rows: [steps, classes] by stream.

    Raises InputError for labels that are no texts and an alphabet that does not fit.
    """
    blank = _blank_class(alphabet, blank, rows[0].shape[1])
    right = counted = 0
    for row, label in zip(rows, labels, strict=True):
        if not isinstance(label, str):
            raise InputError(f"the metric 'ctc' compares texts and {label!r} is none; choose top1 or binary")
        right += len(label) - edit_distance(greedy_text(row, alphabet, blank), label)
        counted += len(label)
    return Share(right, counted)


def _blank_class(alphabet: Sequence[str], blank: int | None, classes: int) -> int:
    if len(alphabet) != classes:
        raise InputError(
            f"the alphabet has {len(alphabet)} letters and the output {classes} classes; "
            "give a file with one line a class, the blank's empty"
        )
    if blank is None and "" not in alphabet:
        raise InputError(
            "no letter of the alphabet is empty; leave the blank's line empty, or give its index"
        )
    chosen = list(alphabet).index("") if blank is None else blank
    if not 0 <= chosen < classes:
        raise InputError(f"the blank is class {chosen}; classes go from 0 to {classes - 1}")
    return chosen


def greedy_text(row: NDArray[Any], alphabet: Sequence[str], blank: int) -> str:
    """The best class of every step of [steps, classes], repeats merged, blanks dropped."""
    return "".join(alphabet[k] for k, _ in groupby(row.argmax(axis=-1).tolist()) if k != blank)


def edit_distance(a: str, b: str) -> int:
    """Insertions, deletions and substitutions that lead from one text to the other."""
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, other in enumerate(b, 1):
            substituted = diagonal + (letter != other)
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, substituted)
    return row[-1]

"""Labels from files, dealt out to the streams they belong to."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltawave.arrays import read_npy, read_npz
from deltawave.errors import InputError
from deltawave.files import PathLike, contents, text_of
from deltawave.options import nearest

Label = int | str | NDArray[Any]
LABEL_KEYS = ("labels", "label")


def read_labels(path: PathLike, streams: int, key: str | None = None) -> list[Label]:
    """Labels of `streams` streams: one item each, or for one stream all of the file.

    .npy and .npz hold whole numbers (the array `key`, else one named labels or label, else the only one);
    .txt holds one number or one text a line. Raises InputError.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".txt":
        return deal_labels(_lines(path), streams, str(path))
    if suffix == ".npy":
        return deal_labels(read_npy(contents(path), str(path)), streams, str(path))
    if suffix == ".npz":
        return deal_labels(_from_npz(path, key), streams, str(path))
    raise InputError(f"{path}: labels come as .npy, .npz or .txt")


def labelled(path: PathLike) -> bool:
    """Whether a file of inputs brings its labels along: a .npz with an array named labels or label."""
    if Path(path).suffix.lower() != ".npz":
        return False
    return any(name in LABEL_KEYS for name in read_npz(contents(path), str(path)))


def deal_labels(labels: NDArray[Any], streams: int, place: str) -> list[Label]:
    """One label a stream. Raises InputError unless there is one for each, or a single stream to take all."""
    if labels.dtype.kind not in "iubU":
        raise InputError(f"{place} has labels of type {labels.dtype}; labels are whole numbers or texts")
    if labels.ndim == 1 and streams == 1 and (labels.dtype.kind != "U" or labels.size == 1):
        return [labels if labels.dtype.kind != "U" else str(labels[0])]
    if labels.ndim not in (1, 2) or len(labels) != streams:
        raise InputError(
            f"{place} has labels of shape {labels.shape} for {streams} streams; give one row a stream"
        )
    return [str(label) if labels.dtype.kind == "U" else np.asarray(label) for label in labels]


def _lines(path: PathLike) -> NDArray[Any]:
    lines = text_of(path).splitlines()
    if not lines:
        raise InputError(f"{path} has no labels")
    try:
        return np.array([int(line) for line in lines], np.int64)
    except (ValueError, OverflowError):
        return np.array(lines)


def _from_npz(path: PathLike, key: str | None) -> NDArray[Any]:
    arrays = read_npz(contents(path), str(path))
    if key is not None and key not in arrays:
        raise InputError(f"{path} has no array {key!r}; {nearest(key, arrays)}")
    names = [key] if key else [name for name in LABEL_KEYS if name in arrays] or list(arrays)
    if len(names) != 1:
        raise InputError(f"{path} holds {', '.join(sorted(arrays))}; say which are the labels (--label-key)")
    return arrays[names[0]]

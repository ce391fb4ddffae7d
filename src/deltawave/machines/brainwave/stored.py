"""Compiled parts from the arrays of a program file, which are not trusted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltawave.numerics.block_float import BlockFloat, Blocks

Arrays = Mapping[str, NDArray[np.generic]]


def typed(arrays: Arrays, name: str, kind: type, shape: tuple[int, ...]) -> NDArray[Any]:
    """The array of that name, which must have this type and shape. Raises KeyError, ValueError."""
    array = arrays[name]
    if array.dtype != np.dtype(kind) or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} {array.shape}")
    return array


def typed_blocks(arrays: Arrays, suffix: str, number_format: BlockFloat, shape: tuple[int, int]) -> Blocks:
    """The mantissas and exponents of that suffix as blocks, [rows, columns]. Raises KeyError, ValueError."""
    mantissas = typed(arrays, f"mantissas{suffix}", np.int8, (*shape, number_format.block))
    exponents = typed(arrays, f"exponents{suffix}", np.int8, shape)
    if (
        np.abs(mantissas.astype(np.int16)).max() > number_format.highest
        or not -15 <= exponents.min() <= exponents.max() <= 16
    ):
        raise ValueError(f"weights{suffix} are not of the format")
    return Blocks(number_format, mantissas, exponents)

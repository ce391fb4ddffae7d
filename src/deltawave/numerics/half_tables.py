"""Activation functions from float16 to float16, as tables of all 65,536 bit patterns.

An entry is the function in float64, rounded to float16 once. Every NaN gives the one NaN 0x7E00.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Half = NDArray[np.float16]
Doubles = NDArray[np.float64]

LARGEST_HALF = 65504.0
"""The largest finite float16."""


def _sigmoid(x: Doubles) -> Doubles:
    return 1 / (1 + np.exp(-x))


def _relu(x: Doubles) -> Doubles:
    return np.where(x > 0, x, np.where(np.isnan(x), x, 0.0))


HALF_FUNCTIONS: dict[str, Callable[[Doubles], Doubles]] = {
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": _relu,
}


@cache
def half_table(name: str) -> Half:
    """The function of that name (a key of HALF_FUNCTIONS) for every float16, by bit pattern: float16 [65536]."""
    x = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        table = HALF_FUNCTIONS[name](x).astype(np.float16)
    table[np.isnan(x)] = np.nan
    table.flags.writeable = False
    return table


def apply_half(name: str, x: Half) -> Half:
    """The function of that name, element by element."""
    return half_table(name)[x.view(np.uint16)]

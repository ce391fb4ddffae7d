"""Column-balanced targeted dropout: pruning that leaves all processing elements equal work in every column.

Spartus (Gao et al., TNNLS 2022, arXiv:2108.02297; the authors' code, DeltaLSTM-CBTD) gives row i of a stacked
weight matrix to processing element i mod N. In each column, each element drops its smallest weights, each with
probability alpha. A training raises alpha to 1 over its epochs; from then on all elements keep equally many weights
of a column.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltawave.errors import InputError, OptionError


def cbtd_keep(
    weights: ArrayLike, elements: int, gamma: float, alpha: float, rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Which of the weights [rows, columns] to keep, the gates stacked in the rows: bool [rows, columns].

    In every column, element e owns rows e, e + elements, ...; of these the `floor(rows / elements * gamma)`
    smallest in magnitude (the first rows among equals) are each dropped with probability `alpha`.

    Raises InputError for weights that are not a finite matrix whose rows divide by `elements`, OptionError for a
    `gamma` or `alpha` outside 0 to 1.
    """
    magnitudes = _checked_magnitudes(weights, elements)
    _check_fraction("gamma", gamma)
    _check_fraction("alpha", alpha)
    rows, columns = magnitudes.shape
    owned = rows // elements
    ranks = magnitudes.reshape(owned, elements, columns).argsort(axis=0, kind="stable").argsort(axis=0)
    dropped = (ranks < cbtd_targets(owned, gamma)) & (rng.random(ranks.shape) < alpha)
    return ~dropped.reshape(rows, columns)


def cbtd_targets(owned: int, gamma: float) -> int:
    """How many of the `owned` weights of an element and a column are to go: floor(owned * gamma)."""
    return math.floor(round(owned * gamma, 9))  # 100 * 0.29 is 28.999999999999996 in floats, and 29 is meant


def _checked_magnitudes(weights: ArrayLike, elements: int) -> NDArray[np.float64]:
    magnitudes = np.abs(np.asarray(weights, np.float64))
    if magnitudes.ndim != 2:
        raise InputError(f"pruning takes a matrix [rows, columns], not an array of shape {magnitudes.shape}")
    if not np.isfinite(magnitudes).all():
        row, column = np.argwhere(~np.isfinite(magnitudes))[0]
        raise InputError(f"pruning takes finite weights; the one in row {row}, column {column} is not")
    if elements < 1 or len(magnitudes) % elements:
        raise InputError(
            f"{len(magnitudes)} rows can't be shared equally by {elements} processing elements; "
            "choose a divisor of the rows"
        )
    return magnitudes


def _check_fraction(name: str, value: float) -> None:
    if not 0.0 <= value <= 1.0:
        raise OptionError(f"{name} is a fraction from 0 to 1, not {value}")

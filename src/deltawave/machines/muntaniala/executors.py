"""Runs one compiled cell: floats in, floats out, the machine's integers between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.stationary_lstm import LstmState
from deltawave.machines.base import Floats
from deltawave.machines.muntaniala import semantics
from deltawave.numerics import Fixed
from deltawave.numerics.fixed import Integers

if TYPE_CHECKING:
    from deltawave.machines.muntaniala.compiled import MuntanialaCell

Flags = NDArray[np.bool_]
WIDEST_SHIFT = 14
"""Up to which a product of bytes can be rounded in 16 bits."""


class _Executor:
    """Floats in, floats out: the formats at the array's edge."""

    def __init__(self, compiled: MuntanialaCell) -> None:
        self._cell, self._shifts = compiled.cell, compiled.feature_shifts
        self.reset(None, None)

    def reset(self, h: Floats | None, c: Floats | None) -> None:
        """Start from h and c, zero if None."""
        cell = self._cell
        zero = np.zeros(cell.hidden, np.float32)
        self._state = LstmState(
            *(
                format_.quantise(zero if s is None else s).astype(np.int32)
                for format_, s in ((cell.h, h), (cell.c, c))
            )
        )

    def run(self, x: Floats) -> tuple[Floats, Flags]:
        """x: float32 [steps, inputs] -> h: float32 [steps, hidden], what did not fit: bool [steps, columns]."""
        features = np.ldexp(x.astype(np.float64), -self._shifts)
        h, flags = self._steps(self._cell.x.quantise(features).astype(np.int32))
        return self._cell.h.value(h).astype(np.float32), np.hstack([saturated(self._cell.x, features), flags])

    def final(self) -> tuple[Floats, Floats]:
        """h and c after the last step, float32 [hidden]."""
        cell, state = self._cell, self._state
        h, c = cell.h.value(state.h), cell.c.value(state.c)
        return h.astype(np.float32), c.astype(np.float32)

    def _steps(self, xs: NDArray[np.int32]) -> tuple[NDArray[np.int32], Flags]:
        raise NotImplementedError


class PlainExecutor(_Executor):
    """The semantics, die by die in NumPy."""

    def __init__(self, compiled: MuntanialaCell) -> None:
        super().__init__(compiled)
        self._units = compiled.units

    def _steps(self, xs: NDArray[np.int32]) -> tuple[NDArray[np.int32], Flags]:
        return semantics.run(self._cell, self._state, xs, self._units)


class FastExecutor(_Executor):
    """As one big die: sums over all columns at once, products in 16 bits where they fit."""

    def __init__(self, compiled: MuntanialaCell) -> None:
        super().__init__(compiled)
        cell = compiled.cell
        self._products = [
            _Products(cell.weights_x, cell.shift_x),
            _Products(cell.weights_h, cell.shift_h),
        ]

    def _steps(self, xs: NDArray[np.int32]) -> tuple[NDArray[np.int32], Flags]:
        cell, state = self._cell, self._state
        outputs = np.empty((len(xs), cell.hidden), np.int32)
        flags = np.empty((len(xs), 6 * cell.hidden), np.bool_)
        of_x, of_h = self._products
        for t, x in enumerate(xs):
            exact = cell.bias + of_x.sums(x) + of_h.sums(state.h)
            flags[t] = semantics.element_wise(cell, state, cell.accumulator.narrow(exact), exact)
            outputs[t] = state.h
        return outputs, flags


class _Products:
    """Rounded products of bytes, summed."""

    def __init__(self, weights: NDArray[np.int8], shift: int) -> None:
        self._shift = shift
        self._weights: NDArray[Any] = weights.astype(np.int16 if shift <= WIDEST_SHIFT else np.int32)

    def sums(self, values: NDArray[np.int32]) -> Integers:
        """int64 [rows]."""
        products = self._weights * values.astype(self._weights.dtype)
        if self._shift > 0:
            products += ((products >> self._shift) & 1) + ((1 << (self._shift - 1)) - 1)
            products >>= self._shift
        total: Integers = products.sum(axis=1, dtype=np.int64)
        return total


def saturated(format_: Fixed, values: NDArray[np.float64]) -> Flags:
    """Where values do not fit the format."""
    scaled = np.rint(np.ldexp(values, format_.fraction_bits))
    return (scaled < format_.lowest) | (scaled > format_.highest)

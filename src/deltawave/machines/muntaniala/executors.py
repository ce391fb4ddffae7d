"""Runs one compiled cell: floats in, floats out, the machine's integers between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.stationary_lstm import LstmState, NativeStationaryLstm
from deltawave.machines.base import Floats
from deltawave.machines.muntaniala import semantics
from deltawave.numerics import Fixed

if TYPE_CHECKING:
    from deltawave.machines.muntaniala.compiled import MuntanialaCell

Flags = NDArray[np.bool_]


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


class NativeExecutor(_Executor):
    """The kernels, as one big die."""

    def __init__(self, compiled: MuntanialaCell) -> None:
        self._native = NativeStationaryLstm(compiled.cell)
        super().__init__(compiled)

    def _steps(self, xs: NDArray[np.int32]) -> tuple[NDArray[np.int32], Flags]:
        self._native.load(self._state)
        h, flags = self._native.run(xs)
        self._state = self._native.state()
        return h, flags


def saturated(format_: Fixed, values: NDArray[np.float64]) -> Flags:
    """Where values do not fit the format."""
    scaled = np.rint(np.ldexp(values, format_.fraction_bits))
    return (scaled < format_.lowest) | (scaled > format_.highest)

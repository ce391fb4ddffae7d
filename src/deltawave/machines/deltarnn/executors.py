"""Runs one compiled cell: floats in, floats out, the machine's integers between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.cell import CellState
from deltawave.kernels.native import NativeCell
from deltawave.machines.base import Floats
from deltawave.machines.deltarnn import semantics

if TYPE_CHECKING:
    from deltawave.machines.deltarnn.compiled import DeltaCell


class _Executor:
    """Floats in, floats out: the formats at a machine's edge."""

    def __init__(self, compiled: DeltaCell) -> None:
        self._compiled = compiled
        self._cell = compiled.cell

    def _start(self, h: Floats | None, c: Floats | None) -> CellState:
        heard = [None if s is None else self._cell.activation.quantise(s).astype(np.int32) for s in (h, c)]
        return CellState.initial(self._cell, *heard)

    def _heard(self, x: Floats) -> NDArray[np.int32]:
        return self._compiled.input_format.quantise(x).astype(np.int32)

    def _floats(self, integers: NDArray[np.generic]) -> Floats:
        return self._cell.activation.value(integers).astype(np.float32)


class PlainExecutor(_Executor):
    """The semantics, step by step in NumPy."""

    def __init__(self, compiled: DeltaCell) -> None:
        super().__init__(compiled)
        self.reset(None, None)

    def reset(self, h: Floats | None, c: Floats | None) -> None:
        """Start from h and c (zero if None), nothing sent yet."""
        self._state = self._start(h, c)

    def run(self, x: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """x: float32 [steps, inputs] -> h: float32 [steps, hidden], what was sent: bool [steps, columns]."""
        h, sent = semantics.run(self._cell, self._state, self._heard(x))
        return self._floats(h), sent

    def final(self) -> tuple[Floats, Floats]:
        """h and c after the last step, float32 [hidden]."""
        return self._floats(self._state.h), self._floats(self._state.c)


class NativeExecutor(_Executor):
    """The kernels."""

    def __init__(self, compiled: DeltaCell) -> None:
        super().__init__(compiled)
        self._native = NativeCell(compiled.cell, mode="delta")

    def reset(self, h: Floats | None, c: Floats | None) -> None:
        """Start from h and c (zero if None), nothing sent yet."""
        self._native.load(self._start(h, c))

    def run(self, x: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """x: float32 [steps, inputs] -> h: float32 [steps, hidden], what was sent: bool [steps, columns]."""
        h, sent = self._native.run(self._heard(x))
        assert sent is not None
        return self._floats(h), sent

    def final(self) -> tuple[Floats, Floats]:
        """h and c after the last step, float32 [hidden]."""
        state = self._native.state()
        return self._floats(state.h), self._floats(state.c)

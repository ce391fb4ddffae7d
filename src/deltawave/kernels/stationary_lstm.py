"""An LSTM of narrow integers whose products are rounded before they are summed: a cell of Muntaniala dies.

Weights, x and h are at most a byte. Each product is rounded to the accumulator's fraction on its way in, so that
accumulators of 16 bits hold sums of full products; as it is rounded alone, the sum does not depend on the order of
the products. Accumulators wrap, c and h saturate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deltawave import _native
from deltawave.errors import InputError, OptionError
from deltawave.numerics import ActivationTable, Fixed

GATES = ("i", "f", "g", "o")
PEEPHOLES = ("i", "f", "o")
WIDEST = {"x": 8, "h": 8, "c": 32, "accumulator": 32}
"""Bits of each format, so that nothing leaves 64 bits."""
MOST_INTEGER_BITS = MOST_FRACTION_BITS = 40


@dataclass(frozen=True, eq=False, kw_only=True)
class StationaryLstm:
    """One direction of one layer, every number an integer. Rows of the weights: gates i, f, g, o.

    weights_x: int8 [4 * hidden, inputs]; weights_h: int8 [4 * hidden, hidden]; bias: int32 [4 * hidden] in words of
    the accumulator; peepholes: int8 [3, hidden] (i, f, o) or None. `weight_fractions`: fraction bits of weights_x,
    weights_h and the peepholes. `x`, `h`, `c`, `accumulator`: formats. Tables: inputs and outputs have
    `table_fraction_bits`. Raises OptionError for formats that are out of range.
    """

    weights_x: NDArray[np.int8]
    weights_h: NDArray[np.int8]
    bias: NDArray[np.int32]
    peepholes: NDArray[np.int8] | None
    weight_fractions: tuple[int, int, int]
    x: Fixed
    h: Fixed
    c: Fixed
    accumulator: Fixed
    table_fraction_bits: int
    gate: ActivationTable
    candidate: ActivationTable
    output: ActivationTable

    def __post_init__(self) -> None:
        for name, widest in WIDEST.items():
            _check_format(name, getattr(self, name), widest)
        shifts = (self.shift_x, self.shift_h, self.shift_peephole)
        if min(shifts[:2]) < 0 or shifts[2] < -24 or max(shifts) > 60:
            raise OptionError(
                f"products of weights with x, h and c are rounded by {shifts} bits; that goes from 0, 0 and -24 to 60"
            )
        if not 1 <= self.table_fraction_bits <= 14:
            raise OptionError(f"tables have 1 to 14 fraction bits, not {self.table_fraction_bits}")

    @property
    def inputs(self) -> int:
        """Size of the input vector."""
        return int(self.weights_x.shape[1])

    @property
    def hidden(self) -> int:
        """Size of the state vector."""
        return int(self.weights_h.shape[1])

    @property
    def shift_x(self) -> int:
        """Bits that a product with x is rounded by on its way into the accumulator."""
        return self.weight_fractions[0] + self.x.fraction_bits - self.accumulator.fraction_bits

    @property
    def shift_h(self) -> int:
        """Bits that a product with h is rounded by."""
        return self.weight_fractions[1] + self.h.fraction_bits - self.accumulator.fraction_bits

    @property
    def shift_peephole(self) -> int:
        """Bits that a product with c is rounded by."""
        return self.weight_fractions[2] + self.c.fraction_bits - self.accumulator.fraction_bits

    @property
    def columns(self) -> int:
        """Of the activity: see `Events`."""
        return self.inputs + 6 * self.hidden


@dataclass(eq=False)
class LstmState:
    """What a cell keeps between steps: int32 [hidden] each."""

    h: NDArray[np.int32]
    c: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Events:
    """What did not fit in a run, by column of the activity: bool [steps, ...] each.

    `x`: inputs that saturated [inputs]; `accumulators`: sums outside of the accumulator, which wrapped [4 * hidden];
    `c`, `h`: states that saturated [hidden].
    """

    x: NDArray[np.bool_]
    accumulators: NDArray[np.bool_]
    c: NDArray[np.bool_]
    h: NDArray[np.bool_]

    @classmethod
    def of(cls, cell: StationaryLstm, rows: NDArray[np.bool_]) -> "Events":
        """The columns of an activity by what they mean."""
        inputs, hidden = cell.inputs, cell.hidden
        return cls(*np.split(rows, np.cumsum([inputs, 4 * hidden, hidden]), axis=1))


def _check_format(name: str, format_: Fixed, widest: int) -> None:
    fits = format_.integer_bits <= MOST_INTEGER_BITS and format_.fraction_bits <= MOST_FRACTION_BITS
    if format_.bits > widest or not fits:
        raise OptionError(
            f"the format {format_} of {name} is out of range: at most {widest} bits, {MOST_INTEGER_BITS} of them "
            f"before the point and {MOST_FRACTION_BITS} after it; scale the network"
        )


class NativeStationaryLstm:
    """A cell in compiled code, with its state: the bits of the machine's semantics.

    simd: the vector instructions to use, `scalar`, `avx2` or `avx512`; the fastest if None.
    """

    def __init__(self, cell: StationaryLstm, *, simd: str | None = None) -> None:
        self.cell = cell
        self._native = _native_lstm(cell, simd)

    def run(self, xs: NDArray[np.integer]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """A sequence from the present state: xs [steps, inputs] -> h int32 [steps, hidden] and what did not fit, bool
        [steps, 6 * hidden]: accumulators that wrapped, then c and h that saturated. Raises InputError."""
        if xs.ndim != 2 or xs.shape[1] != self.cell.inputs:
            raise InputError(f"xs is an array [steps, {self.cell.inputs}], got the shape {list(xs.shape)}")
        if xs.size and not self.cell.x.lowest <= xs.min() <= xs.max() <= self.cell.x.highest:
            raise InputError(f"xs holds integers of {self.cell.x.bits} bits, got {xs.min()} to {xs.max()}")
        outputs = np.empty((len(xs), self.cell.hidden), np.int32)
        flags = np.empty((len(xs), 6 * self.cell.hidden), np.bool_)
        self._native.run(np.ascontiguousarray(xs, np.int16), outputs, flags.view(np.uint8))
        return outputs, flags

    def load(self, state: LstmState) -> None:
        """Continue from a state."""
        self._native.load(np.ascontiguousarray(state.h, np.int32), np.ascontiguousarray(state.c, np.int32))

    def state(self) -> LstmState:
        """A copy of the present state."""
        state = LstmState(*(np.empty(self.cell.hidden, np.int32) for _ in range(2)))
        self._native.save(state.h, state.c)
        return state


def _native_lstm(cell: StationaryLstm, simd: str | None) -> "_native.StationaryLstm":
    formats = (
        cell.shift_x,
        cell.shift_h,
        cell.shift_peephole,
        cell.accumulator.bits,
        cell.accumulator.fraction_bits,
        cell.table_fraction_bits,
        cell.c.bits,
        cell.c.fraction_bits,
        cell.h.bits,
        cell.h.fraction_bits,
    )
    return _native.StationaryLstm(
        weights_x=np.ascontiguousarray(cell.weights_x, np.int8),
        weights_h=np.ascontiguousarray(cell.weights_h, np.int8),
        bias=np.ascontiguousarray(cell.bias, np.int32),
        peepholes=None if cell.peepholes is None else np.ascontiguousarray(cell.peepholes, np.int8),
        formats=formats,
        gate=np.ascontiguousarray(cell.gate.values, np.int16),
        gate_first=cell.gate.first,
        candidate=np.ascontiguousarray(cell.candidate.values, np.int16),
        candidate_first=cell.candidate.first,
        output=np.ascontiguousarray(cell.output.values, np.int16),
        output_first=cell.output.first,
        simd=simd,
    )

"""An LSTM of narrow integers whose products are rounded before they are summed: a cell of Muntaniala dies.

Weights, x and h are at most a byte. Each product is rounded to the accumulator's fraction on its way in, so that
accumulators of 16 bits hold sums of full products; as it is rounded alone, the sum does not depend on the order of
the products. Accumulators wrap, c and h saturate.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deltawave.numerics import ActivationTable, Fixed

GATES = ("i", "f", "g", "o")
PEEPHOLES = ("i", "f", "o")


@dataclass(frozen=True, eq=False, kw_only=True)
class StationaryLstm:
    """One direction of one layer, every number an integer. Rows of the weights: gates i, f, g, o.

    weights_x: int8 [4 * hidden, inputs]; weights_h: int8 [4 * hidden, hidden]; bias: int32 [4 * hidden] in words of
    the accumulator; peepholes: int8 [3, hidden] (i, f, o) or None. `weight_fractions`: fraction bits of weights_x,
    weights_h and the peepholes. `x`, `h`, `c`, `accumulator`: formats. Tables: inputs and outputs have
    `table_fraction_bits`.
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

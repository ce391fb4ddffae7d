"""The meaning of an array of LSTM dies, executed: plain NumPy integers, one operation a line.

A layer lies on rows and columns of dies. Each die multiplies its slices of x and h by weights that never move; the
sums travel along a row, each die adding its own; the last die of the row adds bias and peepholes, looks up sigmoid and
tanh, and makes new c and h. Accumulators wrap, so the sums are the same however the columns are cut into dies.

Decided here, as the papers' texts that we have do not say: every product is rounded (to nearest, ties to even) to the
accumulator's last place before it is added; peepholes are added where the bias is; each product of the element-wise
phase is rounded to c's last place before the sum, and the sum saturates; the peephole of o sees the new c.
"""

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.stationary_lstm import LstmState, StationaryLstm
from deltawave.numerics import round_shift
from deltawave.numerics.fixed import Integers

Flags = NDArray[np.bool_]


def partial_sums(weights: NDArray[np.int8], values: NDArray[np.int32], shift: int) -> Integers:
    """What a die adds for its slice of a vector: rounded products, summed. Exact."""
    total: Integers = round_shift(weights.astype(np.int64) * values, shift).sum(axis=1)
    return total


def sums_along_a_row(cell: StationaryLstm, state: LstmState, x: NDArray[np.int32], units: int) -> Integers:
    """The accumulators of the last column, int64 [4 * hidden]. units: columns of x and of h on a die."""
    accumulator = cell.bias.astype(np.int64)
    for first in range(0, max(cell.inputs, cell.hidden), units):
        die = slice(first, first + units)
        own = cell.accumulator.narrow(
            partial_sums(cell.weights_x[:, die], x[die], cell.shift_x)
            + partial_sums(cell.weights_h[:, die], state.h[die], cell.shift_h)
        )
        accumulator = cell.accumulator.narrow(accumulator + own)
    return accumulator


def exact_sums(cell: StationaryLstm, state: LstmState, x: NDArray[np.int32]) -> Integers:
    """The same in accumulators that hold any sum: where they differ, an accumulator wrapped."""
    of_x = partial_sums(cell.weights_x, x, cell.shift_x)
    of_h = partial_sums(cell.weights_h, state.h, cell.shift_h)
    return cell.bias + of_x + of_h


def step(cell: StationaryLstm, state: LstmState, x: NDArray[np.int32], units: int) -> Flags:
    """One time step: `state` becomes the next. x: int32 [inputs].

    Returns what did not fit, bool [6 * hidden]: accumulators that wrapped, then c and h that saturated.
    """
    sums = sums_along_a_row(cell, state, x, units)
    return element_wise(cell, state, sums, exact_sums(cell, state, x))


def element_wise(cell: StationaryLstm, state: LstmState, sums: Integers, exact: Integers) -> Flags:
    """What the last column does with the sums of a step, int64 [4 * hidden]. `exact`: the sums if none wrapped."""
    n, fraction = cell.hidden, cell.table_fraction_bits
    old = np.concatenate([peephole(cell, 0, state.c), peephole(cell, 1, state.c)])
    sums[: 2 * n] = cell.accumulator.narrow(sums[: 2 * n] + old)
    i = cell.gate(to_table(cell, sums[:n]))
    f = cell.gate(to_table(cell, sums[n : 2 * n]))
    g = cell.candidate(to_table(cell, sums[2 * n : 3 * n]))
    kept = round_shift(f * state.c, fraction)
    added = round_shift(i * g, 2 * fraction - cell.c.fraction_bits)
    c = cell.c.narrow(kept + added)
    new = peephole(cell, 2, c)
    sums[3 * n :] = cell.accumulator.narrow(sums[3 * n :] + new)
    o = cell.gate(to_table(cell, sums[3 * n :]))
    squashed = cell.output(round_shift(c, cell.c.fraction_bits - fraction))
    wide_h = round_shift(o * squashed, 2 * fraction - cell.h.fraction_bits)
    h = cell.h.narrow(wide_h)
    state.c, state.h = c.astype(np.int32), h.astype(np.int32)
    unwrapped = exact + np.concatenate([old, np.zeros(n, np.int64), new])
    return np.concatenate([unwrapped != sums, c != kept + added, h != wide_h])


def run(
    cell: StationaryLstm, state: LstmState, xs: NDArray[np.int32], units: int
) -> tuple[NDArray[np.int32], Flags]:
    """A sequence: xs int32 [steps, inputs] -> h int32 [steps, hidden], what did not fit bool [steps, 6 * hidden]."""
    outputs = np.empty((len(xs), cell.hidden), np.int32)
    flags = np.empty((len(xs), 6 * cell.hidden), np.bool_)
    for t, x in enumerate(xs):
        flags[t] = step(cell, state, x, units)
        outputs[t] = state.h
    return outputs, flags


def peephole(cell: StationaryLstm, gate: int, c: NDArray[np.integer]) -> Integers:
    """What the peephole of gate i, f or o adds, in accumulator words; nothing without peepholes."""
    if cell.peepholes is None:
        return np.zeros(cell.hidden, np.int64)
    return round_shift(cell.peepholes[gate].astype(np.int64) * c, cell.shift_peephole)


def to_table(cell: StationaryLstm, sums: Integers) -> Integers:
    """Accumulators in the fraction of the tables' inputs."""
    return round_shift(sums, cell.accumulator.fraction_bits - cell.table_fraction_bits)

"""The meaning of a delta network accelerator, executed: plain NumPy integers, one operation a line.

A value is sent when it moved by at least the threshold since it was last sent (Neil et al., ICML 2017; a zero move is
never sent). What was sent is remembered, so skipped columns lose nothing. The GRU's roundings, alignments and wraps are
those of the published EdgeDRNN RTL, with its widths as parameters. Kernels and RTL are tested against this file, bit
for bit.

Decided here where the papers are silent: a difference is one bit wider than its operands, so that theta = 0 is the
plain quantised network for any input; a saturating accumulator saturates after every column, inputs first, in index
order; the LSTM rounds f*c + i*g once.
"""

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.cell import CellState, QuantisedCell
from deltawave.numerics import round_shift
from deltawave.numerics.fixed import Integers

Sent = NDArray[np.bool_]


def deltas(now: NDArray[np.int32], sent: NDArray[np.int32], theta: int) -> tuple[Integers, Sent]:
    """What to send (zero where nothing) and where; `sent` is brought up to date."""
    difference = now.astype(np.int64) - sent
    send = (difference != 0) & (np.abs(difference) >= theta)
    sent[send] = now[send]
    return np.where(send, difference, 0), send


def accumulate(
    cell: QuantisedCell, memory: Integers, weights: NDArray[np.int16], delta: Integers
) -> Integers:
    """memory + weights @ delta in the accumulator's format, column after column."""
    columns = np.flatnonzero(delta)
    products = weights[:, columns].astype(np.int64) * delta[columns]
    if not cell.accumulator_saturates:
        return cell.accumulator.narrow(memory + products.sum(axis=1))
    for product in products.T:
        memory = cell.accumulator.narrow(memory + product)
    return memory


def step(cell: QuantisedCell, state: CellState, x: NDArray[np.int32]) -> Sent:
    """One time step: `state` becomes the next; returns which of x, h (and r*h) were sent. x: int32 [inputs]."""
    delta_x, sent_x = deltas(x, state.x_sent, cell.theta_x)
    delta_h, sent_h = deltas(state.h, state.h_sent, cell.theta_h)
    if cell.kind == "gru":
        _gru(cell, state, delta_x, delta_h)
    elif cell.kind == "gru_before":
        return np.concatenate([sent_x, sent_h, _gru_before(cell, state, delta_x, delta_h)])
    elif cell.kind == "lstm":
        _lstm(cell, state, delta_x, delta_h)
    else:
        _rnn(cell, state, delta_x, delta_h)
    return np.concatenate([sent_x, sent_h])


def run(cell: QuantisedCell, state: CellState, xs: NDArray[np.int32]) -> tuple[NDArray[np.int32], Sent]:
    """A sequence: xs int32 [steps, inputs] -> h int32 [steps, hidden] and what was sent, bool [steps, columns]."""
    outputs = np.empty((len(xs), cell.hidden), np.int32)
    sent = np.empty((len(xs), cell.columns), np.bool_)
    for t, x in enumerate(xs):
        sent[t] = step(cell, state, x)
        outputs[t] = state.h
    return outputs, sent


def _gru(cell: QuantisedCell, state: CellState, delta_x: Integers, delta_h: Integers) -> None:
    n = cell.hidden
    m = state.memory.astype(np.int64)
    to_x, to_h = np.r_[0 : 3 * n], np.r_[0 : 2 * n, 3 * n : 4 * n]
    m[to_x] = accumulate(cell, m[to_x], cell.weights_x, delta_x)
    m[to_h] = accumulate(cell, m[to_h], cell.weights_h, delta_h)
    r = cell.gate(round_shift(m[:n], cell.weight_fraction_bits))
    u = cell.gate(round_shift(m[n : 2 * n], cell.weight_fraction_bits))
    ch = round_shift(m[3 * n :], cell.weight_fraction_bits)
    fraction = cell.activation.fraction_bits
    cx = round_shift(m[2 * n : 3 * n], cell.weight_fraction_bits - fraction)
    c = cell.candidate(round_shift(cell.accumulator.narrow(r * ch + cx), fraction))
    _update_gru(cell, state, u, c, m)


def _gru_before(cell: QuantisedCell, state: CellState, delta_x: Integers, delta_h: Integers) -> Sent:
    n = cell.hidden
    m = accumulate(cell, state.memory.astype(np.int64), cell.weights_x, delta_x)
    m[: 2 * n] = accumulate(cell, m[: 2 * n], cell.weights_h[: 2 * n], delta_h)
    r = cell.gate(round_shift(m[:n], cell.weight_fraction_bits))
    u = cell.gate(round_shift(m[n : 2 * n], cell.weight_fraction_bits))
    rh = cell.activation.narrow(round_shift(r * state.h, cell.activation.fraction_bits))
    delta_rh, sent_rh = deltas(rh.astype(np.int32), state.rh_sent, cell.theta_h)
    m[2 * n :] = accumulate(cell, m[2 * n :], cell.weights_h[2 * n :], delta_rh)
    c = cell.candidate(round_shift(m[2 * n :], cell.weight_fraction_bits))
    _update_gru(cell, state, u, c, m)
    return sent_rh


def _update_gru(cell: QuantisedCell, state: CellState, u: Integers, c: Integers, m: Integers) -> None:
    fraction = cell.activation.fraction_bits
    one = 1 << fraction
    h = round_shift((one - u) * c, fraction) + round_shift(u * state.h, fraction)
    state.h = cell.activation.narrow(h).astype(np.int32)
    state.memory = m.astype(np.int32)


def _lstm(cell: QuantisedCell, state: CellState, delta_x: Integers, delta_h: Integers) -> None:
    m = accumulate(cell, state.memory.astype(np.int64), cell.weights_x, delta_x)
    m = accumulate(cell, m, cell.weights_h, delta_h)
    pre = round_shift(m, cell.weight_fraction_bits).reshape(4, cell.hidden)
    i, f, g, o = cell.gate(pre[0]), cell.gate(pre[1]), cell.candidate(pre[2]), cell.gate(pre[3])
    fraction = cell.activation.fraction_bits
    c = cell.activation.narrow(round_shift(f * state.c + i * g, fraction))
    h = cell.activation.narrow(round_shift(o * cell.output(c), fraction))
    state.c, state.h, state.memory = c.astype(np.int32), h.astype(np.int32), m.astype(np.int32)


def _rnn(cell: QuantisedCell, state: CellState, delta_x: Integers, delta_h: Integers) -> None:
    m = accumulate(cell, state.memory.astype(np.int64), cell.weights_x, delta_x)
    m = accumulate(cell, m, cell.weights_h, delta_h)
    h = cell.activation.narrow(cell.candidate(round_shift(m, cell.weight_fraction_bits)))
    state.h, state.memory = h.astype(np.int32), m.astype(np.int32)

"""Number formats from data: one for each tensor.

x and the weights get the fraction bits with the smallest mean squared error. Accumulators and c must not overflow, so
they hold `headroom` times the largest value of the float cell on the calibration data; without data, accumulators hold
whatever these weights can make.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.machines.base import Floats, Samples
from deltawave.network.layers import Cell
from deltawave.numerics import Fixed
from deltawave.numerics.tables import FUNCTIONS

if TYPE_CHECKING:
    from deltawave.machines.muntaniala.machine import Muntaniala

Matrix = NDArray[np.float64]
LEAST = 2.0**-20
FINER = range(4)  # how much finer than what holds the largest value a format may be
UNKNOWN_INPUT = 4.0  # inputs go so far where there are no data, and c four times as far
UNKNOWN_C = 16.0


@dataclass(frozen=True)
class Formats:
    """Formats of a cell. The weights' are without overflow: they are quantised once."""

    x: Fixed
    h: Fixed
    c: Fixed
    accumulator: Fixed
    weights_x: Fixed
    weights_h: Fixed
    peepholes: Fixed
    bias: Fixed


@dataclass(frozen=True)
class Ranges:
    """The largest magnitudes: x float64 [samples, inputs] and h [samples, hidden] seen, or None; sums, c."""

    x: Matrix | None
    h: Matrix | None
    sums: float
    c: float


def pick(machine: Muntaniala, cell: Cell, samples: Samples) -> Formats:
    """Formats of one cell."""
    ranges = _unknown(cell) if samples.x is None else _seen(cell, samples.x)
    byte, weight = machine.state_bits, machine.weight_bits
    weights_x, weights_h = (best(w.astype(np.float64), weight) for w in (cell.weights_x, cell.weights_h))
    peepholes = best(np.zeros(1) if cell.peepholes is None else cell.peepholes.astype(np.float64), weight)
    x = (
        _holding(UNKNOWN_INPUT, byte)
        if ranges.x is None
        else best(ranges.x, byte, feature_power(cell.weights_x))
    )
    h = _holding(1.0, byte) if ranges.h is None else best(ranges.h, byte)
    wanted = _holding(ranges.sums * machine.headroom, machine.accumulator_bits).fraction_bits
    fraction = min(
        wanted, weights_x.fraction_bits + x.fraction_bits, weights_h.fraction_bits + h.fraction_bits
    )
    if not machine.rounds_products:
        weights_x, weights_h = (_of_fraction(machine, fraction - of.fraction_bits) for of in (x, h))
    bias = best(_bias(cell), machine.bias_bits)
    coarser = min(bias.fraction_bits, fraction)
    return Formats(
        x=x,
        h=h,
        c=_holding(ranges.c * machine.headroom, machine.accumulator_bits),
        accumulator=Fixed(machine.accumulator_bits - fraction, fraction, "wrap"),
        weights_x=weights_x,
        weights_h=weights_h,
        peepholes=peepholes,
        bias=Fixed(machine.bias_bits - coarser, coarser),
    )


def _of_fraction(machine: Muntaniala, fraction: int) -> Fixed:
    """Weights whose products are words of the accumulator as they are."""
    return Fixed(machine.weight_bits - fraction, fraction)


def _holding(largest: float, bits: int) -> Fixed:
    """The finest format of so many bits that holds values up to `largest`."""
    integer = 1 + int(np.ceil(np.log2(max(largest, LEAST))))
    return Fixed(integer, bits - integer)


def best(values: Matrix, bits: int, importance: Matrix | float = 1.0) -> Fixed:
    """The format of so many bits with the smallest mean squared error; `importance` weights the last axis."""
    coarse = _holding(float(np.abs(values).max(initial=0.0)), bits)
    finer = [Fixed(coarse.integer_bits - n, coarse.fraction_bits + n) for n in FINER]
    errors = [float(np.mean(importance * (f.value(f.quantise(values)) - values) ** 2)) for f in finer]
    return finer[int(np.argmin(errors))]


def feature_power(weights_x: NDArray[np.floating]) -> Matrix:
    """How much an error of each feature matters, float64 [inputs]."""
    power: Matrix = (weights_x.astype(np.float64) ** 2).mean(axis=0)
    return power


def _bias(cell: Cell) -> Matrix:
    total: Matrix = cell.bias_x.astype(np.float64) + cell.bias_h
    return total


def _unknown(cell: Cell) -> Ranges:
    """Without data: the largest sums that these weights can make."""
    rows = UNKNOWN_INPUT * np.abs(cell.weights_x).sum(axis=1) + np.abs(cell.weights_h).sum(axis=1)
    peepholes = 0.0 if cell.peepholes is None else UNKNOWN_C * float(np.abs(cell.peepholes).max())
    return Ranges(None, None, float((rows + np.abs(_bias(cell))).max()) + peepholes, UNKNOWN_C)


def _seen(cell: Cell, x: Floats) -> Ranges:
    """The float cell on the data, as one stream."""
    steps = x[::-1] if cell.reverse else x
    n, sigmoid, tanh, squash = cell.hidden, *(FUNCTIONS[name] for name in cell.activations)
    peepholes = np.zeros((3, n)) if cell.peepholes is None else cell.peepholes.astype(np.float64)
    heard = steps.astype(np.float64) @ cell.weights_x.T.astype(np.float64) + _bias(cell)
    weights_h = cell.weights_h.astype(np.float64)
    h, c, sums, largest_c = np.zeros(n), np.zeros(n), 0.0, 0.0
    said = np.empty((len(steps), n))
    for t, of_x in enumerate(heard):
        i, f, g, o = (of_x + weights_h @ h).reshape(4, n)
        i, f = i + peepholes[0] * c, f + peepholes[1] * c
        c = sigmoid(f) * c + sigmoid(i) * tanh(g)
        o = o + peepholes[2] * c
        h = said[t] = sigmoid(o) * squash(c)
        sums = max(sums, *(float(np.abs(gate).max()) for gate in (i, f, g, o)))
        largest_c = max(largest_c, float(np.abs(c).max()))
    return Ranges(steps.astype(np.float64), said, sums, largest_c)

"""Number formats from data.

Formats are picked by what they cost: of the weight and input formats whose accumulators hold twice the largest product
of the samples looked at, the one with the smallest mean squared error of the products.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.machines.base import Floats, Samples
from deltawave.numerics import Fixed

if TYPE_CHECKING:
    from deltawave.machines.deltarnn.machine import DeltaMachine

SEARCHED_SHIFTS = range(-6, 7)
MOST_SAMPLES = 128
ROOM_BITS = 8  # before the point of every accumulator, unless the user picks the weights' format
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Formats:
    """`fraction` bits of the weights; inputs are divided by 2^shift on their way in, their weights multiplied."""

    fraction: int
    shift: int


def pick(machine: DeltaMachine, weights: tuple[Matrix, Matrix], samples: Samples) -> Formats:
    """Formats of a cell, weights float64 ([rows, inputs], [rows, hidden]). Without samples, what fits the weights."""
    # a weight whose last place is above one would be no integer of the kernels
    found = list(dict.fromkeys(_candidates(machine, weights, samples.x is not None)))
    candidates = [formats for formats in found if formats.fraction >= 0] or found
    if samples.x is None or len(candidates) == 1:
        return candidates[0]
    x = _Product(machine, weights[0], _spread(samples.x))
    h = None if samples.h is None else _Product(machine, weights[1], _spread(samples.h))
    h_error = cache(lambda fraction: 0.0 if h is None else h.error(fraction, 0))
    errors = [x.error(formats.fraction, formats.shift) + h_error(formats.fraction) for formats in candidates]
    return candidates[int(np.argmin(errors))]


def _candidates(machine: DeltaMachine, weights: tuple[Matrix, Matrix], shifting: bool) -> Iterator[Formats]:
    """The plain choice first: no shift, and the most fraction bits with which no weight saturates."""
    searched = [0, *SEARCHED_SHIFTS] if shifting else [0]
    widest = machine.accumulator_bits - machine.activation_fraction_bits - ROOM_BITS
    for shift in searched if machine.input_shift is None else [machine.input_shift]:
        largest = max(np.abs(np.ldexp(weights[0], shift)).max(), np.abs(weights[1]).max(), 2.0**-20)
        fitting = machine.weight_bits - 1 - int(np.ceil(np.log2(largest)))
        wanted = machine.weight_fraction_bits
        tighter = 2 if shifting else 0
        picked = [min(fraction, widest) for fraction in range(fitting, fitting + tighter + 1)]
        for fraction in picked if wanted is None else [wanted]:
            yield Formats(fraction, shift)


def _spread(values: Floats) -> Matrix:
    """Rows spread evenly over all samples."""
    chosen = np.linspace(0, len(values) - 1, min(MOST_SAMPLES, len(values))).astype(int)
    return np.asarray(values[chosen], np.float64)


class _Product:
    """A product of the float network, to be compared with the machine's."""

    def __init__(self, machine: DeltaMachine, weights: Matrix, values: Matrix) -> None:
        self._machine, self._weights, self._values = machine, weights, values
        self._exact = values @ weights.T
        self._largest = float(np.abs(self._exact).max())

    def error(self, fraction: int, shift: int) -> float:
        """Mean squared error; infinite where the accumulators could not hold twice the largest sum."""
        machine, activation = self._machine, self._machine.activation
        if self._largest >= 2.0 ** (machine.accumulator_bits - 2 - fraction - activation.fraction_bits):
            return float("inf")
        weight = Fixed(machine.weight_bits - fraction, fraction)
        heard = activation.value(activation.quantise(np.ldexp(self._values, -shift)))
        stored = weight.value(weight.quantise(np.ldexp(self._weights, shift)))
        return float(np.mean((heard @ stored.T - self._exact) ** 2))

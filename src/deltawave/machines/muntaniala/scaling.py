"""Features scaled by powers of two on the host, each by its own, and their weights by the inverse: exact in floats.

All features share one format of a byte, in which small ones vanish beside large ones; so do the weights in theirs.
Shifting the spread of one to the other by a part of their ratio, five parts are tried on calibration data, none among
them, and that with the smallest mean squared error of the products is taken.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.machines.base import Floats, Samples
from deltawave.machines.muntaniala.formats import best, feature_power
from deltawave.network.layers import Cell

if TYPE_CHECKING:
    from deltawave.machines.muntaniala.machine import Muntaniala

Shifts = NDArray[np.int64]
PARTS = (0.0, 0.25, 0.5, 0.75, 1.0)
MOST_SAMPLES = 128
LEAST = 2.0**-20


def feature_shifts(machine: Muntaniala, cell: Cell, x: Floats) -> Shifts:
    """Features are divided by two to the power of these, int64 [inputs]. x: float32 [samples, inputs]."""
    ratio = _log_ratio(cell, x)
    candidates = [np.rint(part * ratio).astype(np.int64) for part in PARTS]
    errors = [_product_error(machine, cell, x, shifts) for shifts in candidates]
    return candidates[int(np.argmin(errors))]


def scaled(cell: Cell, samples: Samples, shifts: Shifts) -> tuple[Cell, Samples]:
    """The cell and the samples behind the host's scaling."""
    weights = np.ldexp(cell.weights_x, shifts).astype(np.float32)
    x = None if samples.x is None else np.ldexp(samples.x, -shifts).astype(np.float32)
    return replace(cell, weights_x=weights), replace(samples, x=x)


def _log_ratio(cell: Cell, x: Floats) -> NDArray[np.float64]:
    """How much larger a feature is than its weights, in bits; 0 for what is always zero."""
    feature, weight = (np.abs(values).max(axis=0).astype(np.float64) for values in (x, cell.weights_x))
    used = (feature > 0) & (weight > 0)
    return np.where(used, np.log2(np.maximum(feature, LEAST)) - np.log2(np.maximum(weight, LEAST)), 0.0)


def _product_error(machine: Muntaniala, cell: Cell, x: Floats, shifts: Shifts) -> float:
    chosen = np.linspace(0, len(x) - 1, min(MOST_SAMPLES, len(x))).astype(int)
    features = np.ldexp(x.astype(np.float64), -shifts)
    weights = np.ldexp(cell.weights_x.astype(np.float64), shifts)
    of_features = best(features, machine.state_bits, feature_power(weights))
    of_weights = best(weights, machine.weight_bits)
    heard = of_features.value(of_features.quantise(features[chosen]))
    stored = of_weights.value(of_weights.quantise(weights))
    return float(np.mean((heard @ stored.T - features[chosen] @ weights.T) ** 2))

"""From a float LSTM to a die's integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError
from deltawave.kernels.stationary_lstm import StationaryLstm
from deltawave.machines.base import Samples
from deltawave.machines.muntaniala.compiled import MuntanialaCell
from deltawave.machines.muntaniala.formats import Formats, pick
from deltawave.machines.muntaniala.scaling import feature_shifts, scaled
from deltawave.network.layers import Cell
from deltawave.numerics import Fixed, stepped_table

if TYPE_CHECKING:
    from deltawave.machines.muntaniala.machine import Muntaniala


def compile_cell(machine: Muntaniala, name: str, cell: Cell, samples: Samples, source: str) -> MuntanialaCell:
    """Quantise one direction of a layer. source: the layer whose outputs are its inputs, '' for the host."""
    _check_finite(name, cell)
    shifts = np.zeros(cell.inputs, np.int64)
    if machine.scales_features and samples.x is not None and not source:
        shifts = feature_shifts(machine, cell, samples.x)
        cell, samples = scaled(cell, samples, shifts)
    try:
        quantised = _quantised(machine, cell, pick(machine, cell, samples))
    except OptionError as error:
        raise OptionError(f"{name}: {error}") from None
    return MuntanialaCell(name, quantised, machine.units, source, shifts)


def _quantised(machine: Muntaniala, cell: Cell, formats: Formats) -> StationaryLstm:
    weights = formats.weights_x, formats.weights_h, formats.peepholes
    bias = formats.bias.quantise(cell.bias_x.astype(np.float64) + cell.bias_h)
    words = bias << (formats.accumulator.fraction_bits - formats.bias.fraction_bits)
    gate, candidate, output = (
        stepped_table(activation, machine.table_fraction_bits, machine.table_step_bits)
        for activation in cell.activations
    )
    return StationaryLstm(
        weights_x=_bytes(formats.weights_x, cell.weights_x),
        weights_h=_bytes(formats.weights_h, cell.weights_h),
        bias=formats.accumulator.narrow(words).astype(np.int32),
        peepholes=None if cell.peepholes is None else _bytes(formats.peepholes, cell.peepholes),
        weight_fractions=(weights[0].fraction_bits, weights[1].fraction_bits, weights[2].fraction_bits),
        x=formats.x,
        h=formats.h,
        c=formats.c,
        accumulator=formats.accumulator,
        table_fraction_bits=machine.table_fraction_bits,
        gate=gate,
        candidate=candidate,
        output=output,
    )


def _bytes(format_: Fixed, values: NDArray[np.float32]) -> NDArray[np.int8]:
    return format_.quantise(values).astype(np.int8)


def _check_finite(name: str, cell: Cell) -> None:
    for what in ("weights_x", "weights_h", "bias_x", "bias_h", "peepholes"):
        values = getattr(cell, what)
        if values is not None and not np.isfinite(values).all():
            place = [int(axis[0]) for axis in np.nonzero(~np.isfinite(values))]
            raise OptionError(
                f"{name}: {what} is {values[tuple(place)]} at {place}, which no fixed point format holds; "
                "mend the network"
            )

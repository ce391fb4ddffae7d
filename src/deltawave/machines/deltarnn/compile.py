"""From a float cell to a delta machine's integers: weights, biases, tables, thresholds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError
from deltawave.kernels.cell import CellKind, QuantisedCell
from deltawave.machines.base import Floats, Samples
from deltawave.machines.deltarnn.compiled import DeltaCell
from deltawave.machines.deltarnn.formats import pick
from deltawave.network.layers import Cell
from deltawave.numerics import ActivationTable, Fixed, exact_table, stepped_table
from deltawave.sparsity.cbtd import cbtd_keep

if TYPE_CHECKING:
    from deltawave.machines.deltarnn.machine import DeltaMachine


def compile_cell(
    machine: DeltaMachine, name: str, cell: Cell, samples: Samples, *, pes: int = 1, gamma: float = 0.0
) -> DeltaCell:
    """Quantise one direction of a layer. `gamma`: sparsity to prune to, balanced over `pes` (CBTD's last step)."""
    bias = _memory_bias(cell)
    weights = _pruned(cell.weights_x, pes, gamma), _pruned(cell.weights_h, pes, gamma)
    formats = pick(machine, weights, samples)
    _check_fit(machine, name, bias, formats.fraction)
    integer = Fixed(machine.weight_bits - formats.fraction, formats.fraction)
    bias_integers, bias_shift = _quantise_bias(machine, bias, formats.fraction)
    tables = [
        _table(machine, activation or "tanh") for activation in cell.activations
    ]  # '': the cell has none
    theta_x, theta_h = machine.thetas(name.removesuffix("/reverse"))
    quantised = QuantisedCell(
        kind=cell_kind(cell),
        weights_x=integer.quantise(np.ldexp(weights[0], formats.shift)).astype(np.int16),
        weights_h=integer.quantise(weights[1]).astype(np.int16),
        bias=bias_integers,
        activation=_activation(machine, cell),
        weight_bits=machine.weight_bits,
        weight_fraction_bits=formats.fraction,
        accumulator_bits=machine.accumulator_bits,
        accumulator_saturates=machine.accumulator_overflow == "saturate",
        gate=tables[0],
        candidate=tables[1],
        output=tables[2],
        theta_x=int(machine.activation.quantise(np.ldexp(theta_x, -formats.shift))),
        theta_h=int(machine.activation.quantise(theta_h)),
    )
    return DeltaCell(name, quantised, formats.shift, bias_shift)


def _check_fit(machine: DeltaMachine, name: str, bias: NDArray[np.float64], fraction: int) -> None:
    """Raise OptionError for weights or biases too large for their words: they would wrap or saturate."""
    if fraction < 0:
        raise OptionError(
            f"{name}: its weights need {-fraction} bits more than weights of {machine.weight_bits} and accumulators "
            f"of {machine.accumulator_bits} have; set more weight_bits or accumulator_bits"
        )
    integer_bits = machine.accumulator_bits - machine.activation_fraction_bits - fraction
    # rounded to a weight, nothing below this limit becomes the power of two that wraps
    largest, limit = np.abs(bias).max(), np.ldexp(1 - 0.5**machine.weight_bits, integer_bits - 1)
    if largest > limit:
        raise OptionError(
            f"{name}: a bias of {largest:g} does not fit accumulators that hold up to {limit:g}; "
            "set more accumulator_bits or fewer weight_fraction_bits"
        )


def _activation(machine: DeltaMachine, cell: Cell) -> Fixed:
    """A cell state saturates on every machine: a forget gate of exactly one would carry it round the wrap."""
    if cell.kind != "lstm":
        return machine.activation
    return replace(machine.activation, overflow="saturate")


def cell_kind(cell: Cell) -> CellKind:
    """The kernels' name for a cell."""
    return "gru_before" if cell.kind == "gru" and cell.reset == "before" else cell.kind


def _memory_bias(cell: Cell) -> NDArray[np.float64]:
    """What each memory M starts from, [memories, hidden]."""
    x, h = (b.astype(np.float64).reshape(-1, cell.hidden) for b in (cell.bias_x, cell.bias_h))
    if cell_kind(cell) != "gru":
        return x + h
    return np.stack([x[0] + h[0], x[1] + h[1], x[2], h[2]])


def _quantise_bias(
    machine: DeltaMachine, bias: NDArray[np.float64], fraction: int
) -> tuple[NDArray[np.int32], int]:
    """Accumulator words, and how far the bias column's feed is shifted so that every bias fits a weight."""
    product_fraction = fraction + machine.activation_fraction_bits
    if not machine.bias_as_column:
        word = Fixed(machine.accumulator_bits - product_fraction, product_fraction)
        return word.quantise(bias).astype(np.int32).ravel(), 0
    shift = 0
    while np.abs(bias).max() > Fixed(machine.weight_bits - fraction + shift, fraction - shift).value(
        (1 << (machine.weight_bits - 1)) - 1
    ):
        shift += 1
    integers = Fixed(machine.weight_bits - fraction + shift, fraction - shift).quantise(bias)
    return (integers << (machine.activation_fraction_bits + shift)).astype(np.int32).ravel(), shift


def _pruned(weights: Floats, pes: int, gamma: float) -> NDArray[np.float64]:
    wide = weights.astype(np.float64)
    if gamma == 0.0:
        return wide
    return wide * cbtd_keep(wide, pes, gamma, 1.0, np.random.default_rng(0))


def _table(machine: DeltaMachine, function: str) -> ActivationTable:
    """Sigmoid and tanh are stepped; a ReLU is a comparator and keeps every bit."""
    if function == "relu":
        return exact_table(function, machine.activation_fraction_bits)
    return stepped_table(function, machine.activation_fraction_bits, machine.table_step_bits)

"""From a float cell to a delta machine's integers: formats, weights, biases, thresholds.

Formats are picked by what they cost: of the weight and input formats that cannot overflow on the calibration data,
the one with the smallest mean squared error of the pre-activations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast, get_args

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import ProgramError
from deltawave.kernels.cell import MEMORIES, CellKind, CellState, QuantisedCell
from deltawave.kernels.native import NativeCell
from deltawave.machines.base import Executor, Floats, Samples
from deltawave.machines.deltarnn import semantics
from deltawave.network.layers import Cell
from deltawave.numerics import ActivationTable, Fixed, exact_table, stepped_table
from deltawave.sparsity.cbtd import cbtd_keep

if TYPE_CHECKING:
    from deltawave.machines.deltarnn.machine import DeltaNumbers

SEARCHED_SHIFTS = range(-6, 7)
MOST_SAMPLES = 256


@dataclass(frozen=True, eq=False)
class DeltaCell:
    """A compiled cell. Inputs are divided by 2^input_shift on their way in; the bias column is fed 2^bias_shift."""

    name: str
    cell: QuantisedCell
    input_shift: int
    bias_shift: int = 0
    input_format: Fixed = field(init=False)

    def __post_init__(self) -> None:
        a = self.cell.activation
        shifted = Fixed(a.integer_bits + self.input_shift, a.fraction_bits - self.input_shift, a.overflow)
        object.__setattr__(self, "input_format", shifted)

    def executor(self, *, plain: bool = False) -> Executor:
        """A fresh executor: the fast kernels, or with `plain` the NumPy semantics. The same bits."""
        return PlainExecutor(self) if plain else NativeExecutor(self)

    def listing(self) -> str:
        """The configuration registers and the memory layout as text."""
        c = self.cell
        rows, theta = c.weights_x.shape[0], c.activation.value([c.theta_x, c.theta_h])
        weight = Fixed(c.weight_bits - c.weight_fraction_bits, c.weight_fraction_bits)
        return "\n".join(
            [
                f"cell {self.name} {c.kind} inputs={c.inputs} hidden={c.hidden}",
                f"  x {self.input_format}  h {c.activation}  weights {weight}  accumulators {c.accumulator}"
                f" {c.accumulator.overflow}",
                f"  theta_x {c.theta_x} ({np.ldexp(theta[0], self.input_shift):g})  theta_h {c.theta_h} ({theta[1]:g})",
                f"  tables {_table_text('gate', c.gate)} {_table_text('candidate', c.candidate)}"
                f" {_table_text('output', c.output)}",
                f"  column {'bias':>12}  {c.bias.size} words, shift {self.bias_shift}",
                f"  column {f'0..{c.inputs - 1}':>12}  x, {rows} weights each",
                *self._hidden_columns(rows),
            ]
        )

    def _hidden_columns(self, rows: int) -> list[str]:
        c = self.cell
        first, last = c.inputs + c.hidden, c.inputs + 2 * c.hidden - 1
        if c.kind != "gru_before":
            return [f"  column {f'{c.inputs}..{first - 1}':>12}  h, {rows} weights each"]
        return [
            f"  column {f'{c.inputs}..{first - 1}':>12}  h, {2 * c.hidden} weights each (r, u)",
            f"  column {f'{first}..{last}':>12}  r * h, {c.hidden} weights each (c)",
        ]

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything, as arrays by name; `restore` is the inverse."""
        c = self.cell
        a = c.activation
        scalars = [
            get_args(CellKind).index(c.kind), a.integer_bits, a.fraction_bits, a.overflow == "wrap", c.weight_bits,
            c.weight_fraction_bits, c.accumulator_bits, c.accumulator_saturates, c.theta_x, c.theta_h,
            self.input_shift, self.bias_shift,
        ]  # fmt: skip
        tables = {name: getattr(c, name) for name in ("gate", "candidate", "output")}
        return {
            "scalars": np.array(scalars, np.int64),
            "weights_x": c.weights_x,
            "weights_h": c.weights_h,
            "bias": c.bias,
            "table_names": np.array([t.name for t in tables.values()]),
            "table_firsts": np.array([t.first for t in tables.values()], np.int64),
            **{f"table_{name}": t.values for name, t in tables.items()},
        }


def restore(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> DeltaCell:
    """The cell that `arrays` came from. Raises ProgramError for arrays that make no cell."""
    try:
        return _restore(name, arrays)
    except (KeyError, ValueError, IndexError, AssertionError, TypeError) as error:
        raise ProgramError(
            f"cell {name} of the program file is damaged ({error!r}); compile the network again"
        ) from None


def compile_cell(
    machine: DeltaNumbers, name: str, cell: Cell, samples: Samples, *, pes: int = 1, gamma: float = 0.0
) -> DeltaCell:
    """Quantise one direction of a layer. `gamma`: sparsity to prune to, balanced over `pes` (CBTD's last step)."""
    bias = _memory_bias(cell)
    weights = [_pruned(w, pes, gamma) for w in (cell.weights_x, cell.weights_h)]
    formats = _pick(machine, cell, weights, bias, samples)
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


def _activation(machine: DeltaNumbers, cell: Cell) -> Fixed:
    """A cell state saturates on every machine: a forget gate of exactly one would carry it round the wrap."""
    if cell.kind != "lstm":
        return machine.activation
    return replace(machine.activation, overflow="saturate")


def cell_kind(cell: Cell) -> CellKind:
    """The kernels' name for a cell."""
    return "gru_before" if cell.kind == "gru" and cell.reset == "before" else cell.kind


@dataclass(frozen=True)
class _Formats:
    fraction: int
    shift: int


def _pick(
    machine: DeltaNumbers,
    cell: Cell,
    weights: list[NDArray[np.float64]],
    bias: NDArray[np.float64],
    samples: Samples,
) -> _Formats:
    candidates = list(_candidates(machine, weights, samples))
    if samples.x is None or samples.h is None or len(candidates) == 1:
        return candidates[0]
    chosen = np.linspace(0, len(samples.x) - 1, min(MOST_SAMPLES, len(samples.x))).astype(int)
    x, h = samples.x[chosen].astype(np.float64), samples.h[chosen].astype(np.float64)
    exact = x @ weights[0].T, h @ weights[1].T
    errors = [_error(machine, formats, weights, x, h, exact) for formats in candidates]
    return candidates[int(np.argmin(errors))]


def _candidates(
    machine: DeltaNumbers, weights: list[NDArray[np.float64]], samples: Samples
) -> Iterator[_Formats]:
    """The plain choice first: no shift, the most fraction bits with which no weight saturates."""
    fixed_shift = machine.input_shift
    shifts = [0, *SEARCHED_SHIFTS] if fixed_shift is None and samples.x is not None else [fixed_shift or 0]
    for shift in shifts:
        largest = max(
            float(np.abs(np.ldexp(weights[0], shift)).max()), float(np.abs(weights[1]).max()), 2.0**-20
        )
        fitting = machine.weight_bits - 1 - int(np.ceil(np.log2(largest)))
        most = machine.accumulator_bits - 8 - machine.activation_fraction_bits
        fractions = [fitting, fitting + 1, fitting + 2]
        if machine.weight_fraction_bits is not None:
            fractions = [machine.weight_fraction_bits]
        for fraction in fractions:
            yield _Formats(min(fraction, most), shift)


def _error(
    machine: DeltaNumbers,
    formats: _Formats,
    weights: list[NDArray[np.float64]],
    x: NDArray[np.float64],
    h: NDArray[np.float64],
    exact: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> float:
    """Mean squared error of the two products; infinite where the accumulators could not hold twice the largest."""
    weight, activation = Fixed(machine.weight_bits - formats.fraction, formats.fraction), machine.activation
    limit = 2.0 ** (machine.accumulator_bits - 2 - formats.fraction - activation.fraction_bits)
    if max(float(np.abs(exact[0]).max(initial=0)), float(np.abs(exact[1]).max(initial=0))) >= limit:
        return float("inf")
    x_heard = activation.value(activation.quantise(np.ldexp(x, -formats.shift)))
    h_heard = activation.value(activation.quantise(h))
    w_x = weight.value(weight.quantise(np.ldexp(weights[0], formats.shift)))
    w_h = weight.value(weight.quantise(weights[1]))
    return float(np.mean((x_heard @ w_x.T - exact[0]) ** 2) + np.mean((h_heard @ w_h.T - exact[1]) ** 2))


def _memory_bias(cell: Cell) -> NDArray[np.float64]:
    """What each memory M starts from, [memories, hidden]."""
    x, h = (b.astype(np.float64).reshape(-1, cell.hidden) for b in (cell.bias_x, cell.bias_h))
    if cell_kind(cell) != "gru":
        return x + h
    return np.stack([x[0] + h[0], x[1] + h[1], x[2], h[2]])


def _quantise_bias(
    machine: DeltaNumbers, bias: NDArray[np.float64], fraction: int
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


def _table(machine: DeltaNumbers, function: str) -> ActivationTable:
    """Sigmoid and tanh are stepped; a ReLU is a comparator and keeps every bit."""
    if function == "relu":
        return exact_table(function, machine.activation_fraction_bits)
    return stepped_table(function, machine.activation_fraction_bits, machine.table_step_bits)


def _table_text(use: str, table: ActivationTable) -> str:
    return f"{use}={table.name}[{table.first}..{table.last}]/{table.ranges}"


def _restore(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> DeltaCell:
    (
        kind,
        integer,
        fraction,
        wraps,
        bits,
        weight_fraction,
        accumulator,
        saturates,
        theta_x,
        theta_h,
        shift,
        bias_shift,
    ) = (int(value) for value in cast(NDArray[np.int64], arrays["scalars"]))
    firsts = cast(NDArray[np.int64], arrays["table_firsts"])
    names = ("gate", "candidate", "output")
    tables = [
        ActivationTable(str(arrays["table_names"][k]), int(firsts[k]), arrays[f"table_{n}"].astype(np.int16))
        for k, n in enumerate(names)
    ]
    quantised = QuantisedCell(
        kind=cast(CellKind, get_args(CellKind)[kind]),
        weights_x=arrays["weights_x"].astype(np.int16),
        weights_h=arrays["weights_h"].astype(np.int16),
        bias=arrays["bias"].astype(np.int32),
        activation=Fixed(integer, fraction, "wrap" if wraps else "saturate"),
        weight_bits=bits,
        weight_fraction_bits=weight_fraction,
        accumulator_bits=accumulator,
        accumulator_saturates=bool(saturates),
        gate=tables[0],
        candidate=tables[1],
        output=tables[2],
        theta_x=theta_x,
        theta_h=theta_h,
    )
    assert len(MEMORIES[quantised.kind]) * quantised.hidden == len(quantised.bias)
    return DeltaCell(name, quantised, shift, bias_shift)


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

"""A cell as a delta machine holds it: configuration registers and memory images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError, ProgramError
from deltawave.kernels.cell import GATES, MEMORIES, QuantisedCell
from deltawave.machines.base import Compiled, Executor
from deltawave.machines.deltarnn.executors import NativeExecutor, PlainExecutor
from deltawave.numerics import ActivationTable, Fixed

TABLES = ("gate", "candidate", "output")
NUMBERS = (
    "weight_bits",
    "weight_fraction_bits",
    "accumulator_bits",
    "accumulator_saturates",
    "theta_x",
    "theta_h",
)
MATRICES = {"weights_x": (2, np.int16), "weights_h": (2, np.int16), "bias": (1, np.int32)}
"""Dimensions and types."""


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

    @property
    def column_words(self) -> NDArray[np.int64]:
        """Weights fetched for a value that is sent, int64 [columns]."""
        return self.cell.column_words

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
        c, a = self.cell, self.cell.activation
        tables = {use: getattr(c, use) for use in TABLES}
        numbers = {name: np.array(getattr(c, name), np.int64) for name in NUMBERS}
        return {
            "kind": np.array(c.kind),
            "activation": np.array([a.integer_bits, a.fraction_bits, a.overflow == "wrap"], np.int64),
            **numbers,
            "shifts": np.array([self.input_shift, self.bias_shift], np.int64),
            **{name: getattr(c, name) for name in MATRICES},
            **{f"{use}_name": np.array(table.name) for use, table in tables.items()},
            **{f"{use}_first": np.array(table.first, np.int64) for use, table in tables.items()},
            **{f"{use}_values": table.values for use, table in tables.items()},
        }


def delta_cell(cell: Compiled) -> DeltaCell:
    """The cell of a program that a delta machine compiled."""
    assert isinstance(cell, DeltaCell)
    return cell


def restore(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> DeltaCell:
    """The cell that `arrays` came from. Raises ProgramError for arrays that make no cell."""
    try:
        input_shift, bias_shift = (int(shift) for shift in arrays["shifts"].astype(np.int64))
        return DeltaCell(name, _quantised(arrays), input_shift, bias_shift)
    except (KeyError, ValueError, IndexError, TypeError, OptionError) as error:
        raise ProgramError(
            f"cell {name} of the program file is damaged ({error!r}); compile the network again"
        ) from None


def _quantised(arrays: Mapping[str, NDArray[np.generic]]) -> QuantisedCell:
    kind = str(arrays["kind"])
    weights_x, weights_h, bias = (_integers(arrays, *matrix) for matrix in MATRICES.items())
    if kind not in GATES:
        raise ValueError(f"no cell of kind {kind!r}")
    hidden = weights_h.shape[1]
    if not len(weights_x) == len(weights_h) == len(GATES[kind]) * hidden:
        raise ValueError(f"weights of {weights_x.shape} and {weights_h.shape} make no {kind}")
    if bias.shape != (len(MEMORIES[kind]) * hidden,):
        raise ValueError(f"a bias of {bias.shape} is not that of a {kind} of {hidden}")
    integer, fraction, wraps = (int(part) for part in _integers(arrays, "activation", (1, np.int64)))
    numbers: dict[str, Any] = {name: int(_integers(arrays, name, (0, np.int64))) for name in NUMBERS}
    saturates = bool(numbers.pop("accumulator_saturates"))
    tables: dict[str, Any] = {use: _table(arrays, use) for use in TABLES}
    return QuantisedCell(
        kind=kind,
        weights_x=weights_x,
        weights_h=weights_h,
        bias=bias,
        activation=Fixed(integer, fraction, "wrap" if wraps else "saturate"),
        accumulator_saturates=saturates,
        **numbers,
        **tables,
    )


def _table(arrays: Mapping[str, NDArray[np.generic]], use: str) -> ActivationTable:
    first = int(_integers(arrays, f"{use}_first", (0, np.int64)))
    return ActivationTable(
        str(arrays[f"{use}_name"]), first, _integers(arrays, f"{use}_values", (1, np.int16))
    )


def _integers(arrays: Mapping[str, NDArray[np.generic]], name: str, form: tuple[int, type]) -> NDArray[Any]:
    """The array of that name, which must have these dimensions and this type."""
    array = arrays[name]
    if (array.ndim, array.dtype) != (form[0], np.dtype(form[1])):
        raise ValueError(f"{name} is {array.dtype} of {array.ndim} dimensions")
    return array


def _table_text(use: str, table: ActivationTable) -> str:
    return f"{use}={table.name}[{table.first}..{table.last}]/{table.ranges}"

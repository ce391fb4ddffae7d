"""A cell as a delta machine holds it: configuration registers and memory images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import ProgramError
from deltawave.kernels.cell import MEMORIES, CellKind, QuantisedCell
from deltawave.machines.base import Executor
from deltawave.machines.deltarnn.executors import NativeExecutor, PlainExecutor
from deltawave.numerics import ActivationTable, Fixed


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


def _table_text(use: str, table: ActivationTable) -> str:
    return f"{use}={table.name}[{table.first}..{table.last}]/{table.ranges}"

"""A cell as an array of dies holds it: weights, biases, tables, formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError, ProgramError
from deltawave.kernels.stationary_lstm import StationaryLstm
from deltawave.machines.base import Compiled, Executor
from deltawave.machines.muntaniala.executors import NativeExecutor, PlainExecutor
from deltawave.machines.muntaniala.mapping import Tiling
from deltawave.numerics import ActivationTable, Fixed

TABLES = ("gate", "candidate", "output")
FORMATS = ("x", "h", "c", "accumulator")
MOST_SHIFT = 128


@dataclass(frozen=True, eq=False)
class MuntanialaCell:
    """A compiled cell. `units`: of a die; `source`: the layer whose outputs are its inputs, '' for the host;
    `feature_shifts`: the host divides features by two to the power of these, int64 [inputs]."""

    name: str
    cell: StationaryLstm
    units: int
    source: str
    feature_shifts: NDArray[np.int64]

    @property
    def tiling(self) -> Tiling:
        """How it lies on dies."""
        return Tiling(self.cell.inputs, self.cell.hidden, self.units)

    @property
    def column_words(self) -> None:
        """Every value is sent."""

    def executor(self, *, plain: bool = False) -> Executor:
        """A fresh executor: the fast kernels, or with `plain` the NumPy semantics. The same bits."""
        return PlainExecutor(self) if plain else NativeExecutor(self)

    def listing(self) -> str:
        """Formats and places as text."""
        c, tiling = self.cell, self.tiling
        of_x, of_h, of_c = c.weight_fractions
        peepholes = "" if c.peepholes is None else f" peepholes /2^{of_c}"
        return "\n".join(
            [
                f"cell {self.name} lstm inputs={c.inputs} hidden={c.hidden}"
                + (f" from={self.source}" if self.source else ""),
                f"  dies {tiling.rows} x {tiling.columns} of {self.units} units",
                *self._shifts_text(),
                f"  x {c.x}  h {c.h}  c {c.c}  accumulators {c.accumulator} wrap",
                f"  weights x /2^{of_x} h /2^{of_h}{peepholes}  products rounded by x {c.shift_x} h {c.shift_h}",
                "  tables " + " ".join(_table_text(use, getattr(c, use)) for use in TABLES),
                *(self._die_text(row, column) for row, column in tiling.dies()),
            ]
        )

    def _shifts_text(self) -> list[str]:
        least, most = int(self.feature_shifts.min()), int(self.feature_shifts.max())
        return [f"  features divided by 2^{least} to 2^{most}"] if least or most else []

    def _die_text(self, row: int, column: int) -> str:
        return f"  die {row},{column}  " + "  ".join(
            f"{name} {part.start}..{part.stop - 1}" if part.stop > part.start else f"{name} none"
            for name, part in self.tiling.slices(row, column).items()
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything, as arrays by name; `restore` is the inverse."""
        c = self.cell
        tables = {use: getattr(c, use) for use in TABLES}
        formats = [(getattr(c, name).integer_bits, getattr(c, name).fraction_bits) for name in FORMATS]
        return {
            "weights_x": c.weights_x,
            "weights_h": c.weights_h,
            "bias": c.bias,
            "peepholes": np.empty((0, c.hidden), np.int8) if c.peepholes is None else c.peepholes,
            "formats": np.array(formats, np.int64),
            "numbers": np.array([*c.weight_fractions, c.table_fraction_bits, self.units], np.int64),
            "source": np.array(self.source),
            "feature_shifts": self.feature_shifts,
            **{f"{use}_name": np.array(table.name) for use, table in tables.items()},
            **{f"{use}_first": np.array(table.first, np.int64) for use, table in tables.items()},
            **{f"{use}_values": table.values for use, table in tables.items()},
        }


def muntaniala_cell(cell: Compiled) -> MuntanialaCell:
    """The cell of a program that this machine compiled."""
    assert isinstance(cell, MuntanialaCell)
    return cell


def restore(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> MuntanialaCell:
    """The cell that `arrays` came from. Raises ProgramError for arrays that make no cell."""
    try:
        return _restored(name, arrays)
    except (KeyError, ValueError, IndexError, TypeError, OptionError) as error:
        raise ProgramError(
            f"cell {name} of the program file is damaged ({error!r}); compile the network again"
        ) from None


def _restored(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> MuntanialaCell:
    weights_h = _integers(arrays, "weights_h", np.int8, 2)
    hidden = weights_h.shape[1]
    weights_x = _integers(arrays, "weights_x", np.int8, 2)
    peepholes = _integers(arrays, "peepholes", np.int8, 2)
    bias = _integers(arrays, "bias", np.int32, 1)
    if not hidden or not weights_x.shape[1]:
        raise ValueError("no inputs or no units")
    if not len(weights_x) == len(weights_h) == len(bias) == 4 * hidden:
        raise ValueError(f"weights of {weights_x.shape} and {weights_h.shape} make no LSTM")
    if peepholes.shape not in ((0, hidden), (3, hidden)):
        raise ValueError(f"peepholes of {peepholes.shape}")
    x, h, c, accumulator = (Fixed(int(i), int(f)) for i, f in _integers(arrays, "formats", np.int64, 2))
    of_x, of_h, of_c, table_fraction, units = (int(n) for n in _integers(arrays, "numbers", np.int64, 1))
    shifts = _integers(arrays, "feature_shifts", np.int64, 1)
    if shifts.shape != (weights_x.shape[1],) or np.abs(shifts).max() > MOST_SHIFT:
        raise ValueError(f"features shifted by {shifts}")
    if units < 1 or table_fraction < 1:
        raise ValueError(f"{units} units, tables of {table_fraction} fraction bits")
    tables: dict[str, Any] = {use: _table(arrays, use) for use in TABLES}
    cell = StationaryLstm(
        weights_x=weights_x,
        weights_h=weights_h,
        bias=bias,
        peepholes=peepholes if len(peepholes) else None,
        weight_fractions=(of_x, of_h, of_c),
        x=x,
        h=h,
        c=c,
        accumulator=Fixed(accumulator.integer_bits, accumulator.fraction_bits, "wrap"),
        table_fraction_bits=table_fraction,
        **tables,
    )
    return MuntanialaCell(name, cell, units, str(arrays["source"]), shifts)


def _table(arrays: Mapping[str, NDArray[np.generic]], use: str) -> ActivationTable:
    first = int(_integers(arrays, f"{use}_first", np.int64, 0))
    return ActivationTable(str(arrays[f"{use}_name"]), first, _integers(arrays, f"{use}_values", np.int16, 1))


def _integers(
    arrays: Mapping[str, NDArray[np.generic]], name: str, kind: type, dimensions: int
) -> NDArray[Any]:
    """The array of that name, which must have these dimensions and this type."""
    array = arrays[name]
    if (array.ndim, array.dtype) != (dimensions, np.dtype(kind)):
        raise ValueError(f"{name} is {array.dtype} of {array.ndim} dimensions")
    return array


def _table_text(use: str, table: ActivationTable) -> str:
    return f"{use}={table.name}[{table.first}..{table.last}]/{table.ranges}"

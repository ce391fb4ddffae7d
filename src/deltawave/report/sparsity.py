"""What a run spared: values not sent (temporal sparsity) and weights that are zero (spatial sparsity)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltawave.machines.program import Run, cell_names
from deltawave.network.layers import Cell


@dataclass(frozen=True)
class CellSparsity:
    """One direction of a layer. Shares from 0 to 1 of all columns of all steps: of x, of h, and weighted by weights.

    `zero_weights`: share of the compiled weights that are zero. `columns`, `columns_sent`: a step, on average.
    """

    name: str
    kind: str
    inputs: int
    hidden: int
    columns: int
    columns_sent: float
    x_kept: float
    h_kept: float
    weights_kept: float
    zero_weights: float


@dataclass(frozen=True)
class Sparsity:
    """By cell, and over all cells weighted by their weights and steps. `weights_*`: of dense columns."""

    cells: tuple[CellSparsity, ...]
    weights_kept: float
    zero_weights: float


def sparsity_of(run: Run) -> Sparsity | None:
    """What a run spared; None for a machine whose activity has no column for every x and h."""
    if not all(_has_columns(cell, run.activity[name]) for name, cell in _cells(run)):
        return None
    cells, weights, zeros, moved = [], [], [], []
    for name, cell in _cells(run):
        rows = run.activity[name]
        zero, count = _zeros(run.program.cells[name].arrays())
        found = _cell_sparsity(name, cell, rows, zero / max(count, 1))
        cells.append(found)
        weights.append(len(rows) * _column_weights(cell, rows.shape[1]).sum())
        moved.append(found.weights_kept * weights[-1])
        zeros.append((zero, count))
    kept = float(sum(moved) / max(sum(weights), 1))
    return Sparsity(tuple(cells), kept, sum(z for z, _ in zeros) / max(sum(n for _, n in zeros), 1))


def _cells(run: Run) -> Iterator[tuple[str, Cell]]:
    for layer in run.program.taken:
        yield from zip(cell_names(layer), layer.cells, strict=True)


def _has_columns(cell: Cell, rows: NDArray[np.bool_]) -> bool:
    return rows.shape[1] - cell.inputs in (cell.hidden, 2 * cell.hidden)


def _cell_sparsity(name: str, cell: Cell, rows: NDArray[np.bool_], zero_weights: float) -> CellSparsity:
    columns = rows.shape[1]
    weights = _column_weights(cell, columns)
    sent = rows.mean(axis=0) if len(rows) else np.zeros(columns)
    return CellSparsity(
        name=name,
        kind=cell.kind,
        inputs=cell.inputs,
        hidden=cell.hidden,
        columns=columns,
        columns_sent=float(sent.sum()),
        x_kept=1.0 - float(sent[: cell.inputs].mean()),
        h_kept=1.0 - float(sent[cell.inputs :].mean()),
        weights_kept=1.0 - float(sent @ weights / weights.sum()),
        zero_weights=zero_weights,
    )


def _column_weights(cell: Cell, columns: int) -> NDArray[np.int64]:
    """Weights in a column: every gate's for x and h; a column of r * h takes the candidate's gate from h."""
    gates = len(cell.weights_h) // cell.hidden
    has_reset_state = columns == cell.inputs + 2 * cell.hidden
    of_h: Sequence[int] = (gates - 1, 1) if has_reset_state else (gates,)
    groups = [(cell.inputs, gates), *((cell.hidden, n) for n in of_h)]
    return np.concatenate([np.full(size, n * cell.hidden, np.int64) for size, n in groups])


def _zeros(arrays: dict[str, NDArray[Any]]) -> tuple[int, int]:
    """Zero weights and all weights of a compiled cell: its arrays named weights..."""
    weights = [array for name, array in arrays.items() if name.startswith("weights")]
    return sum(int(w.size - np.count_nonzero(w)) for w in weights), sum(w.size for w in weights)

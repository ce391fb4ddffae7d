"""What a run spared: values not sent (temporal sparsity) and weights that are zero (spatial sparsity)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltawave.machines.program import Run
from deltawave.network.layers import Cell


@dataclass(frozen=True)
class CellSparsity:
    """One direction of a layer. `columns`, `columns_sent`: in a step, on average.

    Shares from 0 to 1: of the values of x and of h that were sent, of the weights that were fetched for them, and
    of the compiled weights that are zero.
    """

    name: str
    kind: str
    inputs: int
    hidden: int
    columns: int
    columns_sent: float
    x_sent: float
    h_sent: float
    weights_fetched: float
    zero_weights: float


@dataclass(frozen=True)
class Sparsity:
    """By cell, and over all cells weighted by their weights and steps."""

    cells: tuple[CellSparsity, ...]
    weights_fetched: float
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
        moved.append(found.weights_fetched * weights[-1])
        zeros.append((zero, count))
    fetched = float(sum(moved) / max(sum(weights), 1))
    return Sparsity(tuple(cells), fetched, sum(z for z, _ in zeros) / max(sum(n for _, n in zeros), 1))


def _cells(run: Run) -> Iterator[tuple[str, Cell]]:
    for layer in run.program.taken:
        yield from zip(layer.cell_names, layer.cells, strict=True)


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
        x_sent=float(sent[: cell.inputs].mean()),
        h_sent=float(sent[cell.inputs :].mean()),
        weights_fetched=float(sent @ weights / weights.sum()),
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

"""What a run spared: values not sent (temporal sparsity) and weights that are zero (spatial sparsity)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from deltawave.machines.base import Compiled
from deltawave.machines.fetched import weights_fetched
from deltawave.machines.program import Run
from deltawave.network.layers import Cell, Recurrent


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
    """What a run spared; None for a machine that sends everything."""
    fetched = weights_fetched(run.program.cells.values(), run.activity)
    if fetched is None:
        return None
    cells = tuple(_cell_sparsity(run, name, cell) for name, cell in _cells(run))
    return Sparsity(cells, fetched, _zero_share(run.program.cells.values()))


def _cells(run: Run) -> Iterator[tuple[str, Cell]]:
    for layer in run.program.taken:
        assert isinstance(layer, Recurrent), "what sends everything has no sparsity"
        yield from zip(layer.cell_names, layer.cells, strict=True)


def _cell_sparsity(run: Run, name: str, cell: Cell) -> CellSparsity:
    compiled, rows = run.program.cells[name], run.activity[name]
    fetched = weights_fetched([compiled], run.activity)
    assert fetched is not None
    sent = rows.mean(axis=0) if len(rows) else np.zeros(rows.shape[1])
    return CellSparsity(
        name=name,
        kind=cell.kind,
        inputs=cell.inputs,
        hidden=cell.hidden,
        columns=len(sent),
        columns_sent=float(sent.sum()),
        x_sent=float(sent[: cell.inputs].mean()),
        h_sent=float(sent[cell.inputs :].mean()),
        weights_fetched=fetched,
        zero_weights=_zero_share([compiled]),
    )


def _zero_share(cells: Iterable[Compiled]) -> float:
    """Zero weights over all weights of compiled cells: their arrays named weights..."""
    weights = [array for cell in cells for name, array in cell.arrays().items() if name.startswith("weights")]
    return sum(int(w.size - np.count_nonzero(w)) for w in weights) / max(sum(w.size for w in weights), 1)

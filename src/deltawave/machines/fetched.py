"""How many weights a run fetched: what a delta machine spares."""

from collections.abc import Iterable

from deltawave.machines.base import Activity, Compiled


def weights_fetched(cells: Iterable[Compiled], activity: Activity) -> float | None:
    """Weights fetched for the values sent over those of the dense cells; None if a cell sends everything."""
    fetched = dense = 0
    for cell in cells:
        words, rows = cell.column_words, activity[cell.name]
        if words is None:
            return None
        fetched += int(rows.sum(axis=0) @ words)
        dense += len(rows) * int(words.sum())
    return fetched / max(dense, 1)

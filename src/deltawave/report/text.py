"""A report as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table

from deltawave.hardware.cost import TrafficRow
from deltawave.report.figures import Figure, figures
from deltawave.report.tables import percent, plain, quantity, rendered, table, whole

if TYPE_CHECKING:
    from deltawave.report.report import Report
    from deltawave.report.sparsity import CellSparsity

PREFIXED = ("s", "op", "op/s", "J", "J/step", "W")


def report_text(report: Report, width: int) -> str:
    """The tables of a report in `width` columns."""
    parts: list[RenderableType] = [f"{report.network} on {report.machine}: {_extent(report)}"]
    parts += [_figure_table(title, group) for title, group in figures(report).items() if group]
    if report.sparsity is not None:
        parts.append(_cell_table(report.sparsity.cells))
    if report.cost.traffic:
        parts.append(_traffic_table(report.cost.traffic, max(report.timing.steps, 1)))
    if report.notes:
        parts.append("notes\n" + "\n".join(f"- {note}" for note in report.notes))
    return rendered(*parts, width=width)


def _extent(report: Report) -> str:
    streams = "1 stream" if report.streams == 1 else f"{whole(report.streams)} streams"
    return f"{streams}, {whole(report.timing.steps)} steps"


def _figure_table(title: str, group: tuple[Figure, ...]) -> Table:
    grid = table("", title, "", "", left=1)
    grid.columns[2].justify = "left"
    grid.columns[2].style = "dim"
    for figure in group:
        grid.add_row(figure.name, figure_text(figure), figure.source)
    return grid


def figure_text(figure: Figure) -> str:
    """A figure's value: shares in percent, quantities of the SI with a prefix, all else as it is."""
    if figure.unit == "share":
        return percent(figure.value)
    if figure.unit in PREFIXED:
        return quantity(figure.value, figure.unit)
    return f"{plain(figure.value)} {figure.unit}".rstrip()


def _cell_table(cells: tuple[CellSparsity, ...]) -> Table:
    grid = table(
        "", "layers", "cell", "size", "columns", "sent", "x spared", "h spared", "zero weights", left=3
    )
    for cell in cells:
        size = f"{cell.inputs} -> {cell.hidden}"
        sent = f"{cell.columns_sent:.1f}"
        shares = (percent(share) for share in (cell.x_kept, cell.h_kept, cell.zero_weights))
        grid.add_row(cell.name, cell.kind, size, str(cell.columns), sent, *shares)
    return grid


def _traffic_table(rows: tuple[TrafficRow, ...], steps: int) -> Table:
    grid = table("", "traffic", "per step", "dense", "of dense")
    for row in rows:
        moved, dense = (quantity(count / steps, "B") for count in (row.bytes_moved, row.bytes_dense))
        share = percent(row.bytes_moved / row.bytes_dense) if row.bytes_dense else ""
        grid.add_row(row.name, moved, dense, share)
    return grid

"""A report as tables for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table

from deltawave.hardware.cost import TrafficRow
from deltawave.report.figures import Figure, figures
from deltawave.report.tables import listed, percent, plain, quantity, rendered, table, whole

if TYPE_CHECKING:
    from deltawave.report.report import Report
    from deltawave.report.sparsity import CellSparsity

PREFIXED = ("s", "op", "op/s", "J", "J/step", "W")
COUNTED = ("step", "cycle")
LONGEST_INLINE = 52  # sources longer than this become footnotes


def report_text(report: Report, width: int) -> str:
    """The tables of a report in `width` columns."""
    footnotes: dict[str, int] = {}
    parts: list[RenderableType] = [f"{report.network} on {report.machine}: {_extent(report)}"]
    parts.append(_figure_table(figures(report), footnotes))
    if report.sparsity is not None:
        parts.append(_cell_table(report.sparsity.cells))
    if report.cost.traffic:
        parts.append(_traffic_table(report.cost.traffic, max(report.timing.steps, 1)))
    if report.notes:
        parts.append(listed("notes", "-", report.notes))
    if footnotes:
        parts.append(listed("sources", "[{}]", footnotes))
    return rendered(*parts, width=width)


def _extent(report: Report) -> str:
    streams = "1 stream" if report.streams == 1 else f"{whole(report.streams)} streams"
    steps = "1 step" if report.timing.steps == 1 else f"{whole(report.timing.steps)} steps"
    return f"{streams}, {steps}"


def _figure_table(groups: dict[str, tuple[Figure, ...]], footnotes: dict[str, int]) -> Table:
    """All groups in one table, so that they align."""
    grid = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for row in _figure_rows(groups, footnotes):
        grid.add_row(*row)
    return grid


def _figure_rows(
    groups: dict[str, tuple[Figure, ...]], footnotes: dict[str, int]
) -> Iterator[tuple[str, ...]]:
    for number, (title, group) in enumerate((title, group) for title, group in groups.items() if group):
        if number:
            yield ("",)
        yield (title,)
        yield from ((f"  {f.name}", figure_text(f), _source(f, footnotes)) for f in group)


def _source(figure: Figure, footnotes: dict[str, int]) -> str:
    if len(figure.source) <= LONGEST_INLINE:
        return figure.source
    return f"[{footnotes.setdefault(figure.source, len(footnotes) + 1)}]"


def figure_text(figure: Figure) -> str:
    """A figure's value: shares in percent, quantities of the SI with a prefix, all else as it is."""
    if figure.unit == "share":
        return percent(figure.value)
    if figure.unit in PREFIXED:
        return quantity(figure.value, figure.unit)
    plural = "s" if figure.unit in COUNTED and figure.value != 1 else ""
    return f"{plain(figure.value)} {figure.unit}{plural}".rstrip()


def _cell_table(cells: tuple[CellSparsity, ...]) -> Table:
    grid = table("layers", "cell", "size", "columns", "sent", "of x", "of h", "zero weights", texts=(0, 1, 2))
    for cell in cells:
        size = f"{cell.inputs} -> {cell.hidden}"
        sent = f"{cell.columns_sent:.1f}"
        shares = (percent(share) for share in (cell.x_sent, cell.h_sent, cell.zero_weights))
        grid.add_row(cell.name, cell.kind, size, str(cell.columns), sent, *shares)
    return grid


def _traffic_table(rows: tuple[TrafficRow, ...], steps: int) -> Table:
    grid = table("traffic", "per step", "dense", "of dense")
    for row in rows:
        moved, dense = (quantity(count / steps, "B") for count in (row.bytes_moved, row.bytes_dense))
        share = percent(row.bytes_moved / row.bytes_dense) if row.bytes_dense else ""
        grid.add_row(row.name, moved, dense, share)
    return grid

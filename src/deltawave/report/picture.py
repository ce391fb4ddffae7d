"""A picture of a comparison: quality, latency and energy of every machine as bars."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltawave.data.files import PathLike
from deltawave.errors import OptionError
from deltawave.report.report import Report
from deltawave.report.tables import percent, quantity

if TYPE_CHECKING:
    from deltawave.report.compare import Comparison

SUFFIXES = (".svg", ".png")
COLOUR, FLOAT_COLOUR = "#2f6f9f", "#999999"


def drawing_suffix(path: PathLike) -> str:
    """The kind of picture a name asks for. Raises OptionError for one that cannot be drawn, or without matplotlib."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(f"{path}: pictures are drawn as {' or '.join(SUFFIXES)}")
    _figure_class()
    return suffix


def draw(comparison: "Comparison", path: PathLike) -> None:
    """Draw a comparison into a .svg or .png file. Raises OptionError."""
    suffix = drawing_suffix(path)
    reports = comparison.reports
    if not reports:
        raise OptionError(f"no machine took {comparison.network}, so there is nothing to draw")
    names = [report.machine.replace(", ", "\n") for report in reports]
    figure = _figure_class()(figsize=(10.0, 1.2 + 0.55 * len(reports)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    _quality(panels[0], comparison, names)
    _bars(panels[1], names, [r.timing.latency_s for r in reports], "latency per step", "s")
    _bars(panels[2], names, [r.energy_per_step_j for r in reports], "energy per step", "J")
    panels[0].invert_yaxis()
    figure.suptitle(f"{comparison.network}: {comparison.streams} streams", x=0.01, ha="left", fontsize=11)
    figure.savefig(path, format=suffix[1:], dpi=150, metadata={"Date": None} if suffix == ".svg" else None)


def _figure_class() -> Any:
    """matplotlib's Figure, which needs no display and no global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise OptionError(
            "pictures need matplotlib; install it with: pip install 'deltawave[plot]'"
        ) from None
    return Figure


def _quality(panel: Any, comparison: "Comparison", names: list[str]) -> None:
    """Accuracy where there are labels, else the output error."""
    values = [_quality_of(report) for report in comparison.reports]
    score = comparison.floats[0] if comparison.floats else None
    title = score.name if score else f"error of {comparison.reports[0].quality.errors[0].output}"
    panel.barh(names, values, color=COLOUR, height=0.6)
    for row, value in enumerate(values):
        panel.text(
            value, row, f" {percent(value)} ", va="center", ha="right" if score else "left", fontsize=8
        )
    if score:
        panel.axvline(score.value, color=FLOAT_COLOUR, linestyle="--", linewidth=1)
        title += f" (float {percent(score.value)})"
    _dress(panel, title)


def _quality_of(report: Report) -> float:
    scores = report.quality.machine
    return scores[0].value if scores else report.quality.errors[0].relative_rms


def _bars(panel: Any, names: list[str], values: list[float], title: str, unit: str) -> None:
    """Values over decades, each written beside its bar."""
    panel.barh(names, values, color=COLOUR, height=0.6)
    for row, value in enumerate(values):
        panel.text(value, row, f" {quantity(value, unit)}", va="center", fontsize=8)
    if min(values) > 0:
        low = 10.0 ** math.floor(math.log10(min(values)) - 0.5)
        panel.set_xscale("log")
        panel.set_xlim(low, max(values) * 8)
    _dress(panel, title)


def _dress(panel: Any, title: str) -> None:
    panel.set_title(title, fontsize=9, loc="left")
    panel.tick_params(labelsize=8, length=0)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)

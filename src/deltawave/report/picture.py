"""Pictures: quality, latency and energy of every machine compared as bars; quality over an option that was varied."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from deltawave.errors import OptionError
from deltawave.files import PathLike
from deltawave.report.metrics import Score
from deltawave.report.report import Report
from deltawave.report.tables import percent, quantity

if TYPE_CHECKING:
    from deltawave.report.compare import Comparison
    from deltawave.report.sweep import Sweep

SUFFIXES = (".svg", ".png")
COLOUR, FLOAT_COLOUR = "#2f6f9f", "#999999"


def drawing_suffix(path: PathLike) -> str:
    """The kind of picture a name asks for. Raises OptionError for one that cannot be drawn, or without matplotlib."""
    suffix = Path(path).suffix.lower()
    if suffix not in SUFFIXES:
        raise OptionError(f"{path}: pictures are drawn as {' or '.join(SUFFIXES)}")
    figure_class()
    return suffix


def draw(comparison: "Comparison", path: PathLike) -> None:
    """Draw a comparison into a .svg or .png file. Raises OptionError."""
    suffix, reports = drawing_suffix(path), comparison.reports
    if not reports:
        raise OptionError(f"no machine took {comparison.network}, so there is nothing to draw")
    figure = figure_class()(figsize=(10.0, 1.0 + 0.5 * len(reports)), layout="constrained")
    panels = figure.subplots(1, 3, sharey=True)
    _quality(panels[0], comparison)
    _decades(panels[1], [report.timing.latency_s for report in reports], "latency per step (log scale)", "s")
    _decades(panels[2], [report.energy_per_step_j for report in reports], "energy per step (log scale)", "J")
    panels[0].set_yticks(range(len(reports)), [report.machine.replace(", ", "\n") for report in reports])
    panels[0].invert_yaxis()
    figure.suptitle(f"{comparison.network}, {comparison.streams_text}", x=0.01, ha="left", fontsize=11)
    save_figure(figure, path, suffix)


def draw_sweep(sweep: "Sweep", path: PathLike) -> None:
    """Draw score (with labels) and error over the values of an option into a .svg or .png file. Raises OptionError."""
    suffix, found = drawing_suffix(path), sweep.comparison
    entries = zip(sweep.labels, found.entries, strict=True)
    reports = {label: entry.report for label, entry in entries if entry.report is not None}
    if not reports:
        raise OptionError(f"no point of the sweep ran {found.network}, so there is nothing to draw")
    count = 1 + len(found.floats[:1])
    figure = figure_class()(figsize=(4.5 * count, 3.2), layout="constrained")
    *scored, last = figure.subplots(1, count, squeeze=False)[0]
    for panel in scored:
        score = found.floats[0]
        values = {label: report.quality.machine[0].value for label, report in reports.items()}
        _line(panel, values, _score_title(score))
        panel.axhline(score.value, color=FLOAT_COLOUR, linestyle="--", linewidth=1)
    errors = {label: report.quality.errors[0] for label, report in reports.items()}
    output = next(iter(errors.values())).output
    _line(last, {label: error.relative_rms for label, error in errors.items()}, _error_title(output))
    figure.supxlabel(", ".join(sweep.options), fontsize=9)
    head = f"{found.network} on {sweep.machine}, {found.streams_text}"
    figure.suptitle(head, x=0.01, ha="left", fontsize=11)
    save_figure(figure, path, suffix)


def _line(panel: Any, values: dict[str, float], title: str) -> None:
    """A point a label, its value written above it."""
    panel.plot([*values], [*values.values()], color=COLOUR, marker="o")
    for label, value in values.items():
        panel.annotate(
            percent(value), (label, value), (0, 6), textcoords="offset points", ha="center", fontsize=8
        )
    panel.set_title(title, fontsize=9, loc="left")
    panel.tick_params(labelsize=8)
    panel.margins(x=0.1, y=0.2)
    panel.yaxis.set_visible(False)
    for side in ("top", "right", "left"):
        panel.spines[side].set_visible(False)


def _score_title(score: Score) -> str:
    return f"{score.name} (float network, dashed: {percent(score.value)})"


def _error_title(output: str) -> str:
    return f"relative error of {output}"


def save_figure(figure: Any, path: PathLike, suffix: str) -> None:
    """Write the file: the same comparison gives the same bytes."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "deltawave"}):
        figure.savefig(
            path, format=suffix[1:], dpi=150, metadata={"Date": None} if suffix == ".svg" else None
        )


def figure_class() -> Any:
    """matplotlib's Figure, which needs no display and no global state."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise OptionError(
            "pictures need matplotlib; install it with: pip install 'deltawave[plot]'"
        ) from None
    return Figure


def _quality(panel: Any, comparison: "Comparison") -> None:
    """Accuracy where there are labels, else the output error."""
    values = [_quality_of(report) for report in comparison.reports]
    title = _error_title(comparison.reports[0].quality.errors[0].output)
    if comparison.floats:
        score = comparison.floats[0]
        title = _score_title(score)
        panel.axvline(score.value, color=FLOAT_COLOUR, linestyle="--", linewidth=1)
    _bars(panel, values, [percent(value) for value in values], title)
    panel.set_xlim(0, 1.3 * max([*values, 1e-9]))


def _quality_of(report: Report) -> float:
    scores = report.quality.machine
    return scores[0].value if scores else report.quality.errors[0].relative_rms


def _decades(panel: Any, values: list[float], title: str, unit: str) -> None:
    """Values on a logarithmic axis."""
    _bars(panel, values, [quantity(value, unit) for value in values], title)
    if min(values) > 0:
        panel.set_xscale("log")
        panel.set_xlim(10.0 ** math.floor(math.log10(min(values)) - 0.5), max(values) * 12)


def _bars(panel: Any, values: list[float], texts: list[str], title: str) -> None:
    """A bar a machine, its value written beside it."""
    panel.barh(range(len(values)), values, color=COLOUR, height=0.6)
    for row, (value, text) in enumerate(zip(values, texts, strict=True)):
        panel.text(value, row, f" {text}", va="center", fontsize=8)
    panel.set_title(title, fontsize=9, loc="left")
    panel.tick_params(labelsize=8, length=0, which="both")
    panel.xaxis.set_visible(False)
    for side in ("top", "right", "bottom"):
        panel.spines[side].set_visible(False)

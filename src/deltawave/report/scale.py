"""A scale study of arrays of dies as text, plain values and a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deltawave.files import PathLike
from deltawave.machines.muntaniala.scale import ScalePoint, as_row, overtaken
from deltawave.report.picture import FLOAT_COLOUR, drawing_suffix, figure_class, save_figure
from deltawave.report.tables import listed, percent, quantity, rendered, table, whole


@dataclass(frozen=True)
class ScaleStudy:
    """Points by size, for every variant of a machine by its name."""

    machine: str
    variants: Mapping[str, Sequence[ScalePoint]]

    def rows(self) -> list[dict[str, float | str]]:
        """Every point as plain values, ready for JSON and CSV."""
        return [
            {"variant": name, **as_row(point)} for name, points in self.variants.items() for point in points
        ]

    def verdicts(self) -> dict[str, str]:
        """From which size on links take more than dies, by variant."""
        return {name: _verdict(points) for name, points in self.variants.items()}

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values."""
        return {
            "machine": self.machine,
            "links_overtake_dies_at": {name: _crossings(points) for name, points in self.variants.items()},
            "points": self.rows(),
        }

    def text(self, width: int = 100) -> str:
        """Tables for people."""
        grid = table(
            "array",
            "units",
            "dies",
            "latency",
            "step to step",
            "power",
            "energy\nper step",
            "time in\nlinks",
            "energy\nin links",
        )
        for name, points in self.variants.items():
            for point in points:
                grid.add_row(*_cells(name, point))
        told = [f"{name}: {verdict}" for name, verdict in self.verdicts().items()]
        head = f"{self.machine}: an array that grows with the network"
        return rendered(head, grid, listed("where links overtake dies", "-", told), width=width)


def _cells(name: str, point: ScalePoint) -> list[str]:
    return [
        name,
        whole(point.hidden),
        whole(point.dies),
        quantity(point.latency_s, "s"),
        quantity(point.period_s, "s"),
        quantity(point.power_w, "W"),
        quantity(point.step_j, "J"),
        percent(point.time_in_links),
        percent(point.energy_in_links),
    ]


def _crossings(points: Sequence[ScalePoint]) -> dict[str, int | None]:
    """Hidden units from which on links take more time, and more energy."""
    crossings = {"time": overtaken(points), "energy": overtaken(points, "energy")}
    return {of: None if point is None else point.hidden for of, point in crossings.items()}


def _verdict(points: Sequence[ScalePoint]) -> str:
    return "; ".join(
        f"{of} from {whole(hidden)} units on" if hidden else f"{of} not up to the largest"
        for of, hidden in _crossings(points).items()
    )


def draw_scale(study: ScaleStudy, path: PathLike) -> None:
    """Draw a study over hidden units and over dies into a .svg or .png file. Raises OptionError."""
    suffix = drawing_suffix(path)
    figure = figure_class()(figsize=(12.0, 6.4), layout="constrained")
    panels = figure.subplots(2, 3)
    for row, axis in zip(panels, ("hidden", "dies"), strict=True):
        _row(row, study, axis)
    handles, names = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=4, fontsize=8, frameon=False)
    figure.suptitle(f"{study.machine}: an array that grows with the network", x=0.01, ha="left", fontsize=11)
    save_figure(figure, path, suffix)


def _row(panels: Any, study: ScaleStudy, axis: str) -> None:
    for name, points in study.variants.items():
        sizes = [getattr(point, axis) for point in points]
        (line,) = panels[0].plot(sizes, [1e6 * p.latency_s for p in points], marker=".", label=name)
        style: dict[str, Any] = {"marker": ".", "color": line.get_color()}
        panels[1].plot(sizes, [1e3 * p.power_w for p in points], **style)
        panels[2].plot(sizes, [100 * p.time_in_links for p in points], **style)
        panels[2].plot(sizes, [100 * p.energy_in_links for p in points], linestyle=":", **style)
    panels[2].axhline(50, color=FLOAT_COLOUR, linewidth=1)
    panels[2].set_ylim(0, 100)
    titles = ("latency (us)", "power (mW)", "share of links (%): time, energy (dotted)")
    for panel, title in zip(panels, titles, strict=True):
        _dress(panel, title, {"hidden": "hidden units", "dies": "dies"}[axis])
    for panel in panels[:2]:
        panel.set_yscale("log")


def _dress(panel: Any, title: str, under: str) -> None:
    panel.set_xscale("log")
    panel.set_title(title, fontsize=9, loc="left")
    panel.set_xlabel(under, fontsize=8)
    panel.tick_params(labelsize=8)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)

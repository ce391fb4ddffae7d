"""Goals of a threshold search, and its trade-off table: thresholds, quality, fetched weights, cycles, energy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from deltawave.data.labels import Label
from deltawave.errors import InputError, OptionError
from deltawave.machines.deltarnn.search import Point, Search
from deltawave.machines.program import Run
from deltawave.report.metrics import Outputs, Score, Scoring, output_errors, scores
from deltawave.report.report import token_streams
from deltawave.report.tables import percent, quantity, rendered, table


@dataclass(frozen=True)
class Seen:
    """The quality of one run that a search tried: relative RMS error, and the score if there are labels."""

    error: float
    score: float | None


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The goal: at most `most_lost` percentage points below the float network, or at most `most_error`."""

    most_lost: float | None = None
    most_error: float | None = None

    def __post_init__(self) -> None:
        if (self.most_lost is None) == (self.most_error is None):
            raise OptionError("how good must it be? give either a largest accuracy loss or a largest error")

    @property
    def limit(self) -> float:
        """The largest loss allowed."""
        limit = self.most_error if self.most_lost is None else self.most_lost
        assert limit is not None
        return limit

    def __str__(self) -> str:
        if self.most_lost is None:
            return f"at most {percent(self.limit)} error"
        points = "point" if self.limit == 1 else "points"
        return f"at most {self.limit:g} {points} of accuracy below the float network"


class Judge:
    """Says how much a run loses. `seen`: the quality of every run judged, in order; `floats`: the float network's."""

    def __init__(
        self, wanted: Wanted, floats: Sequence[Outputs], labels: Sequence[Label] | None, scoring: Scoring
    ) -> None:
        self.wanted, self.seen = wanted, list[Seen]()
        self._outputs, self._labels, self._scoring = floats, labels, scoring
        self.floats: Score | None = None

    def loss(self, run: Run) -> float:
        """Points of accuracy lost, or relative RMS error. Raises InputError for labels that do not fit."""
        ours = self._score(run, run.outputs)
        self.floats = self.floats or self._score(run, self._outputs)
        self.seen.append(Seen(self._error(run), None if ours is None else ours.value))
        if self.wanted.most_lost is None:
            return self.seen[-1].error
        if ours is None or self.floats is None:
            raise InputError("an accuracy loss needs labels; give some, or a largest error instead")
        return 100.0 * (self.floats.value - ours.value)

    def _error(self, run: Run) -> float:
        errors = output_errors(run.outputs, self._outputs)
        chosen = [error for error in errors if error.output == self._scoring.output] or errors[:1]
        return chosen[0].relative_rms

    def _score(self, run: Run, outputs: Sequence[Outputs]) -> Score | None:
        tokens = token_streams(run.program.network, run.streams)
        return next(iter(scores(outputs, self._labels, self._scoring, tokens)), None)


def as_dict(search: Search, judge: Judge) -> dict[str, Any]:
    """A search as plain values, ready for JSON: the best point, and all that were tried."""
    tried = [_point_dict(point, seen) for point, seen in zip(search.tried, judge.seen, strict=True)]
    floats = None if judge.floats is None else judge.floats.value
    best = tried[_position(search, search.best)]
    return {"limit": search.limit, "float_score": floats, "best": best, "tried": tried}


def tradeoff_text(search: Search, judge: Judge, width: int = 100) -> str:
    """The trade-off of one threshold for everything, the best point, and its thresholds by layer."""
    program = search.program
    head = f"{program.network.name} on {program.machine.name}: {judge.wanted}"
    score = [] if judge.floats is None else [judge.floats.name]
    grid = table("theta", *score, "error", "fetched", "cycles/step", "energy/step")
    if judge.floats is not None:
        grid.add_row("float network", percent(judge.floats.value))
    for point in search.table:
        theta = next(iter(point.thetas.values()))[0]
        grid.add_row(f"{theta:g}", *_figures(point, judge.seen[_position(search, point)]))
    grid.add_row("best", *_figures(search.best, judge.seen[_position(search, search.best)]))
    return rendered(head, grid, _threshold_table(search), width=width)


def _figures(point: Point, seen: Seen) -> list[str]:
    score = [] if seen.score is None else [percent(seen.score)]
    energy = quantity(point.energy_pj_per_step * 1e-12, "J")
    return [*score, percent(seen.error), percent(point.fetched), f"{point.cycles_per_step:,.1f}", energy]


def _threshold_table(search: Search) -> Table:
    grid = table("best", "theta_input", "theta_hidden")
    for layer, thetas in search.best.thetas.items():
        grid.add_row(layer, *(f"{theta:g}" for theta in thetas))
    return grid


def _point_dict(point: Point, seen: Seen) -> dict[str, Any]:
    return {
        "thetas": {layer: list(thetas) for layer, thetas in point.thetas.items()},
        "fetched": point.fetched,
        "loss": point.loss,
        "error": seen.error,
        "score": seen.score,
        "cycles_per_step": point.cycles_per_step,
        "energy_pj_per_step": point.energy_pj_per_step,
    }


def _position(search: Search, point: Point) -> int:
    return next(number for number, tried in enumerate(search.tried) if tried is point)

"""Goals of a threshold search, and its trade-off table: thresholds, quality, fetched weights, cycles, energy."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from deltawave.data.labels import Label
from deltawave.errors import InputError, OptionError
from deltawave.machines.deltarnn.search import Point, Search
from deltawave.machines.program import Run
from deltawave.report.metrics import Outputs, Scoring, output_errors, scores
from deltawave.report.report import token_streams
from deltawave.report.tables import percent, quantity, rendered, table


@dataclass(frozen=True)
class Seen:
    """The quality of one run that a search tried: relative RMS error, and the score if there are labels."""

    error: float
    score: float | None


@dataclass(frozen=True, eq=False)
class Goal:
    """How good a run must be: at most `most_lost` points of accuracy below the float network, or `most_error`.

    `seen`: every run measured, in the order of `Search.tried`.
    """

    floats: Sequence[Outputs]
    labels: Sequence[Label] | None
    scoring: Scoring
    most_lost: float | None = None
    most_error: float | None = None
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        if (self.most_lost is None) == (self.most_error is None):
            raise OptionError("how good must it be? give either a largest accuracy loss or a largest error")

    @property
    def limit(self) -> float:
        """The largest loss allowed."""
        limit = self.most_error if self.most_lost is None else self.most_lost
        assert limit is not None
        return limit

    def loss(self, run: Run) -> float:
        """Points of accuracy lost, or relative RMS error. Raises InputError for accuracy without labels."""
        error = self._error(run)
        exact, ours = self._score(run, self.floats), self._score(run, run.outputs)
        self.seen.append(Seen(error, ours))
        if self.most_lost is None:
            return error
        if exact is None or ours is None:
            raise InputError("an accuracy loss needs labels; give some, or a largest error instead")
        return 100.0 * (exact - ours)

    def _error(self, run: Run) -> float:
        errors = output_errors(run.outputs, self.floats)
        chosen = [error for error in errors if error.output == self.scoring.output] or errors[:1]
        return chosen[0].relative_rms

    def _score(self, run: Run, outputs: Sequence[Outputs]) -> float | None:
        tokens = token_streams(run.program.network, run.streams)
        found = scores(outputs, self.labels, self.scoring, tokens)
        return found[0].value if found else None


def as_dict(search: Search, goal: Goal) -> dict[str, Any]:
    """A search as plain values, ready for JSON: the best point, and all that were tried."""
    tried = [_point_dict(point, seen) for point, seen in zip(search.tried, goal.seen, strict=True)]
    return {"limit": search.limit, "best": tried[_position(search, search.best)], "tried": tried}


def tradeoff_text(search: Search, goal: Goal, width: int = 100) -> str:
    """The trade-off of one threshold for everything, then the best thresholds by layer."""
    sweep = _table("theta", goal)
    for point in search.table:
        theta = next(iter(point.thetas.values()))[0]
        sweep.add_row(f"{theta:g}", *_figures(point, goal.seen[_position(search, point)]))
    best = _table("best", goal)
    best.add_row("by layer", *_figures(search.best, goal.seen[_position(search, search.best)]))
    return rendered(sweep, best, _threshold_table(search), width=width)


def _table(first: str, goal: Goal) -> Table:
    score = [] if goal.seen[0].score is None else ["score"]
    return table(first, "fetched", "error", *score, "cycles/step", "energy/step")


def _figures(point: Point, seen: Seen) -> list[str]:
    score = [] if seen.score is None else [percent(seen.score)]
    energy = quantity(point.energy_pj_per_step * 1e-12, "J")
    return [percent(point.fetched), percent(seen.error), *score, f"{point.cycles_per_step:,.1f}", energy]


def _threshold_table(search: Search) -> Table:
    grid = table("layer", "theta_input", "theta_hidden")
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

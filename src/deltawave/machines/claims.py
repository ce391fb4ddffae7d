"""Published figures as data, each beside what our model of the machine makes of it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

TOLERANCE = 0.10
"""A deviation beyond this needs a reason."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A published figure. `ours` computes the same figure with our model, never from `reported`; None: we
    can't.

    certainty: "text" (read in the source), "seed" (the project's founding documents), "derived" (computed
    from published figures), "recall NN%" (from memory). `reason`: why ours deviates or is missing, and under
    which assumption it holds.
    """

    machine: str
    name: str
    unit: str
    reported: float
    source: str
    certainty: str
    ours: Callable[[], float] | None = None
    reason: str = ""

    def row(self) -> dict[str, str | float | None]:
        """The claim with ours computed: machine, name, unit, reported, ours, deviation (relative, signed),
        source, certainty and, where there is one, reason."""
        ours = None if self.ours is None else float(self.ours())
        deviation = None if ours is None else (ours - self.reported) / self.reported
        assert self.reason or (deviation is not None and abs(deviation) <= TOLERANCE), self
        row: dict[str, str | float | None] = {
            "machine": self.machine,
            "name": self.name,
            "unit": self.unit,
            "reported": self.reported,
            "ours": ours,
            "deviation": deviation,
            "source": self.source,
            "certainty": self.certainty,
        }
        return {**row, "reason": self.reason} if self.reason else row


def rows(claims: Iterable[Claim]) -> list[dict[str, str | float | None]]:
    """Every claim with ours computed."""
    return [claim.row() for claim in claims]

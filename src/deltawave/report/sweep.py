"""One machine with one or several of its options varied, on the same network and data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

from deltawave.data.labels import Label
from deltawave.errors import OptionError
from deltawave.files import PathLike, json_text
from deltawave.machines.base import Machine
from deltawave.machines.program import Data, Progress, quiet
from deltawave.network import Network
from deltawave.report.compare import Comparison, compare, entry_outcome, tables
from deltawave.report.metrics import AUTOMATIC, Scoring
from deltawave.report.tables import rendered
from deltawave.report.variants import option_text, variant_name


@dataclass(frozen=True)
class Sweep:
    """What became of each point. `points`: the options varied with their values, by entry of the comparison."""

    machine: str
    points: tuple[Mapping[str, Any], ...]
    comparison: Comparison

    @property
    def options(self) -> tuple[str, ...]:
        """The options that were varied."""
        return tuple(self.points[0])

    @property
    def labels(self) -> tuple[str, ...]:
        """The values of each point, in words."""
        return tuple(", ".join(map(option_text, point.values())) for point in self.points)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, ready for JSON."""
        pairs = zip(self.points, self.comparison.entries, strict=True)
        return {
            "network": self.comparison.network,
            "machine": self.machine,
            "streams": self.comparison.streams,
            "float_network": [asdict(score) for score in self.comparison.floats],
            "points": [{"options": dict(point), **entry_outcome(entry)} for point, entry in pairs],
        }

    def save(self, path: PathLike) -> None:
        """Write `as_dict` as JSON."""
        Path(path).write_text(json_text(self.as_dict()) + "\n")

    def text(self, width: int = 120) -> str:
        """The points as a table for people."""
        found = self.comparison
        head = f"{found.network} on {self.machine}: {found.streams_text}"
        return rendered(head, *tables(found, ", ".join(self.options), self.labels, width), width=width)

    def __str__(self) -> str:
        return self.text()


def sweep(
    network: Network,
    machine: Machine,
    data: Data,
    *,
    over: Mapping[str, Sequence[object]],
    calibration: Data | None = None,
    labels: Sequence[Label] | None = None,
    scoring: Scoring = AUTOMATIC,
    progress: Progress = quiet,
) -> Sweep:
    """Compile and run the network with every combination of the values of the options in `over`.

    The rest is as for `compare`. Raises OptionError for options and values that the machine does not have, InputError.
    """
    machines = list(_variants(machine, over))
    points = tuple({name: _value(variant, name) for name in over} for variant in machines)
    comparison = compare(
        network,
        machines,
        data,
        calibration=calibration,
        labels=labels,
        scoring=scoring,
        progress=progress,
    )
    return Sweep(variant_name(machine), points, comparison)


def _variants(machine: Machine, over: Mapping[str, Sequence[object]]) -> Iterator[Machine]:
    if not over:
        raise OptionError(f"{machine.name}: no option is varied; give at least one, with its values")
    for name, values in over.items():
        if not values:
            raise OptionError(f"{machine.name}: {name} is varied over no values; give at least one")
    for values in product(*over.values()):
        yield machine.with_options(dict(zip(over, values, strict=True)))


def _value(machine: Machine, option: str) -> Any:
    """The value of an option, or of one entry of it."""
    name, dot, entry = option.partition(".")
    value = getattr(machine, name)
    return value[entry] if dot else value

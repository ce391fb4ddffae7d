"""The same network and the same data on several machines, beside the float network."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table

from deltawave.data.labels import Label
from deltawave.errors import CapacityError, OptionError, UnsupportedError
from deltawave.files import PathLike, json_text
from deltawave.hardware.cost import AreaRow
from deltawave.machines.base import Machine
from deltawave.machines.program import Data, Progress, compile_network, quiet
from deltawave.network import Network, as_streams
from deltawave.report.metrics import AUTOMATIC, Outputs, Score, Scoring, scores
from deltawave.report.report import Report, float_outputs, measure, token_streams
from deltawave.report.tables import listed, percent, plain, quantity, rendered, table, whole
from deltawave.report.variants import variant_name

AREAS = ("DSP48E1", "BRAM36", "mm2")
"""Resources and units of silicon that the table shows; a report has all."""
ROOMY = 120  # columns in which all of them fit; narrower tables show the last


@dataclass(frozen=True)
class Entry:
    """One machine: its report, or why it refused."""

    machine: str
    report: Report | None
    refusal: str = ""


@dataclass(frozen=True)
class Comparison:
    """The float network's scores (headline first, empty without labels), and one entry a machine."""

    network: str
    streams: int
    floats: tuple[Score, ...]
    entries: tuple[Entry, ...]

    @property
    def reports(self) -> tuple[Report, ...]:
        """The reports of the machines that ran."""
        return tuple(entry.report for entry in self.entries if entry.report is not None)

    @property
    def streams_text(self) -> str:
        """How many streams, in words."""
        return "1 stream" if self.streams == 1 else f"{whole(self.streams)} streams"

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, ready for JSON."""
        return {
            "network": self.network,
            "streams": self.streams,
            "float_network": [asdict(score) for score in self.floats],
            "machines": [{"machine": entry.machine, **entry_outcome(entry)} for entry in self.entries],
        }

    def save(self, path: PathLike) -> None:
        """Write `as_dict` as JSON."""
        Path(path).write_text(json_text(self.as_dict()) + "\n")

    def text(self, width: int = 120) -> str:
        """The comparison as a table for people."""
        head = f"{self.network}: {self.streams_text}"
        names = [entry.machine for entry in self.entries]
        return rendered(head, *tables(self, "machine", names, width), width=width)

    def __str__(self) -> str:
        return self.text()


def compare(
    network: Network,
    machines: Sequence[Machine],
    data: Data,
    *,
    calibration: Data | None = None,
    labels: Sequence[Label] | None = None,
    scoring: Scoring = AUTOMATIC,
    progress: Progress = quiet,
) -> Comparison:
    """Compile and run the network on every machine. A machine that cannot take it says why instead.

    data, calibration: as for `Program.run`; labels: as for `measure`. Raises InputError.
    """
    streams = as_streams(network, data)
    floats = float_outputs(network, streams, progress=progress)
    shared = _Shared(network, data, calibration, labels, scoring, floats)
    entries = tuple(_entry(shared, machine, progress) for machine in machines)
    told = scores(floats, labels, scoring, token_streams(network, streams))
    return Comparison(network.name, len(streams), told, entries)


@dataclass(frozen=True, eq=False)
class _Shared:
    """What all machines get."""

    network: Network
    data: Data
    calibration: Data | None
    labels: Sequence[Label] | None
    scoring: Scoring
    floats: Sequence[Outputs]


def _entry(shared: _Shared, machine: Machine, progress: Progress) -> Entry:
    try:
        program = compile_network(shared.network, machine, calibration=shared.calibration, progress=progress)
    except (UnsupportedError, CapacityError, OptionError) as refusal:
        return Entry(variant_name(machine), None, str(refusal))
    run = program.run(shared.data, progress=progress)
    report = measure(run, shared.labels, scoring=shared.scoring, floats=shared.floats)
    return Entry(report.machine, report)


def entry_outcome(entry: Entry) -> dict[str, Any]:
    """The report or the refusal, as plain values."""
    return {"refused": entry.refusal} if entry.report is None else {"report": entry.report.as_dict()}


def tables(
    comparison: Comparison, heading: str, names: Sequence[str], width: int
) -> Iterator[RenderableType]:
    """The figures of all entries, each under its name, then the refusals and notes."""
    yield _figures_table(comparison, heading, names, AREAS if width >= ROOMY else AREAS[-1:])
    refusals = [_refusal(entry) for entry in comparison.entries if entry.refusal]
    if refusals:
        yield listed("refused", "-", refusals)
    notes = list(_notes(comparison.reports))
    if notes:
        yield listed("notes", "-", notes)


def _refusal(entry: Entry) -> str:
    """Why an entry has no figures, after the name of its machine."""
    is_named = entry.refusal.startswith(f"{entry.machine} ")
    return entry.refusal if is_named else f"{entry.machine}: {entry.refusal}"


def _notes(reports: Sequence[Report]) -> Iterator[str]:
    """Every note once, with the machines it is about unless it is about all."""
    about: dict[str, list[str]] = {}
    for report in reports:
        for note in report.notes:
            about.setdefault(note, []).append(report.machine)
    for note, machines in about.items():
        published = dict.fromkeys(name.split(",")[0] for name in machines)
        yield note if len(machines) == len(reports) else f"{', '.join(published)}: {note}"


def _figures_table(comparison: Comparison, heading: str, names: Sequence[str], areas: Sequence[str]) -> Table:
    """A row an entry; columns in which no machine has anything to tell are left out."""
    rows = [_cells(entry.report, areas) if entry.report else {} for entry in comparison.entries]
    told = {column for row in rows for column, text in row.items() if text}
    columns = [column for column in dict.fromkeys(chain(*rows)) if column in told]
    floats = comparison.floats[:1]
    grid = table(heading, *(score.name.replace(" ", "\n") for score in floats), *columns)
    grid.add_row("float network", *map(_score_text, floats))
    for name, entry, row in zip(names, comparison.entries, rows, strict=True):
        scored = map(_score_text, entry.report.quality.machine[:1]) if entry.report else ["refused"]
        grid.add_row(name, *scored, *(row[column] for column in columns if row))
    return grid


def _cells(report: Report, areas: Sequence[str]) -> dict[str, str]:
    """A row of the table by its columns, without name and score."""
    used = report.timing.effective_utilisation
    return {
        "error": percent(report.quality.errors[0].relative_rms),
        "on\nmachine": percent(report.work.machine_share),
        "fetched": "" if report.sparsity is None else percent(report.sparsity.weights_fetched),
        "cycles\nper step": f"{report.timing.cycles_per_step:,.1f}",
        "latency\nper step": quantity(report.timing.latency_s, "s"),
        "utili-\nsation": "" if used is None else percent(used),
        "energy\nper step": quantity(report.energy_per_step_j, "J"),
        **{name: _area_text(report.cost.area, name) for name in areas},
    }


def _area_text(rows: Sequence[AreaRow], name: str) -> str:
    """All of a resource, or of a unit of silicon."""
    amounts = [row.amount for row in rows if name in (row.name, row.unit)]
    return plain(sum(amounts)) if amounts else ""


def _score_text(score: Score) -> str:
    return percent(score.value) if score.unit == "share" else f"{score.value:.3f} {score.unit}"

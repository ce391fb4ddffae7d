"""What a run gave and what it cost: `measure(run)` makes a `Report`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltawave.data.labels import Label
from deltawave.files import PathLike, json_text
from deltawave.hardware.cost import Cost
from deltawave.hardware.timeline import Timeline
from deltawave.machines.base import MachineFigure
from deltawave.machines.program import Progress, Run, quiet, stacked
from deltawave.network import FloatReference, Network, Recurrent, Stream
from deltawave.report.figures import as_dict
from deltawave.report.metrics import AUTOMATIC, OutputError, Outputs, Score, Scoring, output_errors, scores
from deltawave.report.sparsity import Sparsity, sparsity_of
from deltawave.report.tables import named
from deltawave.report.text import report_text
from deltawave.report.variants import variant_name
from deltawave.report.work import Work, host_layers, work_of


@dataclass(frozen=True)
class Quality:
    """The exact outputs beside the float network's, and both beside the labels (headline first; may be empty)."""

    errors: tuple[OutputError, ...]
    machine: tuple[Score, ...]
    floats: tuple[Score, ...]


@dataclass(frozen=True)
class Timing:
    """How long the run took on the machine alone. A step goes through all layers. By unit, from 0
    to 1: `utilisation`, and `critical`, the share of the first steps' cycles that hang on it. `multipliers`: of all
    devices, None if the machine does not say."""

    clock_hz: float
    steps: int
    cycles: int
    worst_step_cycles: int
    operations: int
    multipliers: int | None
    utilisation: dict[str, float]
    critical: dict[str, float]

    @property
    def cycles_per_step(self) -> float:
        """Cycles of a step, on average."""
        return self.cycles / max(self.steps, 1)

    @property
    def latency_s(self) -> float:
        """Seconds of a step, on average."""
        return self.cycles_per_step / self.clock_hz

    @property
    def worst_latency_s(self) -> float:
        """Seconds of the longest step."""
        return self.worst_step_cycles / self.clock_hz

    @property
    def operations_per_s(self) -> float:
        """Effective throughput: operations of the dense layers taken, over the time."""
        return self.operations * self.clock_hz / max(self.cycles, 1)

    @property
    def effective_utilisation(self) -> float | None:
        """Dense operations over those that all multipliers can do in that time; above 1 where work is spared."""
        if not self.multipliers:
            return None
        return self.operations / (2 * self.multipliers * max(self.cycles, 1))


@dataclass(frozen=True)
class Report:
    """All figures of a run. `sparsity` is None for machines that send every value. `notes`: what a reader must know."""

    network: str
    machine: str
    streams: int
    quality: Quality
    work: Work
    timing: Timing
    sparsity: Sparsity | None
    cost: Cost
    particulars: tuple[MachineFigure, ...]
    notes: tuple[str, ...]

    @property
    def energy_per_step_j(self) -> float:
        """Energy of a step on the headline basis, in joules."""
        return self.cost.energy_pj * 1e-12 / max(self.timing.steps, 1)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain values, ready for JSON: figures with unit and source, by group."""
        return as_dict(self)

    def save(self, path: PathLike) -> None:
        """Write `as_dict` as JSON."""
        Path(path).write_text(json_text(self.as_dict()) + "\n")

    def text(self, width: int = 100) -> str:
        """The report as tables for people."""
        return report_text(self, width)

    def __str__(self) -> str:
        return self.text()


def measure(
    run: Run,
    labels: Sequence[Label] | None = None,
    *,
    scoring: Scoring = AUTOMATIC,
    floats: Sequence[Outputs] | None = None,
    progress: Progress = quiet,
) -> Report:
    """All figures of a run.

    labels: one item a stream: its class, its text, or an array with a class for every call or step.
    floats: the float network's outputs, if they are at hand. Raises InputError for labels that do not fit.
    """
    network = run.program.network
    floats = float_outputs(network, run.streams, progress=progress) if floats is None else floats
    work = work_of(run)
    return Report(
        network=network.name,
        machine=variant_name(run.program.machine),
        streams=len(run.streams),
        quality=_quality(run, floats, labels, scoring),
        work=work,
        timing=_timing(run, work.machine),
        sparsity=sparsity_of(run),
        cost=run.cost,
        particulars=run.program.machine.figures(list(run.program.cells.values()), run.activity),
        notes=_notes(run),
    )


def float_outputs(
    network: Network, streams: Sequence[Stream], *, progress: Progress = quiet
) -> list[Outputs]:
    """What the float network says, as `Run.outputs`: each output stacked over the stream's calls."""
    floats, outputs = FloatReference(network), []
    for done, stream in enumerate(streams):
        progress("float network", done, len(streams))
        outputs.append(stacked(floats.run(stream)))
    progress("float network", len(streams), len(streams))
    return outputs


def _quality(
    run: Run, floats: Sequence[Outputs], labels: Sequence[Label] | None, scoring: Scoring
) -> Quality:
    tokens = token_streams(run.program.network, run.streams)
    ours, exact = (scores(outputs, labels, scoring, tokens) for outputs in (run.outputs, floats))
    return Quality(output_errors(run.outputs, floats), ours, exact)


def token_streams(network: Network, streams: Sequence[Stream]) -> list[NDArray[Any]] | None:
    """The whole numbers a token network was fed, int [tokens] by stream; None for other networks."""
    if len(network.inputs) != 1 or np.dtype(network.inputs[0].dtype).kind not in "iu":
        return None
    name = network.inputs[0].name
    return [np.concatenate([np.asarray(call[name]).ravel() for call in stream]) for stream in streams]


def _timing(run: Run, operations: int) -> Timing:
    timeline = run.timeline
    return Timing(
        clock_hz=timeline.clock_hz,
        steps=run.steps,
        cycles=timeline.cycles,
        worst_step_cycles=_worst_step(list(timeline.step_cycles.values())),
        operations=operations,
        multipliers=run.program.machine.multipliers_of(list(run.program.cells.values())),
        utilisation={unit: timeline.utilisation(unit) for unit in timeline.units},
        critical=_critical(timeline),
    )


def _critical(timeline: Timeline) -> dict[str, float]:
    cycles = timeline.critical_cycles()
    return {unit: count / sum(cycles.values()) for unit, count in cycles.items() if count}


def _worst_step(parts: Sequence[NDArray[np.int64]]) -> int:
    """The longest step through all parts; parts of fewer steps work beside the first ones."""
    total = np.zeros(max(map(len, parts)), np.int64)
    for cycles in parts:
        total[: len(cycles)] += cycles
    return int(total.max(initial=0))


def _notes(run: Run) -> tuple[str, ...]:
    """What a reader of the figures must know."""
    verdicts = {layer.name: run.program.verdicts[layer.name].reason for layer in run.program.taken}
    extended = [f"{names}: {reason}" for reason, names in by_reason(verdicts).items() if reason]
    host = by_reason(host_layers(run.program)).items()
    on_host = (
        f"{names} ran on the host, which cycles and energy leave out: {reason}" for reason, names in host
    )
    return (*_continued(run), *_called(run), *_uncalibrated(run), *extended, *on_host)


def _called(run: Run) -> Iterator[str]:
    if not any(isinstance(layer, Recurrent) for layer in run.program.network.layers):
        yield "the network has no recurrent layer: a step is a call"


def _uncalibrated(run: Run) -> Iterator[str]:
    if run.program.machine.calibrates and not run.program.calibrated:
        yield (
            "compiled without calibration data: number formats fit the weights only; "
            "--calibration (in Python calibration=) picks them for the data"
        )


def _continued(run: Run) -> Iterator[str]:
    """A hint for clips that were meant to be streams of their own."""
    calls = sum(map(len, run.streams))
    if len(run.streams) == 1 and 1 < calls < run.steps:
        yield (
            f"the {calls} calls of {run.steps // calls} steps continue one another as one stream; "
            "--separate (in Python a list of arrays) starts each afresh"
        )


def by_reason(reasons: Mapping[str, str]) -> dict[str, str]:
    """Layers that have a reason in common, in words."""
    groups: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        groups.setdefault(reason, []).append(name)
    return {reason: named(names) for reason, names in groups.items()}

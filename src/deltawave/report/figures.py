"""A report's figures as rows: name, value, unit, and where each comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltawave.report.report import Report


@dataclass(frozen=True)
class Figure:
    """One figure. `value` is in `unit`; a "share" goes from 0 to 1; a plain number has no unit."""

    name: str
    value: float
    unit: str
    source: str


def figures(report: Report) -> dict[str, tuple[Figure, ...]]:
    """All figures of a report by group."""
    return {
        "quality": tuple(_quality(report)),
        "work": tuple(_work(report)),
        "time": tuple(_time(report)),
        "sparsity": tuple(_sparsity(report)),
        "particulars": tuple(Figure(own.name, own.value, own.unit, own.source) for own in report.particulars),
        "energy": tuple(_energy(report)),
        "area": tuple(Figure(row.name, row.amount, row.unit, row.source) for row in report.cost.area),
    }


def as_dict(report: Report) -> dict[str, Any]:
    """Everything as plain values: the figures by group, then cells, traffic and notes."""
    groups = {name: [asdict(figure) for figure in group] for name, group in figures(report).items()}
    cells = [] if report.sparsity is None else [asdict(cell) for cell in report.sparsity.cells]
    return {
        "network": report.network,
        "machine": report.machine,
        "streams": report.streams,
        "energy_basis": report.cost.basis,
        **groups,
        "cells": cells,
        "traffic": [asdict(row) for row in report.cost.traffic],
        "notes": list(report.notes),
    }


def _quality(report: Report) -> Iterator[Figure]:
    for ours, exact in zip(report.quality.machine, report.quality.floats, strict=True):
        source = f"{ours.counted} labels"
        yield Figure(ours.name, ours.value, ours.unit, source)
        yield Figure(f"{ours.name} of the float network", exact.value, exact.unit, source)
    for error in report.quality.errors:
        yield Figure(
            f"error of {error.output}", error.relative_rms, "share", "rms(difference) / rms(float network)"
        )
        yield Figure(f"largest error of {error.output}", error.largest, "", "max |difference|")


def _work(report: Report) -> Iterator[Figure]:
    work = report.work
    yield Figure(
        "operations on the machine", work.machine, "op", "dense multiplications and additions, taken layers"
    )
    yield Figure(
        "operations on the host", work.host, "op", "dense multiplications and additions, other layers"
    )
    yield Figure("share on the machine", work.machine_share, "share", "operations on the machine / all")


def _time(report: Report) -> Iterator[Figure]:
    timing = report.timing
    clock = f"cycles at {timing.clock_hz / 1e6:g} MHz"
    yield Figure("steps", timing.steps, "step", "time steps of the run")
    yield Figure("cycles", timing.cycles, "cycle", "timeline")
    yield Figure("cycles per step", timing.cycles_per_step, "cycle", "timeline, mean")
    yield Figure("longest step", timing.worst_step_cycles, "cycle", "timeline")
    yield Figure("latency per step", timing.latency_s, "s", f"{clock}, mean")
    yield Figure("longest latency", timing.worst_latency_s, "s", clock)
    yield Figure(
        "effective throughput", timing.operations_per_s, "op/s", "dense operations of taken layers / time"
    )
    if timing.effective_utilisation is not None:
        yield Figure(
            "effective utilisation",
            timing.effective_utilisation,
            "share",
            "dense operations of taken layers / what all multipliers can do in the time",
        )
    for unit, share in timing.utilisation.items():
        yield Figure(f"{unit} busy", share, "share", "busy cycles / cycles")
    for unit, share in timing.critical.items():
        yield Figure(f"{unit} critical", share, "share", "of the critical path of the first steps")


def _sparsity(report: Report) -> Iterator[Figure]:
    if report.sparsity is None:
        return
    yield Figure(
        "weights fetched",
        report.sparsity.weights_fetched,
        "share",
        "columns sent, weighted by their weights",
    )
    yield Figure("zero weights", report.sparsity.zero_weights, "share", "compiled weights that are zero")


def _energy(report: Report) -> Iterator[Figure]:
    cost, steps = report.cost, max(report.timing.steps, 1)
    seconds = report.timing.cycles / report.timing.clock_hz
    yield Figure("energy per step", report.energy_per_step_j, "J/step", f"sum of: {cost.basis}")
    yield Figure("average power", cost.energy_pj * 1e-12 / seconds if seconds else 0.0, "W", cost.basis)
    for row in cost.energy:
        yield Figure(row.name, row.picojoules * 1e-12 / steps, "J/step", f"{row.basis}: {row.source}")

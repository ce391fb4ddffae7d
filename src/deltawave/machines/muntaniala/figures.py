"""What a report tells of an array of dies beyond what all machines tell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from deltawave.hardware.timeline import Timeline
from deltawave.kernels.stationary_lstm import Events
from deltawave.machines.base import Activity, MachineFigure
from deltawave.machines.muntaniala import timing
from deltawave.machines.muntaniala.compiled import MuntanialaCell
from deltawave.machines.muntaniala.cost import PUBLISHED, cost

if TYPE_CHECKING:
    from deltawave.machines.muntaniala.machine import Muntaniala

COUNTED = {
    "accumulators wrapped": ("accumulators", "sums outside of the accumulators"),
    "inputs saturated": ("x", "values of x beyond the calibrated format"),
    "states c saturated": ("c", "values of c beyond the calibrated format"),
    "states h saturated": ("h", "values of h beyond the format"),
}


def figures(
    machine: Muntaniala, cells: Sequence[MuntanialaCell], activity: Activity
) -> tuple[MachineFigure, ...]:
    """Dies and how full they are, time and power of dies and links, and how often numbers did not fit."""
    timeline = timing.timeline(machine, cells, activity)
    return (
        *_dies(machine, cells),
        *_times(machine, cells, timeline),
        *_powers(machine, cells, activity, timeline),
        *_counts(cells, activity),
    )


def _dies(machine: Muntaniala, cells: Sequence[MuntanialaCell]) -> Iterator[MachineFigure]:
    weights = sum(cell.cell.weights_x.size + cell.cell.weights_h.size for cell in cells)
    tiles = sum(cell.tiling.tiles for cell in cells)
    filled = weights / (tiles * timing.GATES * 2 * machine.units**2)
    yield MachineFigure("dies", machine.dies_used(cells), "die", "tiles of units x (units of x + units of h)")
    yield MachineFigure("tiles filled", filled, "share", "weights over places for weights")


def _times(
    machine: Muntaniala, cells: Sequence[MuntanialaCell], timeline: Timeline
) -> Iterator[MachineFigure]:
    computing = timing.time_in_dies(machine, cells, timeline)
    yield MachineFigure("time in dies", computing, "share", "MAC and ELEM of the busiest layer")
    yield MachineFigure("time in links", 1 - computing, "share", "what is left: dies wait for links")


def _powers(
    machine: Muntaniala, cells: Sequence[MuntanialaCell], activity: Activity, timeline: Timeline
) -> Iterator[MachineFigure]:
    for row in cost(machine, cells, activity, timeline).energy:
        if row.basis == PUBLISHED and timeline.cycles:
            watts = row.picojoules * 1e-12 / timeline.seconds
            yield MachineFigure(f"power of {row.name}", watts, "W", row.basis)


def _counts(cells: Sequence[MuntanialaCell], activity: Activity) -> Iterator[MachineFigure]:
    events = [Events.of(cell.cell, activity[cell.name]) for cell in cells if cell.name in activity]
    for name, (field, source) in COUNTED.items():
        yield MachineFigure(name, sum(int(getattr(event, field).sum()) for event in events), "", source)

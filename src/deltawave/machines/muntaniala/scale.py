"""How an array grows with the network: latency, power, and where links come to take longer than dies.

Time and energy of a step depend on sizes alone, so any size is measured without a network.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from deltawave.errors import OptionError
from deltawave.machines.muntaniala import timing
from deltawave.machines.muntaniala.cost import PUBLISHED
from deltawave.machines.muntaniala.machine import Muntaniala
from deltawave.machines.muntaniala.shapes import stacked_cells

STEPS = 32
LARGEST = 100_000
MOST_LAYERS = 64


@dataclass(frozen=True)
class ScalePoint:
    """Layers of so many hidden units on as many dies as they need.

    latency_s: from the features of a step to its outputs, through all layers; period_s: from step to step. Power and
    energy while steps follow each other without a pause, all links included, on `energy_basis`. time_in_links: of the
    time; energy_in_links: of the energy; from 0 to 1.
    """

    hidden: int
    layers: int
    dies: int
    latency_s: float
    period_s: float
    power_w: float
    step_j: float
    time_in_links: float
    energy_in_links: float
    energy_basis: str


def measure(machine: Muntaniala, hidden: int, layers: int = 1, inputs: int | None = None) -> ScalePoint:
    """One point. inputs: of the first layer, as many as hidden units if None. Raises OptionError, CapacityError."""
    sizes = (hidden if inputs is None else inputs, *(hidden,) * layers)
    if not 1 <= min(sizes) <= max(sizes) <= LARGEST or not 1 <= layers <= MOST_LAYERS:
        raise OptionError(
            f"{layers} layers of {hidden} units with {sizes[0]} inputs cannot be measured; sizes go from 1 to "
            f"{LARGEST}, layers from 1 to {MOST_LAYERS}"
        )
    cells = stacked_cells(machine, sizes)
    enough = replace(machine, dies=max(machine.dies_used(cells), machine.dies))
    enough.check(cells)
    activity = {cell.name: np.broadcast_to(np.False_, (STEPS, cell.cell.columns)) for cell in cells}
    timeline = enough.timeline(cells, activity)
    cycles = np.sum([part.step_cycles for part in timeline.parts], axis=0)
    cost = enough.cost(cells, activity, timeline)
    basis = PUBLISHED if any(row.basis == PUBLISHED for row in cost.energy) else cost.basis
    rows = [row for row in cost.energy if row.basis == basis]
    picojoules = sum(row.picojoules for row in rows)
    return ScalePoint(
        hidden=hidden,
        layers=layers,
        dies=enough.dies_used(cells),
        latency_s=float(cycles[0] / machine.clock_hz),
        period_s=float(cycles[-1] / machine.clock_hz),
        power_w=picojoules * 1e-12 / timeline.seconds,
        step_j=picojoules * 1e-12 / STEPS,
        time_in_links=1 - timing.time_in_dies(enough, cells, timeline),
        energy_in_links=sum(row.picojoules for row in rows if row.name.startswith("links")) / picojoules,
        energy_basis=basis,
    )


def overtaken(points: Sequence[ScalePoint], of: Literal["time", "energy"] = "time") -> ScalePoint | None:
    """The smallest point from which on links take more time, or energy, than dies; None if they do not at the largest.

    points: by size.
    """
    found = None
    for point in reversed(points):
        share = point.time_in_links if of == "time" else point.energy_in_links
        if share <= 0.5:
            break
        found = point
    return found


def as_row(point: ScalePoint) -> dict[str, float | str]:
    """A point as plain values."""
    return asdict(point)

"""The published networks, run on our model.

The trained networks and their data are not public. What decides time and energy of a step is its shape alone, so each
is a network of the published shape, without weights of any value.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from deltawave.hardware.cost import Cost
from deltawave.hardware.timeline import Timeline
from deltawave.machines.muntaniala.cost import PUBLISHED
from deltawave.machines.muntaniala.machine import CHIPMUNK, MUNTANIALA, PROTOTYPE, Muntaniala
from deltawave.machines.muntaniala.points import CHIPMUNK_EFFICIENT, cycle_pj
from deltawave.machines.muntaniala.shapes import stacked_cells

STEPS = 100
FRAME_S = 10e-3
GRAVES = (123, 421, 421, 421)
NH384 = (123, 384, 384, 384)
PROTOTYPE_SIZES = (192, 192)
"""Inputs, then hidden units layer by layer."""


class Point:
    """A network run on a machine for many steps."""

    def __init__(self, machine: Muntaniala, sizes: tuple[int, ...]) -> None:
        self.machine, self.cells = machine, stacked_cells(machine, sizes)
        machine.check(self.cells)
        rows = {cell.name: np.zeros((STEPS, cell.cell.columns), np.bool_) for cell in self.cells}
        self.timeline: Timeline = machine.timeline(self.cells, rows)
        self.cost: Cost = machine.cost(self.cells, rows, self.timeline)

    @property
    def dies(self) -> int:
        """Dies that the network lies on."""
        return self.machine.dies_used(self.cells)

    @property
    def operations(self) -> int:
        """Of a step: two a weight."""
        return 2 * sum(cell.cell.weights_x.size + cell.cell.weights_h.size for cell in self.cells)

    @property
    def step_cycles(self) -> float:
        """From step to step, once all layers work: the median."""
        (part,) = self.timeline.parts
        return float(np.median(part.step_cycles))

    @property
    def step_seconds(self) -> float:
        """From step to step."""
        return self.step_cycles / self.machine.clock_hz

    @property
    def step_joules(self) -> float:
        """Of a step, from the published points, links included."""
        return sum(row.picojoules for row in self.cost.energy if row.basis == PUBLISHED) * 1e-12 / STEPS

    @property
    def watts(self) -> float:
        """While it runs without a pause."""
        return self.step_joules * STEPS / self.timeline.seconds

    @property
    def operations_per_second(self) -> float:
        """Effective throughput."""
        return self.operations / self.step_seconds


def tile_weights(machine: Muntaniala) -> float:
    """Bytes of the weights of a full tile."""
    (cell,) = stacked_cells(machine, (machine.units, machine.units))
    return (cell.cell.weights_x.size + cell.cell.weights_h.size) * machine.weight_bits / 8


def peak_efficiency(machine: Muntaniala) -> float:
    """Operations per joule with every multiplier busy, at the lowest voltage."""
    lowest = machine.points[0].voltage_v
    return 2 * machine.units / (cycle_pj(machine.points, lowest) * 1e-12)


@cache
def prototype() -> Point:
    """192 units on 2 x 2 dies at 10 MHz."""
    return Point(PROTOTYPE, PROTOTYPE_SIZES)


@cache
def graves() -> Point:
    """Graves' network on 75 Chipmunks at their efficient point."""
    efficient = replace(
        CHIPMUNK, clock_hz=CHIPMUNK_EFFICIENT.clock_hz, voltage_v=CHIPMUNK_EFFICIENT.voltage_v
    )
    return Point(efficient, GRAVES)


@cache
def nh384() -> Point:
    """3L-384NH-123NI on 48 dies."""
    return Point(MUNTANIALA, NH384)

"""Muntaniala and Chipmunk: LSTM dies with stationary weights, alone or in an array (CICC 2018, TCSI 2021).

Of both papers only abstracts are at hand. What they do not say is a parameter whose source says "ours" or how sure a
recollection is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import CapacityError, OptionError
from deltawave.hardware.cost import Cost
from deltawave.hardware.timeline import Timeline
from deltawave.machines.base import Activity, Compiled, CompiledCell, Machine, MachineFigure, Samples, Verdict
from deltawave.machines.muntaniala import cost, figures, timing
from deltawave.machines.muntaniala.compile import compile_cell
from deltawave.machines.muntaniala.compiled import MuntanialaCell, muntaniala_cell, restore
from deltawave.machines.muntaniala.points import (
    CHIPMUNK_FAST,
    MUNTANIALA_POINTS,
    POINTS,
    OperatingPoint,
    fastest_hz,
)
from deltawave.network.flow import NOWHERE, Place
from deltawave.network.layers import Cell, Layer, Recurrent
from deltawave.options import option

SPLIT = "[recall 55%] weights, x, h of 8 bits, accumulators and c of 16; the abstract says 8/16 bit"
TABLED = ("sigmoid", "tanh", "hard_sigmoid")
RANGES: Mapping[str, tuple[float, float]] = {
    "dies": (1, 10**8),
    "units": (1, 1 << 12),
    "sram_bytes": (1, 1 << 40),
    "weight_bits": (2, 8),
    "bias_bits": (2, 16),
    "state_bits": (2, 8),
    "accumulator_bits": (10, 32),
    "headroom": (1.0, 64.0),
    "table_fraction_bits": (4, 14),
    "bias_cycles": (0, 1 << 20),
    "table_cycles": (1, 1 << 20),
    "link_bits": (1, 1 << 16),
    "link_word_cycles": (1, 1 << 20),
    "link_clock_hz": (1.0, 1e12),
    "link_pj_per_bit": (0.0, 1e6),
    "hop_cycles": (0, 1 << 20),
    "waiting_share": (0.0, 1.0),
}
CALIBRATED = "ours, calibrated: 192 units on 2 x 2 dies take 330 us at 10 MHz"


@dataclass(frozen=True, kw_only=True)
class Muntaniala(Machine):
    """Stationary-weight LSTM dies, alone or in an array (Chipmunk, CICC 2018; Vau da Muntanialas, TCSI 2021)."""

    silicon: Literal["chipmunk", "muntaniala"] = option(
        "muntaniala", doc="Whose published operating points give the energy of a die"
    )
    clock_hz: float = option(
        MUNTANIALA_POINTS[-1].clock_hz,
        unit="Hz",
        doc="Clock frequency",
        source="[derived] 30.53 GOP/s over 2 * 96 operations",
    )
    voltage_v: float = option(1.24, unit="V", doc="Voltage of the dies", source="Chipmunk's [recall 85%]")
    dies: int = option(
        48, doc="Dies, all layers together", source="[derived] 3 layers of 384 with 123 inputs"
    )
    layers: Literal["side-by-side", "in-turn"] = option(
        "side-by-side",
        doc="Layers on dies of their own, or all in turn on the same dies, whole sequences at a time",
        source="ours",
    )
    units: int = option(96, doc="LSTM units of a die, each with a multiplier", source="[text-ai]; [derived]")
    sram_bytes: int = option(81_600, unit="B", doc="Memory of a die", source="[recall 80%] 82 kB")
    weight_bits: int = option(8, unit="bit", doc="Width of a weight", source=SPLIT)
    bias_bits: int = option(8, unit="bit", doc="Width of a bias", source="[text-ai] of Chipmunk")
    state_bits: int = option(8, unit="bit", doc="Width of x and h", source=SPLIT)
    accumulator_bits: int = option(
        16, unit="bit", doc="Width of accumulators, partial sums and c", source=SPLIT
    )
    headroom: float = option(
        1.5, doc="Accumulators and c hold so many times the largest value of calibration", source="ours"
    )
    rounds_products: bool = option(
        True,
        doc="Products are rounded to the accumulator's last place; else weights give up bits so that they fit",
        source="ours",
    )
    scales_features: bool = option(
        True,
        doc="The host scales each feature that it sends by a power of two, picked by calibration",
        source="ours",
    )
    table_fraction_bits: int = option(
        12, unit="bit", doc="Fraction bits of what sigmoid and tanh take and give", source="ours"
    )
    table_step_bits: int = option(
        8, unit="bit", doc="Sigmoid and tanh come in steps of 2^-bits", source="ours"
    )
    bias_cycles: int = option(4, unit="cycle", doc="Adding the biases, a gate each", source="ours")
    table_cycles: int = option(1, unit="cycle", doc="A look-up of sigmoid or tanh", source="ours")
    link_bits: int = option(8, unit="bit", doc="Width of a link between chips", source="ours")
    link_word_cycles: int = option(
        3, unit="cycle", doc="Cycles of the link's clock for a word and its handshake", source=CALIBRATED
    )
    link_clock_hz: float | None = option(
        None, unit="Hz", doc="Clock of the links; none: that of the dies", source="ours"
    )
    link_pj_per_bit: float = option(
        122.0,
        unit="pJ",
        doc="Energy of a bit from chip to chip",
        source="ours, calibrated: what the dies leave of the prototype's 9.0 mW",
    )
    hop_cycles: int = option(1, unit="cycle", doc="From one die to the next", source="ours")
    waiting_share: float = option(
        1.0, doc="Energy of a die's cycle without products, over that of one with", source="ours: no gating"
    )

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            value = getattr(self, name)
            if value is not None:
                _check_range(self.name, name, value, low, high)
        _check_range(self.name, "table_step_bits", self.table_step_bits, 1, self.table_fraction_bits)
        self._check_point()

    def _check_point(self) -> None:
        volts = [point.voltage_v for point in self.points]
        _check_range(self.name, "voltage_v", self.voltage_v, volts[0], volts[-1])
        fastest = fastest_hz(self.points, self.voltage_v)
        if not 0 < self.clock_hz <= fastest * (1 + 1e-9):
            raise OptionError(
                f"{self.name}: clock_hz = {self.clock_hz:g} is out of range; at {self.voltage_v:g} V it goes up to "
                f"{fastest:g}; set voltage_v, or a slower clock"
            )

    @property
    def points(self) -> tuple[OperatingPoint, ...]:
        """The published operating points, lowest voltage first."""
        return POINTS[self.silicon]

    def link_cycles(self, bits: int) -> int:
        """Cycles of the dies that a transfer between chips takes."""
        cycles = -(-bits // self.link_bits) * self.link_word_cycles
        return cycles if self.link_clock_hz is None else ceil(cycles * self.clock_hz / self.link_clock_hz)

    def die_bits(self, slices: tuple[int, int, int]) -> int:
        """Bits of weights, biases and peepholes of a die with so many neurons, inputs and states."""
        neurons, inputs, states = slices
        weights = timing.GATES * (inputs + states) + timing.PEEPHOLES
        return neurons * (weights * self.weight_bits + timing.GATES * self.bias_bits)

    def memory_bits(self, slices: tuple[int, int, int]) -> int:
        """Bits that a die keeps: its parameters, c of its neurons, two buffers of x, one of h."""
        neurons, inputs, states = slices
        return (
            self.die_bits(slices) + neurons * self.accumulator_bits + (2 * inputs + states) * self.state_bits
        )

    def verdict(self, layer: Layer, place: Place = NOWHERE) -> Verdict:
        """LSTM layers, with and without peepholes, one or two directions."""
        if not isinstance(layer, Recurrent):
            return Verdict(False, "runs LSTM layers only; everything else stays on the host")
        reasons = [self._why_not(cell) for cell in layer.cells]
        return Verdict(not any(reasons), next(filter(None, reasons), ""))

    def _why_not(self, cell: Cell) -> str:
        if cell.kind != "lstm":
            return (
                f"the units of its dies compute LSTM cells; there is no data path for a {cell.kind.upper()}"
            )
        untabled = [name for name in cell.activations if name not in TABLED]
        if untabled:
            return f"no table for the activation {untabled[0]}"
        if cell.clip is not None:
            return "no clipping of pre-activations"
        if cell.couples_input_forget:
            return "input and forget gates are separate"
        return ""

    def compile(self, name: str, cell: Cell, samples: Samples, place: Place = NOWHERE) -> CompiledCell:
        """Quantise one direction of a layer."""
        return compile_cell(self, name, cell, samples, place.feeds[0].source)

    def restore(self, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> CompiledCell:
        """The compiled cell that `arrays` came from."""
        return restore(name, arrays)

    def check(self, cells: Sequence[Compiled]) -> None:
        """Every layer lies on an array of dies, all of them if they lie side by side, and every tile fits its die."""
        tilings = {cell.name: muntaniala_cell(cell).tiling for cell in cells}
        for name, tiling in tilings.items():
            if tiling.tiles > self.dies:
                raise CapacityError(
                    f"{name} needs {tiling.rows} x {tiling.columns} = {tiling.tiles} dies of {self.units} units, "
                    f"{self.name} has {self.dies}; set dies, or larger units"
                )
            self._check_memory(name, self.memory_bits(tiling.fullest))
        total = sum(tiling.tiles for tiling in tilings.values())
        if self.layers == "side-by-side" and total > self.dies:
            raise CapacityError(
                f"the layers side by side need {total} dies, {self.name} has {self.dies}; set dies, or "
                "layers=in-turn"
            )

    def _check_memory(self, name: str, bits: int) -> None:
        if bits > 8 * self.sram_bytes:
            raise CapacityError(
                f"{name} needs {bits / 8e3:.1f} kB on a die, {self.name} has {self.sram_bytes / 1e3:.1f} kB; set "
                "sram_bytes, fewer units or fewer bits"
            )

    def timeline(self, cells: Sequence[Compiled], activity: Activity) -> Timeline:
        """When every unit worked."""
        return timing.timeline(self, _own(cells), activity)

    def cost(self, cells: Sequence[Compiled], activity: Activity, timeline: Timeline) -> Cost:
        """Energy, area and traffic."""
        return cost.cost(self, _own(cells), activity, timeline)

    def multipliers_of(self, cells: Sequence[Compiled]) -> int:
        """One a unit of every die that layers lie on."""
        return self.dies_used(cells) * self.units

    def dies_used(self, cells: Sequence[Compiled]) -> int:
        """Dies that layers lie on."""
        tiles = [cell.tiling.tiles for cell in _own(cells)]
        return sum(tiles) if self.layers == "side-by-side" else max(tiles)

    def figures(self, cells: Sequence[Compiled], activity: Activity) -> tuple[MachineFigure, ...]:
        """Dies, how full they are, how often numbers did not fit, and how long links and dies wait for each other."""
        return figures.figures(self, _own(cells), activity)


def _own(cells: Sequence[Compiled]) -> list[MuntanialaCell]:
    return [muntaniala_cell(cell) for cell in cells]


def _check_range(machine: str, name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise OptionError(f"{machine}: {name} = {value:g} is out of range; it goes from {low:g} to {high:g}")


CHIPMUNK = Muntaniala(
    name="chipmunk",
    silicon="chipmunk",
    clock_hz=CHIPMUNK_FAST.clock_hz,
    dies=75,
)
MUNTANIALA = Muntaniala(name="muntaniala")
PROTOTYPE = replace(MUNTANIALA, name="muntaniala-2x2", dies=4, clock_hz=10e6, voltage_v=0.75)

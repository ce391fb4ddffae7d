"""What the delta network accelerators share: number formats, tables, thresholds, and which cells they take."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import CapacityError, OptionError
from deltawave.hardware.cost import AreaRow, Cost
from deltawave.hardware.tasks import GraphOfSteps
from deltawave.hardware.timeline import Timeline
from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.base import Activity, Compiled, CompiledCell, Machine, Samples, Verdict
from deltawave.machines.deltarnn import cost, timing
from deltawave.machines.deltarnn.compile import compile_cell
from deltawave.machines.deltarnn.compiled import delta_cell, restore
from deltawave.machines.deltarnn.cost import Columns
from deltawave.network.flow import NOWHERE, Place
from deltawave.network.layers import Cell, Layer, Recurrent
from deltawave.numerics import Fixed
from deltawave.numerics.fixed import Overflow
from deltawave.numerics.tables import FUNCTIONS
from deltawave.options import nearest, option
from deltawave.rtl.tools import require

if TYPE_CHECKING:
    from deltawave.machines.program import Data, Program

CellName = Literal["gru", "lstm", "rnn"]
Q8_8 = "Q8.8: DeltaRNN [seed], EdgeDRNN's RTL and Spartus' training code [text]"
MAY_BE_ZERO = ("dram_latency_cycles", "activation_extra_groups", "index_bits")
LARGEST = 1 << 40  # so that no sum of cycles leaves 64 bits
MOST = {"arrays": 1 << 10, "array_pes": 1 << 16, "activation_lanes": 1 << 20}
"""Of what is simulated, or looked through, one by one."""


@dataclass(frozen=True, kw_only=True)
class DeltaMachine(Machine):
    """What all delta machines share: formats, tables, thresholds."""

    published_cells: tuple[CellName, ...] = option(("gru",), doc="Cells of the published machine")
    extensions: bool = option(
        True,
        doc="Also take cells the published machine lacks (LSTM, GRU, RNN; GRU with the reset before the product)",
        source="ours",
    )
    theta_input: float = option(0.0, doc="Delta threshold for inputs, in the activation's unit")
    theta_hidden: float = option(0.0, doc="Delta threshold for states, in the activation's unit")
    theta_layers: dict[str, tuple[float, float]] = option(
        {}, doc="Thresholds (input, hidden) by layer, over the two above"
    )
    activation_integer_bits: int = option(
        8, unit="bit", doc="Activations: bits before the point, sign included", source=Q8_8
    )
    activation_fraction_bits: int = option(
        8, unit="bit", doc="Activations: bits after the point", source=Q8_8
    )
    activation_overflow: Overflow = option("saturate", doc="What a state too large for its format does")
    weight_bits: int = option(8, unit="bit", doc="Width of a weight", source="Q1.7 [text] RTL, training code")
    weight_fraction_bits: int | None = option(
        None, unit="bit", doc="Fraction bits of the weights; none: from calibration, by layer"
    )
    input_shift: int | None = option(
        None,
        unit="bit",
        doc="Inputs are divided by 2^shift, their weights multiplied; none: from calibration",
    )
    bias_as_column: bool = option(True, doc="Biases are a column of weights, not accumulator words")
    accumulator_bits: int = option(
        32,
        unit="bit",
        doc="Width of the pre-activation memories",
        source="Q16.16 of DeltaRNN [seed], else ours",
    )
    accumulator_overflow: Overflow = option("wrap", doc="What an accumulator does when full")
    table_step_bits: int = option(
        8, unit="bit", doc="Sigmoid and tanh come in steps of 2^-bits", source="ours"
    )

    def __post_init__(self) -> None:
        for name, value in (("theta_input", self.theta_input), ("theta_hidden", self.theta_hidden)):
            _check_theta(self.name, name, value)
        for layer, thetas in self.theta_layers.items():
            for theta in thetas:
                _check_theta(self.name, f"theta_layers.{layer}", theta)
        _check_sizes(self)
        _check_range(self.name, "weight_bits", self.weight_bits, 2, 16)
        _check_range(self.name, "accumulator_bits", self.accumulator_bits, 16, 32)
        _check_range(
            self.name, "activation_integer_bits + activation_fraction_bits", self.activation.bits, 4, 16
        )
        _check_range(self.name, "activation_fraction_bits", self.activation_fraction_bits, 1, 14)
        _check_range(self.name, "table_step_bits", self.table_step_bits, 1, self.activation_fraction_bits)
        if self.weight_fraction_bits is not None:
            most = self.accumulator_bits - self.activation_fraction_bits - 1  # the accumulators' sign
            _check_range(self.name, "weight_fraction_bits", self.weight_fraction_bits, 0, most)
        if self.input_shift is not None:
            _check_range(self.name, "input_shift", self.input_shift, -self.weight_bits, self.weight_bits)

    @property
    def activation(self) -> Fixed:
        """Format of inputs and states."""
        return Fixed(self.activation_integer_bits, self.activation_fraction_bits, self.activation_overflow)

    def thetas(self, layer: str) -> tuple[float, float]:
        """Thresholds for inputs and states of a layer, in the network's own units."""
        return self.theta_layers.get(layer, (self.theta_input, self.theta_hidden))

    def verdict(self, layer: Layer, place: Place = NOWHERE) -> Verdict:
        """Recurrent layers without peepholes and clipping; cells the published machine lacks as an extension."""
        if not isinstance(layer, Recurrent):
            return Verdict(False, "runs recurrent layers only")
        for cell in layer.cells:
            why_not = self._why_not(cell)
            if why_not:
                return Verdict(False, why_not)
        extension = self._extension(layer.cells[0])
        if extension and not self.extensions:
            return Verdict(False, f"{extension}; set extensions=true to add it")
        return Verdict(True, extension)

    def _why_not(self, cell: Cell) -> str:
        unknown = [name for name in cell.activations if name and name not in FUNCTIONS]
        if unknown:
            return f"no table for the activation {unknown[0]}"
        if cell.peepholes is not None:
            return "no data path for peepholes"
        if cell.clip is not None:
            return "no clipping of pre-activations"
        if cell.couples_input_forget:
            return "input and forget gates are separate"
        return ""

    def _extension(self, cell: Cell) -> str:
        if cell.kind not in self.published_cells:
            return f"the published machine has no {cell.kind.upper()}, ours has it as an extension"
        if cell.kind == "gru" and cell.reset == "before":
            return "the published machine resets after the product; ours adds a second pass that sends r * h"
        return ""

    def compile(self, name: str, cell: Cell, samples: Samples, place: Place = NOWHERE) -> CompiledCell:
        """Quantise one direction of a layer."""
        return compile_cell(self, name, cell, samples)

    def restore(self, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> CompiledCell:
        """The compiled cell that `arrays` came from."""
        return restore(name, arrays)

    def check(self, cells: Sequence[Compiled]) -> None:
        """Thresholds by layer name layers that are there. Machines add what must fit."""
        layers = {cell.name.removesuffix("/reverse") for cell in cells}
        for name in self.theta_layers:
            if name not in layers:
                raise OptionError(
                    f"{self.name}: theta_layers names {name!r}, which is no layer it runs; {nearest(name, layers)}"
                )

    def timeline(self, cells: Sequence[Compiled], activity: Activity) -> Timeline:
        """When every unit worked."""
        return timing.timeline(self, cells, activity)

    def multipliers_of(self, cells: Sequence[Compiled]) -> int | None:
        """Multipliers, all units together."""
        return self.multipliers

    def cost(self, cells: Sequence[Compiled], activity: Activity, timeline: Timeline) -> Cost:
        """Energy, area and traffic."""
        return cost.cost(self, cells, activity, timeline)

    def area(self, cells: Sequence[Compiled]) -> tuple[AreaRow, ...]:
        """DSPs, block RAMs, and the area of multipliers and memories."""
        return cost.area(self, cells)

    writes_rtl: ClassVar[bool] = True

    def rtl_modules(self, program: "Program") -> Mapping[str, str]:
        """A module for each core: its Verilog."""
        require("amaranth", "rtl", "writing Verilog")
        from deltawave.machines.deltarnn.rtl.hand_over import modules

        return modules(program)

    def rtl_files(self, program: "Program", data: "Data") -> Mapping[str, bytes]:
        """Verilog, memory images and test benches of a program, by path."""
        require("amaranth", "rtl", "writing Verilog")
        from deltawave.machines.deltarnn.rtl.hand_over import files

        return files(program, data)

    @property
    def weight_store(self) -> Literal["BRAM", "DRAM"]:
        """Where the weights are."""
        return "BRAM"

    @property
    @abstractmethod
    def multipliers(self) -> int:
        """Multipliers, all units together."""

    @abstractmethod
    def graphs(self, cell: QuantisedCell, rows: NDArray[np.bool_]) -> GraphOfSteps:
        """The tasks of any stretch of a cell's steps. rows: bool [steps, columns]."""

    @abstractmethod
    def columns(self, cell: QuantisedCell) -> Columns:
        """What each column of a cell takes."""

    @abstractmethod
    def on_chip_bits(self, cells: Sequence[QuantisedCell]) -> dict[str, int]:
        """Bits of each memory on the chip."""


def _check_theta(machine: str, name: str, value: float) -> None:
    if not 0.0 <= value <= 64.0:
        raise OptionError(f"{machine}: {name} = {value} is not a threshold; thresholds go from 0 to 64")


def _check_sizes(machine: DeltaMachine) -> None:
    """Rates, sizes and latencies of a machine's own are at least 1, but for the few that may be missing."""
    shared = {field.name for field in fields(DeltaMachine)} - {"clock_hz"}
    for field in fields(machine):
        if field.name not in shared and field.type in (int, float) and field.name != "prune_gamma":
            low = 0 if field.name in MAY_BE_ZERO else 1
            high = MOST.get(field.name, LARGEST)
            _check_range(machine.name, field.name, getattr(machine, field.name), low, high)


def _check_range(machine: str, name: str, value: float, low: int, high: int) -> None:
    if not low <= value <= high:
        raise OptionError(f"{machine}: {name} = {value} is out of range; it goes from {low} to {high}")


def check_memory(machine: str, bits: int, capacity_bytes: int) -> None:
    """Raise CapacityError for more bits than the memory has."""
    if bits > 8 * capacity_bytes:
        raise CapacityError(
            f"the weights need {bits / 8e6:.2f} MB of weight memory, {machine} has {capacity_bytes / 1e6:.2f} MB; "
            "choose a larger memory, fewer bits, or another machine"
        )


def weights_of(cell: Compiled) -> int:
    """Stored weights of a cell, its biases included."""
    c = delta_cell(cell).cell
    return int(c.weights_x.size + c.weights_h.size + c.bias.size)

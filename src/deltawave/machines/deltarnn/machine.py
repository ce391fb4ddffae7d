"""The parameters of the delta network accelerators and their published instances.

Facts: DeltaRNN (Gao et al., FPGA 2018), EdgeDRNN (Gao et al., AICAS and JETCAS 2020; RTL), Spartus (Gao et al.,
TNNLS 2022). What a paper leaves open is a parameter whose source says "ours".
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import CapacityError, OptionError
from deltawave.hardware.cost import Cost
from deltawave.hardware.tasks import GraphOfSteps
from deltawave.hardware.timeline import Timeline
from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.base import Activity, CompiledCell, Machine, Samples, Verdict
from deltawave.machines.deltarnn import cost, timing, timing_deltarnn, timing_edgedrnn, timing_spartus
from deltawave.machines.deltarnn.compile import compile_cell
from deltawave.machines.deltarnn.compiled import DeltaCell, restore
from deltawave.machines.deltarnn.cost import Columns
from deltawave.network.layers import Cell, Layer, Recurrent
from deltawave.numerics import Fixed
from deltawave.numerics.fixed import Overflow
from deltawave.numerics.tables import FUNCTIONS
from deltawave.options import option

CellName = Literal["gru", "lstm", "rnn"]
MAY_BE_ZERO = ("dram_latency_cycles", "activation_extra_groups", "index_bits")
LARGEST = 1 << 40  # so that no sum of cycles leaves 64 bits


@dataclass(frozen=True, kw_only=True)
class DeltaNumbers(Machine):
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
        8, unit="bit", doc="Activations: bits before the point, sign included"
    )
    activation_fraction_bits: int = option(8, unit="bit", doc="Activations: bits after the point")
    activation_overflow: Overflow = option("saturate", doc="What a state too large for its format does")
    weight_bits: int = option(8, unit="bit", doc="Width of a weight")
    weight_fraction_bits: int | None = option(
        None, unit="bit", doc="Fraction bits of the weights; none: from calibration, by layer"
    )
    input_shift: int | None = option(
        None,
        unit="bit",
        doc="Inputs are divided by 2^shift, their weights multiplied; none: from calibration",
    )
    bias_as_column: bool = option(True, doc="Biases are a column of weights, not accumulator words")
    accumulator_bits: int = option(32, unit="bit", doc="Width of the pre-activation memories")
    accumulator_overflow: Overflow = option("wrap", doc="What an accumulator does when full")
    table_step_bits: int = option(8, unit="bit", doc="Sigmoid and tanh come in steps of 2^-bits")

    def __post_init__(self) -> None:
        for name, value in (("theta_input", self.theta_input), ("theta_hidden", self.theta_hidden)):
            _check_theta(self.name, name, value)
        for layer, thetas in self.theta_layers.items():
            _check_theta(self.name, f"theta_layers.{layer}", min(thetas))
        _check_sizes(self)
        _check_range(self.name, "weight_bits", self.weight_bits, 2, 16)
        _check_range(self.name, "accumulator_bits", self.accumulator_bits, 16, 32)
        _check_range(
            self.name, "activation_integer_bits + activation_fraction_bits", self.activation.bits, 4, 16
        )
        _check_range(self.name, "activation_fraction_bits", self.activation_fraction_bits, 1, 14)
        _check_range(self.name, "table_step_bits", self.table_step_bits, 1, self.activation_fraction_bits)

    @property
    def activation(self) -> Fixed:
        """Format of inputs and states."""
        return Fixed(self.activation_integer_bits, self.activation_fraction_bits, self.activation_overflow)

    def thetas(self, layer: str) -> tuple[float, float]:
        """Thresholds for inputs and states of a layer, in the network's own units."""
        return self.theta_layers.get(layer, (self.theta_input, self.theta_hidden))

    def verdict(self, layer: Layer) -> Verdict:
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

    def compile(self, name: str, cell: Cell, samples: Samples) -> CompiledCell:
        """Quantise one direction of a layer."""
        return compile_cell(self, name, cell, samples)

    def restore(self, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> CompiledCell:
        """The compiled cell that `arrays` came from."""
        return restore(name, arrays)

    def timeline(self, cells: Sequence[CompiledCell], activity: Activity) -> Timeline:
        """When every unit worked."""
        return timing.timeline(self, cells, activity)

    def cost(self, cells: Sequence[CompiledCell], activity: Activity, timeline: Timeline) -> Cost:
        """Energy, area and traffic."""
        return cost.cost(self, cells, activity, timeline)

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


@dataclass(frozen=True, kw_only=True)
class DeltaRNN(DeltaNumbers):
    """On-chip weights, three MxV channels (DeltaRNN, FPGA 2018)."""

    weight_bits: int = option(16, unit="bit", doc="Width of a weight", source="Q8.8 [seed]")
    weight_fraction_bits: int | None = option(
        8,
        unit="bit",
        doc="Fraction bits of the weights; none: from calibration, by layer",
        source="Q8.8 [seed]",
    )
    bias_as_column: bool = option(
        False, doc="Biases are a column of weights, not accumulator words", source="ours"
    )
    table_step_bits: int = option(
        8,
        unit="bit",
        doc="Sigmoid and tanh come in steps of 2^-bits",
        source="ours: RALUT contents not published",
    )
    channels: int = option(3, doc="Matrix-vector channels, one a GRU gate", source="[seed]")
    channel_pes: int = option(128, doc="Multiply-add units of a channel and memory port", source="[seed]")
    memory_ports: int = option(
        2, doc="Ports of the weight memory: products a column and unit in a cycle", source="[seed]"
    )
    input_rate: int = option(
        4, unit="element/cycle", doc="Inputs the IEU compares in a cycle", source="[seed]"
    )
    hidden_rate: int = option(
        32, unit="element/cycle", doc="States the IEU compares in a cycle", source="[seed], latency figures"
    )
    scheduler_rate: int = option(
        2, unit="element/cycle", doc="Non-zero deltas the IEU emits in a cycle", source="[seed]"
    )
    encoder_latency_cycles: int = option(2, unit="cycle", doc="From compare to the delta list", source="ours")
    mxv_latency_cycles: int = option(
        4, unit="cycle", doc="From weight address to accumulated sum", source="ours"
    )
    activation_stages: int = option(
        5, unit="cycle", doc="Stages of the activation pipeline", source="S1..S5 [seed]"
    )
    activation_lanes: int = option(
        128,
        doc="Neurons that enter the activation pipeline in a cycle",
        source="ours: it reuses a channel's multipliers",
    )
    weight_memory_bytes: int = option(
        1_879_040, unit="B", doc="Weight memory", source="[derived] 457.5 BRAM36 less 50 for states, ours"
    )

    def check(self, cells: Sequence[CompiledCell]) -> None:
        """All weights stay on chip."""
        _check_memory(
            self.name, sum(_weights(cell) * self.weight_bits for cell in cells), self.weight_memory_bytes
        )

    @property
    def multipliers(self) -> int:
        """Multipliers, all units together."""
        return self.channels * self.channel_pes * self.memory_ports

    def graphs(self, cell: QuantisedCell, rows: NDArray[np.bool_]) -> GraphOfSteps:
        """Encoder, channels and activation pipeline, step after step."""
        return timing_deltarnn.graphs(self, cell, rows)

    def columns(self, cell: QuantisedCell) -> Columns:
        """What each column of a cell takes."""
        return cost.deltarnn_columns(self, cell)

    def on_chip_bits(self, cells: Sequence[QuantisedCell]) -> dict[str, int]:
        """Bits of each memory on the chip."""
        return cost.deltarnn_memories(self, cells)


@dataclass(frozen=True, kw_only=True)
class EdgeDRNN(DeltaNumbers):
    """Weights streamed from DRAM, column by column (EdgeDRNN, JETCAS 2020)."""

    activation_overflow: Overflow = option(
        "wrap", doc="What a state too large for its format does", source="[text] RTL"
    )
    accumulator_bits: int = option(
        24, unit="bit", doc="Width of the pre-activation memories", source="[text] RTL"
    )
    table_step_bits: int = option(
        4, unit="bit", doc="Sigmoid and tanh come in steps of 2^-bits", source="[text] RTL"
    )
    pes: int = option(8, doc="Processing elements", source="[text] RTL")
    dram_bytes_per_cycle: float = option(
        8.0, unit="B/cycle", doc="Weight stream", source="[text] 64-bit AXI-HP, 1 GB/s"
    )
    fifo_depth: int = option(32, unit="element", doc="Delta FIFO", source="[text] RTL")
    encoder_latency_cycles: int = option(
        2, unit="cycle", doc="Stages of the delta encoder", source="[text] RTL"
    )
    dram_latency_cycles: int = option(
        0,
        unit="cycle",
        doc="From column address to the first weight",
        source="ours: bursts are requested ahead",
    )
    mac_latency_cycles: int = option(3, unit="cycle", doc="Stages of multiply-add", source="[text] RTL")
    activation_cycles: int = option(
        5, unit="cycle", doc="Activation of a group of one neuron a PE", source="[text] RTL"
    )
    activation_extra_groups: int = option(2, doc="Groups of latency after the last", source="[text] RTL")
    max_layers: int = option(4, doc="Layers the state memory holds", source="[text] RTL")
    max_layer_size: int = option(1024, doc="Longest state vector", source="[text] RTL")
    dram_bytes: int = option(1 << 29, unit="B", doc="DRAM for weights", source="[recall] 512 MB on the board")

    def check(self, cells: Sequence[CompiledCell]) -> None:
        """The state memory holds a few layers; the weights lie in DRAM."""
        if len(cells) > self.max_layers:
            raise CapacityError(
                f"the network has {len(cells)} recurrent layers, {self.name} holds {self.max_layers}; "
                "set a larger max_layers or choose another machine"
            )
        for cell in cells:
            longest = max(_delta_cell(cell).cell.inputs, _delta_cell(cell).cell.hidden)
            if longest > self.max_layer_size:
                raise CapacityError(
                    f"{cell.name} has a vector of {longest} values, {self.name} takes {self.max_layer_size}; "
                    "set a larger max_layer_size or choose another machine"
                )
        _check_memory(self.name, sum(_weights(cell) * self.weight_bits for cell in cells), self.dram_bytes)

    @property
    def multipliers(self) -> int:
        """Multipliers, all units together."""
        return self.pes

    @property
    def weight_store(self) -> Literal["BRAM", "DRAM"]:
        """Where the weights are."""
        return "DRAM"

    def graphs(self, cell: QuantisedCell, rows: NDArray[np.bool_]) -> GraphOfSteps:
        """Encoder, FIFO, weight stream and activation, step after step."""
        return timing_edgedrnn.graphs(self, cell, rows)

    def columns(self, cell: QuantisedCell) -> Columns:
        """What each column of a cell takes."""
        return cost.edgedrnn_columns(self, cell)

    def on_chip_bits(self, cells: Sequence[QuantisedCell]) -> dict[str, int]:
        """Bits of each memory on the chip."""
        return cost.edgedrnn_memories(self, cells)


@dataclass(frozen=True, kw_only=True)
class Spartus(DeltaNumbers):
    """Column-balanced sparse weights over arrays of PEs, delta LSTM (Spartus, TNNLS 2022)."""

    published_cells: tuple[CellName, ...] = option(("lstm",), doc="Cells of the published machine")
    table_step_bits: int = option(
        4,
        unit="bit",
        doc="Sigmoid and tanh come in steps of 2^-bits",
        source="[text] Q2.4 outputs in training",
    )
    prune_gamma: float = option(
        0.0, doc="Prune to this sparsity when compiling (CBTD's last step); 0: take the weights as they are"
    )
    arrays: int = option(
        8,
        doc="MAC arrays M: element j of the delta vector goes to array j mod M",
        source="[text] training code",
    )
    array_pes: int = option(
        64,
        doc="PEs of an array N: row i of the stacked gates goes to PE i mod N",
        source="[text] training code",
    )
    index_bits: int = option(
        8, unit="bit", doc="Local row index beside each stored weight", source="ours: not published"
    )
    input_rate: int = option(
        8, unit="element/cycle", doc="Elements the IPU compares in a cycle", source="ours: one an array"
    )
    encoder_latency_cycles: int = option(
        2, unit="cycle", doc="From compare to the array's queue", source="ours"
    )
    mac_latency_cycles: int = option(
        4, unit="cycle", doc="Stages of multiply-add and array sum", source="ours"
    )
    activation_lanes: int = option(
        64, doc="Neurons that enter the HPEs in a cycle", source="ours: one a PE column"
    )
    activation_stages: int = option(8, unit="cycle", doc="Stages of the HPE pipeline", source="ours")
    weight_memory_bytes: int = option(
        2_700_000,
        unit="B",
        doc="Weight memory",
        source="[derived] 755 BRAM36 of the XC7Z100 less 155 for states, ours",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.prune_gamma < 1.0:
            raise OptionError(
                f"{self.name}: prune_gamma = {self.prune_gamma} is a fraction from 0 up to, not including, 1"
            )

    def compile(self, name: str, cell: Cell, samples: Samples) -> CompiledCell:
        """Quantise one direction of a layer, pruned if prune_gamma says so."""
        return compile_cell(self, name, cell, samples, pes=self.array_pes, gamma=self.prune_gamma)

    def check(self, cells: Sequence[CompiledCell]) -> None:
        """All weights stay on chip, with their indices."""
        bits = sum(timing_spartus.stored_bits(self, _delta_cell(cell).cell) for cell in cells)
        _check_memory(self.name, bits, self.weight_memory_bytes)

    @property
    def multipliers(self) -> int:
        """Multipliers, all units together."""
        return self.arrays * self.array_pes

    def graphs(self, cell: QuantisedCell, rows: NDArray[np.bool_]) -> GraphOfSteps:
        """Encoder, arrays and HPEs, step after step."""
        return timing_spartus.graphs(self, cell, rows)

    def columns(self, cell: QuantisedCell) -> Columns:
        """What each column of a cell takes."""
        return cost.spartus_columns(self, cell)

    def on_chip_bits(self, cells: Sequence[QuantisedCell]) -> dict[str, int]:
        """Bits of each memory on the chip."""
        return cost.spartus_memories(self, cells)


def _check_theta(machine: str, name: str, value: float) -> None:
    if not 0.0 <= value <= 64.0:
        raise OptionError(f"{machine}: {name} = {value} is not a threshold; thresholds go from 0 to 64")


def _check_sizes(machine: DeltaNumbers) -> None:
    """Rates, sizes and latencies of a machine's own are at least 1, but for the few that may be missing."""
    shared = {field.name for field in fields(DeltaNumbers)} - {"clock_hz"}
    for field in fields(machine):
        if field.name not in shared and field.type in (int, float) and field.name != "prune_gamma":
            low = 0 if field.name in MAY_BE_ZERO else 1
            _check_range(machine.name, field.name, getattr(machine, field.name), low, LARGEST)


def _check_range(machine: str, name: str, value: float, low: int, high: int) -> None:
    if not low <= value <= high:
        raise OptionError(f"{machine}: {name} = {value} is out of range; it goes from {low} to {high}")


def _check_memory(machine: str, bits: int, capacity_bytes: int) -> None:
    if bits > 8 * capacity_bytes:
        raise CapacityError(
            f"the weights need {bits / 8e6:.2f} MB of weight memory, {machine} has {capacity_bytes / 1e6:.2f} MB; "
            "choose a larger memory, fewer bits, or another machine"
        )


def _delta_cell(cell: CompiledCell) -> DeltaCell:
    assert isinstance(cell, DeltaCell)
    return cell


def _weights(cell: CompiledCell) -> int:
    """Stored weights of a cell, its biases included."""
    c = _delta_cell(cell).cell
    return int(c.weights_x.size + c.weights_h.size + c.bias.size)


DELTARNN_ZYNQ7100 = DeltaRNN(name="deltarnn-zynq7100", clock_hz=125e6)
EDGEDRNN_MINIZED = EdgeDRNN(name="edgedrnn-minized", clock_hz=125e6)
SPARTUS_ZYNQ7100 = Spartus(name="spartus-zynq7100", clock_hz=200e6)

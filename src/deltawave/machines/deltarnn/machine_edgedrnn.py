"""EdgeDRNN: weights streamed from DRAM column by column (Gao et al., AICAS and JETCAS 2020; RTL).

What the papers leave open is a parameter whose source says "ours".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import CapacityError
from deltawave.hardware.tasks import GraphOfSteps
from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.base import Compiled
from deltawave.machines.deltarnn import cost, timing_edgedrnn
from deltawave.machines.deltarnn.compiled import delta_cell
from deltawave.machines.deltarnn.cost import Columns
from deltawave.machines.deltarnn.machine import DeltaMachine, check_memory, weights_of
from deltawave.numerics.fixed import Overflow
from deltawave.options import option


@dataclass(frozen=True, kw_only=True)
class EdgeDRNN(DeltaMachine):
    """Weights streamed from DRAM, column by column (EdgeDRNN, JETCAS 2020)."""

    clock_hz: float = option(
        125e6, unit="Hz", doc="Clock frequency", source="[derived] 1 GB/s of 8 B a cycle, [recall 90%]"
    )
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

    def check(self, cells: Sequence[Compiled]) -> None:
        """The state memory holds a few layers; the weights lie in DRAM."""
        super().check(cells)
        if len(cells) > self.max_layers:
            raise CapacityError(
                f"the network has {len(cells)} recurrent layers, {self.name} holds {self.max_layers}; "
                "set a larger max_layers or choose another machine"
            )
        for cell in cells:
            longest = max(delta_cell(cell).cell.inputs, delta_cell(cell).cell.hidden)
            if longest > self.max_layer_size:
                raise CapacityError(
                    f"{cell.name} has a vector of {longest} values, {self.name} takes {self.max_layer_size}; "
                    "set a larger max_layer_size or choose another machine"
                )
        check_memory(self.name, sum(weights_of(cell) * self.weight_bits for cell in cells), self.dram_bytes)

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


EDGEDRNN_MINIZED = EdgeDRNN(name="edgedrnn-minized")

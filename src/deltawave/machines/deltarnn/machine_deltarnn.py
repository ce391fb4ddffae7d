"""DeltaRNN: weights on the chip, three channels of multipliers (Gao et al., FPGA 2018).

What the paper leaves open is a parameter whose source says "ours".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deltawave.hardware.tasks import GraphOfSteps
from deltawave.kernels.cell import GATES, CellKind, QuantisedCell
from deltawave.machines.base import Compiled
from deltawave.machines.deltarnn import cost, timing_deltarnn
from deltawave.machines.deltarnn.cost import Columns
from deltawave.machines.deltarnn.machine import DeltaMachine, check_memory, weights_of
from deltawave.options import option


@dataclass(frozen=True, kw_only=True)
class DeltaRNN(DeltaMachine):
    """On-chip weights, three MxV channels (DeltaRNN, FPGA 2018)."""

    clock_hz: float = option(125e6, unit="Hz", doc="Clock frequency", source="[recall 85%]")
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
    encoder_latency_cycles: int = option(
        3,
        unit="cycle",
        doc="From compare to the head of the delta list",
        source="ours: compare, choose, list",
    )
    mxv_latency_cycles: int = option(
        4, unit="cycle", doc="From weight address to accumulated sum", source="ours"
    )
    activation_stages: int = option(
        8,
        unit="cycle",
        doc="Stages of the activation pipeline",
        source="S1..S5 [seed], and ours: registers at its start and behind its multipliers",
    )
    activation_lanes: int = option(
        128,
        doc="Neurons that enter the activation pipeline in a cycle",
        source="ours: it reuses a channel's multipliers",
    )
    weight_memory_bytes: int = option(
        1_879_040, unit="B", doc="Weight memory", source="[derived] 457.5 BRAM36 less 50 for states, ours"
    )

    def check(self, cells: Sequence[Compiled]) -> None:
        """All weights stay on chip."""
        super().check(cells)
        check_memory(
            self.name, sum(weights_of(cell) * self.weight_bits for cell in cells), self.weight_memory_bytes
        )

    @property
    def multipliers(self) -> int:
        """Multipliers, all units together."""
        return self.channels * self.channel_pes * self.memory_ports

    def channels_of(self, kind: CellKind) -> tuple[int, int]:
        """How the multipliers are dealt to a cell: channels, one a gate if there are so many, and their multipliers."""
        channels = min(len(GATES[kind]), self.multipliers)
        return channels, self.multipliers // channels

    def activation_lanes_of(self, kind: CellKind) -> int:
        """Neurons that enter the activation pipeline in a cycle.

        At most activation_lanes, so that they divide a channel and go evenly with the hidden_rate states of a scan.
        """
        (_, lanes), rate = self.channels_of(kind), self.hidden_rate
        fewer = range(min(self.activation_lanes, lanes), 0, -1)
        return next(n for n in fewer if lanes % n == 0 and (n % rate == 0 or rate % n == 0))

    def graphs(self, cell: QuantisedCell, rows: NDArray[np.bool_]) -> GraphOfSteps:
        """Encoder, channels and activation pipeline, step after step."""
        return timing_deltarnn.graphs(self, cell, rows)

    def columns(self, cell: QuantisedCell) -> Columns:
        """What each column of a cell takes."""
        return cost.deltarnn_columns(self, cell)

    def on_chip_bits(self, cells: Sequence[QuantisedCell]) -> dict[str, int]:
        """Bits of each memory on the chip."""
        return cost.deltarnn_memories(self, cells)


DELTARNN_ZYNQ7100 = DeltaRNN(name="deltarnn-zynq7100")

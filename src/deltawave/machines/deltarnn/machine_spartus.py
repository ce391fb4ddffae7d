"""Spartus: column-balanced sparse weights over arrays of PEs (Gao et al., TNNLS 2022).

What the paper leaves open is a parameter whose source says "ours".
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError
from deltawave.hardware.tasks import GraphOfSteps
from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.base import Activity, Compiled, CompiledCell, MachineFigure, Samples
from deltawave.machines.deltarnn import cost, timing_spartus
from deltawave.machines.deltarnn.compile import compile_cell
from deltawave.machines.deltarnn.compiled import delta_cell
from deltawave.machines.deltarnn.cost import Columns
from deltawave.machines.deltarnn.machine import CellName, DeltaMachine, check_memory
from deltawave.network.flow import NOWHERE, Place
from deltawave.network.layers import Cell
from deltawave.options import option


@dataclass(frozen=True, kw_only=True)
class Spartus(DeltaMachine):
    """Column-balanced sparse weights over arrays of PEs, delta LSTM (Spartus, TNNLS 2022)."""

    clock_hz: float = option(
        200e6, unit="Hz", doc="Clock frequency", source="[derived] 9.4 TOp/s over 46 is 512 units at 200 MHz"
    )
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

    def compile(self, name: str, cell: Cell, samples: Samples, place: Place = NOWHERE) -> CompiledCell:
        """Quantise one direction of a layer, pruned if prune_gamma says so."""
        return compile_cell(self, name, cell, samples, pes=self.array_pes, gamma=self.prune_gamma)

    def check(self, cells: Sequence[Compiled]) -> None:
        """All weights stay on chip, with their indices."""
        super().check(cells)
        bits = sum(timing_spartus.stored_bits(self, delta_cell(cell).cell) for cell in cells)
        check_memory(self.name, bits, self.weight_memory_bytes)

    def figures(self, cells: Sequence[Compiled], activity: Activity) -> tuple[MachineFigure, ...]:
        """How evenly the arrays are loaded, and how full the balanced columns are."""
        balance = timing_spartus.balance(self, cells, activity)
        padding = timing_spartus.padding(self, [delta_cell(cell).cell for cell in cells])
        return (
            MachineFigure("load balance", balance, "share", "mean work of an array / that of the fullest"),
            MachineFigure("padding", padding, "share", "zeros stored so that every PE has as many weights"),
        )

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


SPARTUS_ZYNQ7100 = Spartus(name="spartus-zynq7100")

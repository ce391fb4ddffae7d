"""Bounds on the cycles of a step, as ISCA 2018, Table I has them.

UDM, the unconstrained dataflow machine: as many function units as there are operations, one cycle each; a step takes
the operations on its longest path. SDM, the structurally constrained one: the multiply-accumulate units of the machine,
everything else unconstrained; the products take as long as they must, the rest of the path follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deltawave.kernels.block_float_cell import BlockFloatCell
from deltawave.machines.base import Activity, Compiled, MachineFigure
from deltawave.machines.brainwave.cell_programs import GATES
from deltawave.machines.brainwave.compiled import brainwave_cell

if TYPE_CHECKING:
    from deltawave.machines.brainwave.machine import Brainwave

OTHER_OPERATIONS = {"lstm": 8, "gru_before": 7, "gru": 6, "rnn": 4}
"""On the longest path, besides the sums within products.

LSTM: multiply, add x and h, add the bias, activate, multiply, add c, tanh, multiply (ISCA 2018, Figure 2). A GRU's 7
reproduces the figures of Tables I and V, which do not list it; with its reset after the product, a multiplication less.
RNN: multiply, add x and h, add the bias, activate.
"""
SETTLED_STEPS = 4
PEEPHOLE_OPERATIONS = 2  # the output gate waits for the new c: multiply, add


@dataclass(frozen=True)
class Sizes:
    """What the bounds depend on. `kind` as the kernels name cells."""

    kind: str
    inputs: int
    hidden: int
    has_peepholes: bool = False

    @staticmethod
    def of(cell: BlockFloatCell) -> Sizes:
        """Those of a compiled cell."""
        return Sizes(cell.kind, cell.inputs, cell.hidden, cell.peepholes is not None)

    @property
    def products(self) -> int:
        """Multiply-accumulates of matrices and vectors in a step, without padding."""
        return len(GATES[self.kind]) * self.hidden * (self.inputs + self.hidden)

    @property
    def operations(self) -> int:
        """Operations in a step as the paper counts them: two for each multiply-accumulate."""
        return 2 * self.products


def udm_cycles(sizes: Sizes) -> int:
    """Cycles of a step with unlimited function units."""
    in_sequence = 2 if sizes.kind == "gru_before" else 1  # products that wait for one another
    levels = (max(sizes.inputs, sizes.hidden) - 1).bit_length()
    return OTHER_OPERATIONS[sizes.kind] + PEEPHOLE_OPERATIONS * sizes.has_peepholes + in_sequence * levels


def sdm_cycles(sizes: Sizes, multipliers: int) -> int:
    """Cycles of a step with so many multiply-accumulate units."""
    return -(-sizes.products // multipliers) + udm_cycles(sizes)


def bounds(machine: Brainwave, cells: Sequence[Compiled]) -> tuple[MachineFigure, ...]:
    """Cycles of a step of all cells: both bounds, and what the machine takes when nothing is left of the first step."""
    sizes = [Sizes.of(brainwave_cell(cell).cell) for cell in cells]
    settled = {cell.name: np.ones((SETTLED_STEPS, 1), np.bool_) for cell in cells}
    steps = machine.timeline(cells, settled).step_cycles.values()
    return _beside_bounds(
        sum(map(udm_cycles, sizes)),
        sum(sdm_cycles(cell, machine.multipliers) for cell in sizes),
        sum(int(cycles[-1]) for cycles in steps),
        machine,
    )


def figures(
    machine: Brainwave, cells: Sequence[Compiled], activity: Activity
) -> tuple[MachineFigure, ...]:
    """Utilisation of the multipliers, and the cycles of the run beside both bounds."""
    runs = [(Sizes.of(brainwave_cell(cell).cell), len(activity[cell.name])) for cell in cells]
    cycles = machine.timeline(cells, activity).cycles
    udm = sum(steps * udm_cycles(sizes) for sizes, steps in runs)
    sdm = sum(steps * sdm_cycles(sizes, machine.multipliers) for sizes, steps in runs)
    products = sum(steps * sizes.products for sizes, steps in runs)
    used = products / (cycles * machine.multipliers) if cycles else 0.0
    return (
        MachineFigure(
            "utilisation", used, "share", "products without padding / all that fit into the cycles"
        ),
        *_beside_bounds(udm, sdm, cycles, machine),
    )


def _beside_bounds(udm: int, sdm: int, cycles: int, machine: Brainwave) -> tuple[MachineFigure, ...]:
    multipliers = f"{machine.multipliers} multipliers (ISCA 2018, Table I)"
    return (
        MachineFigure("critical path, UDM", udm, "cycle", "unlimited function units (ISCA 2018, Table I)"),
        MachineFigure("critical path, SDM", sdm, "cycle", multipliers),
        MachineFigure("this machine", cycles, "cycle", "the timeline's, padding and hazards included"),
    )

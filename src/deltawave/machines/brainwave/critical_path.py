"""Bounds on the cycles of a step, as ISCA 2018, Table I has them.

UDM, the unconstrained dataflow machine: as many function units as there are operations, one cycle each; a step takes
the operations on its longest path. SDM, the structurally constrained one: the multiply-accumulate units of the machine,
of all devices that the network takes, everything else unconstrained; the products take as long as they must, the rest
of the path follows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deltawave.kernels.block_float_cell import BlockFloatCell
from deltawave.machines.base import Activity, Compiled, MachineFigure
from deltawave.machines.brainwave.cell_programs import GATES
from deltawave.machines.brainwave.compiled import BrainwaveCell
from deltawave.machines.brainwave.layer_programs import LayerShape
from deltawave.machines.brainwave.plan import Loop
from deltawave.machines.brainwave.restore import Unit, units

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
    settled = {cell.name: np.ones((SETTLED_STEPS, 1), np.bool_) for cell in cells}
    steps = machine.timeline(cells, settled).step_cycles.values()
    paths = [Path.of(loop, cells) for loop in machine.plan(cells)]
    multipliers = machine.multipliers_of(cells)
    return _beside_bounds(
        sum(path.udm_cycles for path in paths),
        sum(path.sdm_cycles(multipliers) for path in paths),
        sum(int(cycles[-1]) for cycles in steps),
        multipliers,
    )


def figures(machine: Brainwave, cells: Sequence[Compiled], activity: Activity) -> tuple[MachineFigure, ...]:
    """Utilisation of the multipliers, and the cycles of the run beside both bounds."""
    loops = machine.plan(cells)
    runs = [(Path.of(loop, cells), loop.steps(activity)) for loop in loops]
    devices = len({device for loop in loops for device in loop.programs})
    multipliers = machine.multipliers_of(cells)
    cycles = machine.timeline(cells, activity).cycles
    udm = sum(steps * path.udm_cycles for path, steps in runs)
    sdm = sum(steps * path.sdm_cycles(multipliers) for path, steps in runs)
    products = sum(steps * sum(path.products) for path, steps in runs)
    used = products / (cycles * multipliers) if cycles else 0.0
    return (
        MachineFigure(
            "devices", devices, "device", "those whose MatrixRf the weights fill, one after another"
        ),
        MachineFigure(
            "utilisation", used, "share", "products without padding / all that fit into the cycles"
        ),
        *_beside_bounds(udm, sdm, cycles, multipliers),
    )


@dataclass(frozen=True)
class Path:
    """The longest path through a step of a loop: cycles without limit, and the multiply-accumulates of each part."""

    udm_cycles: int
    products: tuple[int, ...]

    @staticmethod
    def of(loop: Loop, cells: Sequence[Compiled]) -> Path:
        """That of a loop."""
        parts = {part.name: part for part in units(cells)}
        ends: dict[str, int] = {}
        for resident in loop.residents:
            begin = max((ends.get(source, 0) for source in resident.sources), default=0)
            ends[resident.name] = begin + _path_cycles(parts[resident.name])
        return Path(max(ends.values()), tuple(parts[resident.name].products for resident in loop.residents))

    def sdm_cycles(self, multipliers: int) -> int:
        """Cycles with so many multiply-accumulate units, which take one product after another."""
        return self.udm_cycles + sum(-(-products // multipliers) for products in self.products)


def _path_cycles(part: Unit) -> int:
    """Cycles of one part with unlimited function units."""
    if isinstance(part, BrainwaveCell):
        return udm_cycles(Sizes.of(part.cell))
    return layer_udm_cycles(part.shape)


def layer_udm_cycles(shape: LayerShape) -> int:
    """Cycles of a layer that keeps no state: multiply, the levels of a tree of sums, add the bias."""
    window = shape.window
    positions = window.kernel_height * window.kernel_width
    return {
        "product": 2 + (positions * window.channels // shape.groups - 1).bit_length(),
        "depthwise": 2 + (positions - 1).bit_length(),
        "maximum": (positions - 1).bit_length(),
        "average": 1 + (positions - 1).bit_length(),
        "pointwise": 1,
    }[shape.kind]


def _beside_bounds(udm: int, sdm: int, cycles: int, multipliers: int) -> tuple[MachineFigure, ...]:
    source = f"{multipliers} multipliers (ISCA 2018, Table I)"
    return (
        MachineFigure("critical path, UDM", udm, "cycle", "unlimited function units (ISCA 2018, Table I)"),
        MachineFigure("critical path, SDM", sdm, "cycle", source),
        MachineFigure("this machine", cycles, "cycle", "the timeline's, padding and hazards included"),
    )

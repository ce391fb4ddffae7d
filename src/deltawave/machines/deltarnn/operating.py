"""The published operating points of the delta machines, run on our model.

The papers' data sets and trained networks are not at hand. What decides the time of a step is its shape and
which values were sent, so each point here is a network of the published shape with random weights, and random
values sent: as many as the published figures imply. The weights' values matter nowhere but for pruning, where
only their ranks do.
"""

from dataclasses import replace
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deltawave.hardware.cost import Cost
from deltawave.hardware.timeline import Timeline
from deltawave.kernels.cell import GATES
from deltawave.machines.base import Samples
from deltawave.machines.deltarnn.compiled import DeltaCell, delta_cell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.machine_deltarnn import DELTARNN_ZYNQ7100
from deltawave.machines.deltarnn.machine_edgedrnn import EDGEDRNN_MINIZED
from deltawave.machines.deltarnn.machine_spartus import SPARTUS_ZYNQ7100
from deltawave.machines.deltarnn.timing_deltarnn import scan
from deltawave.machines.deltarnn.timing_spartus import column_entries
from deltawave.network.layers import Cell, Floats
from deltawave.numerics import stepped_table

STEPS = 100
DELTARNN_SENT = 47  # of 296: 1.2 TOp/s leave 47 cycles for the 454,656 operations of a step
EDGEDRNN_SHARE = 1 / 10.1  # effective over peak throughput: 20.2 / 2.0 GOp/s
SPARTUS_SENT_AN_ARRAY = 50  # 1 us is 200 cycles, a column takes 4
SPARTUS_PRUNED = replace(SPARTUS_ZYNQ7100, prune_gamma=0.94)


class Point:
    """A network run at an operating point of a machine."""

    def __init__(
        self, machine: DeltaMachine, cells: list[DeltaCell], rows: dict[str, NDArray[np.bool_]]
    ) -> None:
        self.machine = machine
        self.cells = cells
        self.steps = len(next(iter(rows.values())))
        self.timeline: Timeline = machine.timeline(cells, rows)
        self.cost: Cost = machine.cost(cells, rows, self.timeline)

    @property
    def operations(self) -> int:
        """Of a step, as a dense network has them: two a weight."""
        return 2 * sum(cell.cell.weights_x.size + cell.cell.weights_h.size for cell in self.cells)

    @property
    def step_cycles(self) -> float:
        """Mean over the run."""
        return self.timeline.cycles / self.steps

    @property
    def step_seconds(self) -> float:
        """Mean over the run."""
        return self.timeline.seconds / self.steps

    @property
    def operations_per_second(self) -> float:
        """Effective throughput: the operations of a dense network over the time."""
        return self.operations / self.step_seconds

    @property
    def traffic_reduction(self) -> float:
        """Bytes of weights that a dense network reads over those that were read."""
        return self.cost.traffic[0].bytes_dense / self.cost.traffic[0].bytes_moved

    def resource(self, name: str) -> float:
        """How much of a resource the machine takes."""
        return next(row.amount for row in self.cost.area if row.name == name)


def peak(machine: DeltaMachine) -> float:
    """Operations per second with every multiplier busy."""
    return 2 * machine.multipliers * machine.clock_hz


@cache
def deltarnn_gru() -> list[DeltaCell]:
    """40 inputs (39 padded), 256 units."""
    return [_compiled(DELTARNN_ZYNQ7100, "gru", 40, 256)]


@cache
def deltarnn_dense() -> Point:
    """Every value sent."""
    return _dense(DELTARNN_ZYNQ7100, deltarnn_gru())


@cache
def deltarnn_delta() -> Point:
    """As many values sent as the published throughput implies."""
    return Point(DELTARNN_ZYNQ7100, deltarnn_gru(), {"gru-40-256": _sent(STEPS, 296, DELTARNN_SENT)})


def ieu_cycles(path: str, elements: int, *, all_sent: bool) -> int:
    """How long DeltaRNN's encoder scans a vector."""
    rate = DELTARNN_ZYNQ7100.input_rate if path == "x" else DELTARNN_ZYNQ7100.hidden_rate
    vector = np.full((1, elements), all_sent)
    return int(scan(vector, rate, DELTARNN_ZYNQ7100.scheduler_rate)[1][0])


@cache
def edgedrnn_dense() -> Point:
    """Two layers of 768 units after 40 inputs, every value sent."""
    return _dense(EDGEDRNN_MINIZED, _two_layers(768))


@cache
def edgedrnn_delta(hidden: int = 768) -> Point:
    """Two layers, as many values sent as the published throughput implies."""
    cells = _two_layers(hidden)
    columns = {cell.name: cell.cell.columns for cell in cells}
    rows = {name: _sent(STEPS, n, round(n * EDGEDRNN_SHARE)) for name, n in columns.items()}
    return Point(EDGEDRNN_MINIZED, cells, rows)


def edgedrnn_activation_cycles(hidden: int = 768) -> float:
    """Of one layer in one step."""
    return edgedrnn_delta(hidden).timeline.busy_cycles("ACT") / STEPS / 2


def rtl_table_entries(function: str) -> int:
    """Inputs for which EdgeDRNN's table has an entry of its own: all but the saturated ends."""
    machine = EDGEDRNN_MINIZED
    table = stepped_table(function, machine.activation_fraction_bits, machine.table_step_bits)
    return len(table.values) - 2


@cache
def spartus_lstm() -> list[DeltaCell]:
    """123 inputs, 1,024 units, pruned by CBTD with gamma = 0.94."""
    return [_compiled(SPARTUS_PRUNED, "lstm", 123, 1024)]


@cache
def spartus_dense() -> Point:
    """Pruned, every value sent."""
    return _dense(SPARTUS_PRUNED, spartus_lstm())


@cache
def spartus_delta() -> Point:
    """Pruned, 50 values sent to every array."""
    (cell,) = spartus_lstm()
    place = np.r_[:123, 128 + np.arange(1024)]
    rows = np.zeros((STEPS, cell.cell.columns), np.bool_)
    for array in range(SPARTUS_PRUNED.arrays):
        mine = np.flatnonzero(place % SPARTUS_PRUNED.arrays == array)
        rows[:, mine] = _sent(STEPS, len(mine), SPARTUS_SENT_AN_ARRAY)
    return Point(SPARTUS_PRUNED, [cell], {cell.name: rows})


def spartus_column_cycles() -> float:
    """Cycles of the longest column of the pruned network."""
    (cell,) = spartus_lstm()
    return float(column_entries(SPARTUS_PRUNED, cell.cell).max()) / SPARTUS_PRUNED.array_pes


def spartus_weight_sparsity() -> float:
    """Share of the pruned network's weights that are not stored."""
    (cell,) = spartus_lstm()
    weights = cell.cell.weights_x.size + cell.cell.weights_h.size
    return 1.0 - float(column_entries(SPARTUS_PRUNED, cell.cell).sum()) / weights


def _two_layers(hidden: int) -> list[DeltaCell]:
    return [
        _compiled(EDGEDRNN_MINIZED, "gru", 40, hidden),
        _compiled(EDGEDRNN_MINIZED, "gru", hidden, hidden),
    ]


def _dense(machine: DeltaMachine, cells: list[DeltaCell]) -> Point:
    columns = {cell.name: cell.cell.columns for cell in cells}
    return Point(machine, cells, {name: np.ones((STEPS, n), np.bool_) for name, n in columns.items()})


def _sent(steps: int, columns: int, count: int) -> NDArray[np.bool_]:
    """`count` values sent in every step, at random places; bool [steps, columns]."""
    ranks = np.random.default_rng(0).random((steps, columns)).argsort(axis=1)
    return ranks < count


def _compiled(machine: DeltaMachine, kind: Literal["gru", "lstm"], inputs: int, hidden: int) -> DeltaCell:
    rng = np.random.default_rng(0)
    gates = len(GATES[kind])

    def weights(*shape: int) -> Floats:
        return rng.uniform(-0.5, 0.5, shape).astype(np.float32)

    cell = Cell(
        kind=kind,
        weights_x=weights(gates * hidden, inputs),
        weights_h=weights(gates * hidden, hidden),
        bias_x=weights(gates * hidden),
        bias_h=weights(gates * hidden),
        activations=("sigmoid", "tanh", "tanh"),
    )
    return delta_cell(machine.compile(f"{kind}-{inputs}-{hidden}", cell, Samples(None, None)))

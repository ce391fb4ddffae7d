"""How long a run takes on a delta machine: what the three have in common.

A step of a cell goes in rounds. A round scans a vector for values to send, multiplies the columns of what was
sent, and ends with an activation pass. A cell has one round a step (x and h, then the gates); a GRU whose
reset gate scales the state has two (x and h, then r * h; the first pass makes r * h, the second the new
state). A round begins when the pass before it is over: it needs the state that the pass makes. Cells work one
after the other, so the cycles of a run are the sum over its steps.

What each machine does within a round is in timing_deltarnn, timing_edgedrnn and timing_spartus. All times are
whole cycles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.hardware.tasks import Cycles
from deltawave.hardware.timeline import Part, Timeline, simulate
from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.base import Activity, Compiled
from deltawave.machines.deltarnn.compiled import delta_cell

if TYPE_CHECKING:
    from deltawave.machines.deltarnn.machine import DeltaMachine

DETAIL_STEPS = 32
COLUMNS_A_STRETCH = 1 << 17  # as many as the arrays of a stretch stay in the cache


@dataclass(frozen=True, eq=False)
class Sent:
    """What was sent in a stretch of steps, in order: the round and column of each value, int64 [sent].

    `first`: int64 [rounds + 1], the first value of each round. `step`: int64 [rounds], the step a round
    belongs to.
    """

    round: Cycles
    column: Cycles
    first: Cycles
    step: Cycles

    @property
    def rounds(self) -> int:
        """Number of rounds."""
        return len(self.step)

    @property
    def busy_rounds(self) -> Cycles:
        """The rounds in which something was sent."""
        return np.flatnonzero(np.diff(self.first))


def timeline(
    machine: DeltaMachine,
    cells: Sequence[Compiled],
    activity: Activity,
    *,
    detail_steps: int = DETAIL_STEPS,
) -> Timeline:
    """When every unit worked. activity: bool [steps, columns] by cell name, columns x | h | (r * h) as the
    kernels give them."""
    return Timeline(
        machine.clock_hz, tuple(_part(machine, cell, activity[cell.name], detail_steps) for cell in cells)
    )


def _part(machine: DeltaMachine, compiled: Compiled, rows: NDArray[np.bool_], detail_steps: int) -> Part:
    cell = delta_cell(compiled).cell
    assert rows.shape == (len(rows), cell.columns)
    stretch = max(1, COLUMNS_A_STRETCH // cell.columns)
    return simulate(
        compiled.name, len(rows), machine.graphs(cell, rows), stretch=stretch, detail_steps=detail_steps
    )


def rounds_a_step(cell: QuantisedCell) -> int:
    """Activation passes in a step."""
    return 2 if cell.kind == "gru_before" else 1


def sent_in(cell: QuantisedCell, rows: NDArray[np.bool_], first_step: int) -> Sent:
    """The values sent in `rows` of the activity, the first of which is `first_step`."""
    rounds = rounds_a_step(cell)
    row, column = np.divmod(np.flatnonzero(rows), cell.columns)  # a third of the time of np.nonzero
    round_ = row if rounds == 1 else row * 2 + (column >= cell.inputs + cell.hidden)
    counts = np.bincount(round_, minlength=len(rows) * rounds)
    first = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return Sent(round_, column, first, np.repeat(np.arange(first_step, first_step + len(rows)), rounds))


def divide_up(dividend: Cycles | int, divisor: int) -> Cycles:
    """The quotient, rounded up."""
    return -(-np.asarray(dividend, np.int64) // divisor)

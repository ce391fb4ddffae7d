"""Cycles of DeltaRNN: weights on chip, three channels, and an input encoding unit (IEU) that sees many
elements at once.

Units: IEU x, IEU h (the two paths of the encoder), MxV (the channels, in lockstep), AP (the activation
pipeline).

1. At the start of a round (cycle 0 below) both paths begin to scan: the x path its vector `input_rate`
   elements at a time, the h path `hidden_rate`. A group of elements is compared in one cycle; its k-th sent
   value leaves k // scheduler_rate cycles after that; the next group follows when this one has left: a group
   takes max(1, ceil(sent / scheduler_rate)) cycles. A vector that ends within a group is padded with zeros.
   The lists hold a whole vector, so a scan is never held up.
2. A value that leaves in cycle t can be multiplied from cycle t + encoder_latency_cycles on.
3. MxV takes the list of x until it is empty and closed (encoder_latency_cycles after the last cycle of its
   scan began), then that of h. The multipliers are dealt evenly to channels, one a gate: three for a GRU, as
   published, four for an LSTM, one for a plain RNN. A column takes ceil(hidden / multipliers of a channel)
   cycles. Its sums are there mxv_latency_cycles after its last cycle began.
4. AP begins when the last sums are there and both lists are closed, and takes activation_stages - 1 cycles and
   one for each group of neurons: activation_lanes of them, or the most below that which divide a channel and
   go evenly with hidden_rate. It uses the multipliers of MxV, which wait for it anyway (in the RTL, if they are
   enough and the stages leave time for registers behind them; else it has its own).
5. With fewer multipliers than gates there is a channel for each multiplier, gate g belongs to channel g mod
   channels, and columns and groups of neurons take a turn after another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.hardware.tasks import Cycles, GraphOfSteps, Link, TaskGraph
from deltawave.kernels.cell import GATES, HEARS, QuantisedCell
from deltawave.machines.deltarnn.timing import Sent, divide_up, rounds_a_step, sent_in

if TYPE_CHECKING:
    from deltawave.machines.deltarnn.machine_deltarnn import DeltaRNN


def graphs(machine: DeltaRNN, cell: QuantisedCell, rows: NDArray[np.bool_]) -> GraphOfSteps:
    """The tasks of any stretch of steps. rows: bool [steps, columns]."""
    channels, lanes = machine.channels_of(cell.kind)
    turns = np.array([_turns(channels, gates) for gates in HEARS[cell.kind]])
    columns = turns[cell.column_sources] * divide_up(cell.hidden, lanes)
    return lambda first, last: _graph(
        machine, cell, columns, rows[first:last], sent_in(cell, rows[first:last], first)
    )


def _turns(channels: int, gates: Sequence[int]) -> int:
    """How often a channel has its turn when these gates are served."""
    turns = {gate // channels for gate in gates}
    return max(turns) - min(turns) + 1


def scan(vectors: NDArray[np.bool_], rate: int, scheduler_rate: int) -> tuple[Cycles, Cycles]:
    """In which cycle of its scan each sent value leaves, int64 [sent], and how long each scan takes, int64
    [vectors]."""
    groups = -(-vectors.shape[1] // rate)
    vector, element = np.divmod(np.flatnonzero(vectors), vectors.shape[1])
    group = vector * groups + element // rate
    counts = np.bincount(group, minlength=len(vectors) * groups)
    cycles = np.maximum(1, divide_up(counts, scheduler_rate)).reshape(len(vectors), groups)
    begins = (np.cumsum(cycles, axis=1) - cycles).ravel()
    rank = np.arange(len(group)) - (np.cumsum(counts) - counts)[group]
    return begins[group] + rank // scheduler_rate, cycles.sum(axis=1)


def _graph(
    machine: DeltaRNN, cell: QuantisedCell, columns: Cycles, rows: NDArray[np.bool_], sent: Sent
) -> TaskGraph:
    rounds, inputs = rounds_a_step(cell), cell.inputs
    leaves_x, scans_x = scan(rows[:, :inputs], machine.input_rate, machine.scheduler_rate)
    leaves_h, scans_h = scan(
        rows[:, inputs:].reshape(-1, cell.hidden), machine.hidden_rate, machine.scheduler_rate
    )
    encoder, occupancy = machine.encoder_latency_cycles, columns[sent.column]
    turns = _turns(machine.channels_of(cell.kind)[0], range(len(GATES[cell.kind])))
    groups = int(divide_up(cell.hidden, machine.activation_lanes_of(cell.kind)))
    pass_ = machine.activation_stages - 1 + turns * groups
    graph = TaskGraph()
    ieu_x = graph.unit("IEU x", scans_x, scans_x - 1 + encoder, sent.step[::rounds])
    ieu_h = graph.unit("IEU h", scans_h, scans_h - 1 + encoder, sent.step)
    mxv = graph.unit(
        "MxV", occupancy, occupancy - 1 + machine.mxv_latency_cycles, sent.step[sent.round], sent.column
    )
    ap = graph.unit("AP", pass_, pass_, sent.step)

    every, steps = np.arange(sent.rounds), np.arange(len(rows))
    busy, step = sent.busy_rounds, sent.round // rounds
    of_x, of_h = np.flatnonzero(sent.column < inputs), np.flatnonzero(sent.column >= inputs)
    lag_x, lag_h = leaves_x + encoder, leaves_h + encoder
    graph.wait(ieu_x, steps, ap, steps * rounds - 1, reason="state")
    graph.wait(ieu_h, every, ap, every - 1, reason="state")
    graph.wait(mxv, of_x, ieu_x, step[of_x], link=Link.START, lag=lag_x, reason="delta")
    graph.wait(mxv, of_h, ieu_x, step[of_h], reason="scan")
    graph.wait(mxv, of_h, ieu_h, sent.round[of_h], link=Link.START, lag=lag_h, reason="delta")
    graph.wait(ap, busy, mxv, sent.first[busy + 1] - 1, reason="sum")
    graph.wait(ap, steps * rounds, ieu_x, steps, reason="scan")
    graph.wait(ap, every, ieu_h, every, reason="scan")
    return graph

"""Cycles of EdgeDRNN: weights streamed from DRAM, one column for each value sent.

Units: IEU (the delta encoder), PE (the multiply-accumulate units with their weight stream, in lockstep), ACT
(the same PEs, activating).

1. From the start of a round the IEU scans one element a cycle: the bias' place, x, h (the second round of a
   GRU with its reset before: r * h). The bias never moves, so it is never sent: the sums hold it when a stream
   begins. (The published machine sends its column in the first step of a stream.) An element that is sent
   needs a place in the FIFO: the n-th of them is scanned after the PEs have begun column n - fifo_depth; a
   place freed in a cycle can be taken in the next.
2. A value scanned in cycle t can be multiplied from cycle t + encoder_latency_cycles + dram_latency_cycles
   on.
3. A column takes as many cycles as its weights, `pes` a cycle with the hidden size padded to a multiple of
   the PEs, or as its bytes take from DRAM, if that is longer; a weight wider than a byte is two. A GRU's
   columns serve all three gates, x and h alike; with the reset before, columns of h serve r and u, those of r
   * h serve c. Sums are there mac_latency_cycles after the last cycle began.
4. ACT begins when the last sums are there and the scan is closed (encoder_latency_cycles after its last cycle
   began), and takes activation_cycles for each group of one neuron a PE and for activation_extra_groups more.
   So does the pass that makes r * h, and that of the LSTM, which the published machine does not have.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.hardware.tasks import Cycles, GraphOfSteps, Link, TaskGraph
from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.deltarnn.timing import Sent, divide_up, rounds_a_step, sent_in

if TYPE_CHECKING:
    from deltawave.machines.deltarnn.machine_edgedrnn import EdgeDRNN


def graphs(machine: EdgeDRNN, cell: QuantisedCell, rows: NDArray[np.bool_]) -> GraphOfSteps:
    """The tasks of any stretch of steps. rows: bool [steps, columns]."""
    beats = column_cycles(machine, cell)

    def graph(first: int, last: int) -> TaskGraph:
        return _graph(machine, cell, beats, sent_in(cell, rows[first:last], first))

    return graph


def column_bytes(machine: EdgeDRNN, cell: QuantisedCell) -> Cycles:
    """Bytes of each column in DRAM, int64 [columns]."""
    padded = divide_up(cell.hidden, machine.pes) * machine.pes
    weights = cell.column_words // cell.hidden * padded
    return weights * math.ceil(machine.weight_bits / 8)


def column_cycles(machine: EdgeDRNN, cell: QuantisedCell) -> Cycles:
    """Cycles that a column takes, int64 [columns]."""
    groups = divide_up(cell.hidden, machine.pes)
    stream = np.ceil(column_bytes(machine, cell) / machine.dram_bytes_per_cycle).astype(np.int64)
    multiplied = cell.column_words // cell.hidden * groups
    return np.asarray(np.maximum(multiplied, stream), np.int64)


def _graph(machine: EdgeDRNN, cell: QuantisedCell, beats: Cycles, sent: Sent) -> TaskGraph:
    gaps, tails = _gaps(machine, cell, sent)
    rounds, values = np.arange(sent.rounds), np.arange(len(sent.column))
    scans, closing, depth = values + sent.round, sent.first[1:] + rounds, machine.fifo_depth
    scanned = np.empty(len(values) + len(rounds), np.int64)
    scanned[scans], scanned[closing] = gaps, tails
    steps = np.repeat(sent.step, np.diff(sent.first) + 1)
    occupancy = beats[sent.column]
    pass_ = machine.activation_cycles * (
        int(divide_up(cell.hidden, machine.pes)) + machine.activation_extra_groups
    )
    graph = TaskGraph()
    ieu = graph.unit("IEU", scanned, scanned - 1 + machine.encoder_latency_cycles, steps)
    pe = graph.unit(
        "PE", occupancy, occupancy - 1 + machine.mac_latency_cycles, sent.step[sent.round], sent.column
    )
    act = graph.unit("ACT", pass_, pass_, sent.step)

    busy = sent.busy_rounds
    graph.wait(ieu, sent.first[:-1] + rounds, act, rounds - 1, reason="state")
    graph.wait(ieu, scans[depth:], pe, values[:-depth], link=Link.START, lag=2 - gaps[depth:], reason="FIFO")
    graph.wait(pe, values, ieu, scans, lag=machine.dram_latency_cycles, reason="delta")
    graph.wait(act, busy, pe, sent.first[busy + 1] - 1, reason="sum")
    graph.wait(act, rounds, ieu, closing, reason="scan")
    return graph


def _gaps(machine: EdgeDRNN, cell: QuantisedCell, sent: Sent) -> tuple[Cycles, Cycles]:
    """Cycles of scan up to and with each value sent, int64 [sent], and after the last of each round, int64
    [rounds]."""
    bias, first_round = int(machine.bias_as_column), cell.inputs + cell.hidden
    lengths = np.tile(
        [bias + first_round, cell.hidden][: rounds_a_step(cell)], sent.rounds // rounds_a_step(cell)
    )
    places = np.where(sent.column < first_round, sent.column + bias, sent.column - first_round)
    ends = np.empty(len(places) + 1, np.int64)
    ends[0], ends[1:] = 0, places + 1
    gaps = np.diff(ends)
    opening = sent.first[sent.busy_rounds]
    gaps[opening] = places[opening] + 1
    tails = lengths
    tails[sent.busy_rounds] -= ends[sent.first[sent.busy_rounds + 1]]
    return gaps, tails

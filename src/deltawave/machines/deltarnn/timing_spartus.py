"""Cycles of Spartus: sparse weights balanced over the PEs of an array, and a delta vector dealt over the
arrays.

Units: IPU (the input process unit with the delta encoder), array 0.. (of PEs, each with its queue), HPE
(activations).

1. The vector is x padded to a multiple of the arrays, then h padded likewise (second round of a GRU with its
   reset before: r * h). From the start of a round the IPU scans `input_rate` elements a cycle. Element j goes
   to the queue of array j mod arrays. A queue holds all that a vector can send to it, so the scan is never
   held up.
2. A value scanned in cycle t can be multiplied from cycle t + encoder_latency_cycles on.
3. An array takes its queue in order. Row i of the stacked gates is done by PE i mod array_pes; a column takes
   as many cycles as the fullest PE has non-zero weights in it (CBCSC; balanced pruning makes them equal), at
   least one. Products are summed over the arrays; sums are there mac_latency_cycles after the last cycle
   began.
4. HPE begins when the sums of all arrays are there and the scan is closed (encoder_latency_cycles after its
   last cycle began), and takes activation_stages + ceil(hidden / activation_lanes) - 1 cycles.

The bias is in the accumulators before the first step and takes no cycles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.hardware.tasks import Cycles, GraphOfSteps, Link, TaskGraph
from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.base import Activity, Compiled
from deltawave.machines.deltarnn.compiled import delta_cell
from deltawave.machines.deltarnn.timing import Sent, divide_up, rounds_a_step, sent_in
from deltawave.sparsity.cbcsc import column_lengths

if TYPE_CHECKING:
    from deltawave.machines.deltarnn.machine_spartus import Spartus


def graphs(machine: Spartus, cell: QuantisedCell, rows: NDArray[np.bool_]) -> GraphOfSteps:
    """The tasks of any stretch of steps. rows: bool [steps, columns]."""
    cycles = column_cycles(machine, cell)
    return lambda first, last: _graph(machine, cell, cycles, sent_in(cell, rows[first:last], first))


def weights_of_columns(cell: QuantisedCell) -> NDArray[np.int16]:
    """int16 [rows, columns]: the weights as the activity's columns have them, zero where a column does not
    serve a gate."""
    if cell.kind != "gru_before":
        return np.hstack([cell.weights_x, cell.weights_h])
    before, after = cell.weights_h.copy(), cell.weights_h.copy()
    before[2 * cell.hidden :], after[: 2 * cell.hidden] = 0, 0
    return np.hstack([cell.weights_x, before, after])


def column_entries(machine: Spartus, cell: QuantisedCell) -> Cycles:
    """Entries stored for each column, padding included, int64 [columns]."""
    return machine.array_pes * column_lengths(weights_of_columns(cell), machine.array_pes)


def stored_bits(machine: Spartus, cell: QuantisedCell) -> int:
    """Bits of the compressed weights of a cell."""
    return int(column_entries(machine, cell).sum()) * (machine.weight_bits + machine.index_bits)


def padding(machine: Spartus, cells: Sequence[QuantisedCell]) -> float:
    """Share of the stored entries that are zeros, there so that every PE has as many."""
    stored = sum(int(column_entries(machine, cell).sum()) for cell in cells)
    non_zero = sum(int(np.count_nonzero(weights_of_columns(cell))) for cell in cells)
    return 1 - non_zero / stored if stored else 0.0


def column_cycles(machine: Spartus, cell: QuantisedCell) -> Cycles:
    """Cycles that a column takes, int64 [columns]."""
    return np.maximum(1, column_entries(machine, cell) // machine.array_pes)


def places_of_columns(machine: Spartus, cell: QuantisedCell) -> tuple[Cycles, Cycles]:
    """The place of each column in the vector of its round, int64 [columns], and the length of each round's
    vector."""
    inputs, hidden = (
        int(divide_up(size, machine.arrays)) * machine.arrays for size in (cell.inputs, cell.hidden)
    )
    state = np.arange(cell.hidden)
    if rounds_a_step(cell) == 1:
        return np.r_[: cell.inputs, inputs + state], np.array([inputs + hidden])
    return np.r_[: cell.inputs, inputs + state, state], np.array([inputs + hidden, hidden])


def balance(machine: Spartus, cells: Sequence[Compiled], activity: Activity) -> float:
    """Mean work of an array over that of the fullest, over all steps: 1 when the arrays finish together."""
    fullest = mean = 0.0
    for compiled in cells:
        work = _work(machine, delta_cell(compiled).cell, activity[compiled.name])
        fullest, mean = fullest + float(work.max(axis=1).sum()), mean + float(work.mean(axis=1).sum())
    return mean / fullest if fullest else 1.0


def _work(machine: Spartus, cell: QuantisedCell, rows: NDArray[np.bool_]) -> Cycles:
    """Cycles of each array in each round, int64 [rounds, arrays]."""
    sent = sent_in(cell, rows, 0)
    array = places_of_columns(machine, cell)[0][sent.column] % machine.arrays
    cycles = np.bincount(
        sent.round * machine.arrays + array,
        column_cycles(machine, cell)[sent.column],
        sent.rounds * machine.arrays,
    )
    return cycles.reshape(sent.rounds, machine.arrays).astype(np.int64)


def _graph(machine: Spartus, cell: QuantisedCell, cycles: Cycles, sent: Sent) -> TaskGraph:
    places, lengths = places_of_columns(machine, cell)
    scans = np.tile(divide_up(lengths, machine.input_rate), sent.rounds // len(lengths))
    encoder = machine.encoder_latency_cycles
    pass_ = machine.activation_stages + int(divide_up(cell.hidden, machine.activation_lanes)) - 1
    place = places[sent.column]
    queues = [np.flatnonzero(place % machine.arrays == a) for a in range(machine.arrays)]
    every = np.arange(sent.rounds)
    graph = TaskGraph()
    ipu = graph.unit("IPU", scans, scans - 1 + encoder, sent.step)
    for a, queue in enumerate(queues):
        column, round_ = sent.column[queue], sent.round[queue]
        occupancy, lag = cycles[column], place[queue] // machine.input_rate + encoder
        array = graph.unit(
            f"array {a}", occupancy, occupancy - 1 + machine.mac_latency_cycles, sent.step[round_], column
        )
        graph.wait(array, np.arange(len(queue)), ipu, round_, link=Link.START, lag=lag, reason="delta")
    hpe = graph.unit("HPE", pass_, pass_, sent.step)

    graph.wait(ipu, every, hpe, every - 1, reason="state")
    for a, queue in enumerate(queues):
        busy, last = _last_of_rounds(sent.round[queue])
        graph.wait(hpe, busy, 1 + a, last, reason="sum")
    graph.wait(hpe, every, ipu, every, reason="scan")
    return graph


def _last_of_rounds(rounds: Cycles) -> tuple[Cycles, Cycles]:
    """The rounds that occur in an ascending list, and where each occurs last."""
    last = np.flatnonzero(np.diff(rounds, append=-1))
    return rounds[last], last

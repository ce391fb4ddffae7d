"""The delta machines clocked cycle by cycle, written from the numbered rules in timing_deltarnn,
timing_edgedrnn and timing_spartus.

Slow and direct: registers and queues, one loop over cycles. No max-plus, no arrays.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.cell import GATES, QuantisedCell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.machine_deltarnn import DeltaRNN
from deltawave.machines.deltarnn.machine_edgedrnn import EdgeDRNN
from deltawave.machines.deltarnn.machine_spartus import Spartus
from deltawave.machines.deltarnn.timing_spartus import weights_of_columns


def step_cycles(machine: DeltaMachine, cell: QuantisedCell, rows: NDArray[np.bool_]) -> list[int]:
    """Cycles of every step, one after the other. rows: bool [steps, columns]."""
    one_round = {DeltaRNN: deltarnn_round, EdgeDRNN: edgedrnn_round, Spartus: spartus_round}[type(machine)]
    cycles = []
    for row in rows:
        rounds = vectors_of_rounds(cell, row)
        cycles.append(sum(one_round(machine, cell, number, x, h) for number, (x, h) in enumerate(rounds)))
    return cycles


def vectors_of_rounds(cell: QuantisedCell, row: NDArray[np.bool_]) -> list[tuple[list[bool], list[bool]]]:
    """What each round of a step scans: which of x and h are sent."""
    x, h, rh = row[: cell.inputs], row[cell.inputs :][: cell.hidden], row[cell.inputs + cell.hidden :]
    return [(list(x), list(h)), *([([], list(rh))] if cell.kind == "gru_before" else [])]


def gates_of(cell: QuantisedCell, number: int, *, of_x: bool) -> tuple[int, ...]:
    """Gates that a column serves."""
    if cell.kind == "gru_before" and not of_x:
        return ((0, 1), (2,))[number]
    return tuple(range(len(GATES[cell.kind])))


@dataclass
class Multiplier:
    """Takes one column after the other from what has been scanned."""

    latency: int
    free: int = 0
    sums: int = 0
    begun: list[int] = field(default_factory=list)

    def take(self, cycle: int, queue: list[tuple[int, int]]) -> None:
        """queue: (from when, for how long). Begin the first if it is time."""
        if queue and cycle >= self.free and cycle >= queue[0][0]:
            length = queue.pop(0)[1]
            self.free, self.sums = cycle + length, cycle + length - 1 + self.latency
            self.begun.append(cycle)


class Encoder:
    """One path of DeltaRNN's input encoding unit: compares a group, then lets go of what is sent."""

    def __init__(self, vector: list[bool], rate: int, machine: DeltaRNN) -> None:
        self.groups = [sum(vector[i : i + rate]) for i in range(0, len(vector), rate)]
        self.machine, self.closed = machine, 0

    def clock(self, cycle: int, queue: list[tuple[int, int]], length: int) -> None:
        if not self.groups:
            return
        leaving = min(self.groups[0], self.machine.scheduler_rate)
        queue += [(cycle + self.machine.encoder_latency_cycles, length)] * leaving
        self.groups[0] -= leaving
        if not self.groups[0]:
            self.groups.pop(0)
        self.closed = cycle + self.machine.encoder_latency_cycles


def deltarnn_round(machine: DeltaRNN, cell: QuantisedCell, number: int, x: list[bool], h: list[bool]) -> int:
    paths = [Encoder(x, machine.input_rate, machine), Encoder(h, machine.hidden_rate, machine)]
    queues: list[list[tuple[int, int]]] = [[], []]
    multipliers = machine.channels * machine.channel_pes * machine.memory_ports
    channels = min(len(GATES[cell.kind]), multipliers)
    lanes = multipliers // channels
    served = [gates_of(cell, number, of_x=of_x) for of_x in (True, False)]
    lengths = [len({gate // channels for gate in gates}) * -(-cell.hidden // lanes) for gates in served]
    mxv, cycle = Multiplier(machine.mxv_latency_cycles), 0
    while any(path.groups for path in paths) or any(queues):
        for path, queue, length in zip(paths, queues, lengths, strict=True):
            path.clock(cycle, queue, length)
        x_done = not paths[0].groups and not queues[0] and cycle >= paths[0].closed
        mxv.take(cycle, queues[1] if x_done else queues[0])
        cycle += 1
    rate, fewer = machine.hidden_rate, range(1, min(lanes, machine.activation_lanes) + 1)
    group = max(n for n in fewer if lanes % n == 0 and max(n, rate) % min(n, rate) == 0)
    turns = -(-len(GATES[cell.kind]) // channels)
    pass_ = machine.activation_stages + turns * -(-cell.hidden // group) - 1
    return max(mxv.sums, *(path.closed for path in paths)) + pass_


def edgedrnn_round(machine: EdgeDRNN, cell: QuantisedCell, number: int, x: list[bool], h: list[bool]) -> int:
    bias = [False] if machine.bias_as_column and number == 0 else []
    groups = -(-cell.hidden // machine.pes)
    width = -(-machine.weight_bits // 8)

    def length(of_x: bool) -> int:
        gates = len(gates_of(cell, number, of_x=of_x))
        return max(
            gates * groups, int(np.ceil(gates * groups * machine.pes * width / machine.dram_bytes_per_cycle))
        )

    elements = [(sent, length(True)) for sent in [*bias, *x]] + [(sent, length(False)) for sent in h]
    queue: list[tuple[int, int]] = []
    pe, cycle, sent_so_far, closed = Multiplier(machine.mac_latency_cycles), 0, 0, 0
    while elements or queue:
        begun_before = len(pe.begun)
        if elements and not (elements[0][0] and sent_so_far - begun_before >= machine.fifo_depth):
            sent, beats = elements.pop(0)
            closed = cycle + machine.encoder_latency_cycles
            if sent:
                queue.append((closed + machine.dram_latency_cycles, beats))
                sent_so_far += 1
        pe.take(cycle, queue)
        cycle += 1
    pass_ = machine.activation_cycles * (groups + machine.activation_extra_groups)
    return max(pe.sums, closed) + pass_


def spartus_round(machine: Spartus, cell: QuantisedCell, number: int, x: list[bool], h: list[bool]) -> int:
    weights = weights_of_columns(cell)
    x_columns = list(range(cell.inputs)) if x else []
    h_columns = [cell.inputs + number * cell.hidden + k for k in range(cell.hidden)]
    places = [*padded(x, x_columns, machine.arrays), *padded(h, h_columns, machine.arrays)]
    queues: list[list[tuple[int, int]]] = [[] for _ in range(machine.arrays)]
    arrays = [Multiplier(machine.mac_latency_cycles) for _ in queues]
    place, cycle, closed = 0, 0, 0
    while place < len(places) or any(queues):
        if place < len(places):
            closed = cycle + machine.encoder_latency_cycles
            for sent, column in places[place : place + machine.input_rate]:
                if sent:
                    queues[place % machine.arrays].append(
                        (closed, fullest(weights[:, column], machine.array_pes))
                    )
                place += 1
        for array, queue in zip(arrays, queues, strict=True):
            array.take(cycle, queue)
        cycle += 1
    pass_ = machine.activation_stages + -(-cell.hidden // machine.activation_lanes) - 1
    return max(closed, *(array.sums for array in arrays)) + pass_


def padded(sent: Sequence[bool], columns: list[int], multiple: int) -> list[tuple[bool, int]]:
    return [*zip(sent, columns, strict=True), *([(False, -1)] * (-len(sent) % multiple))]


def fullest(column: NDArray[np.int16], pes: int) -> int:
    return max(1, *(int(np.count_nonzero(column[pe::pes])) for pe in range(pes)))

"""Layers of a shape alone: what time and energy of a step depend on, without weights of any value."""

from itertools import pairwise

import numpy as np

from deltawave.kernels.stationary_lstm import StationaryLstm
from deltawave.machines.muntaniala.compiled import MuntanialaCell
from deltawave.machines.muntaniala.machine import Muntaniala
from deltawave.numerics import ActivationTable, Fixed

BYTE = np.zeros((), np.int8)
FLAT = ActivationTable("flat", 0, np.zeros(1, np.int16))


def shaped_cell(
    machine: Muntaniala, name: str, inputs: int, hidden: int, source: str = "", *, peepholes: bool = True
) -> MuntanialaCell:
    """An LSTM whose weights are all zero and take no memory."""
    byte, word = Fixed(1, machine.state_bits - 1), Fixed(8, machine.accumulator_bits - 8)
    cell = StationaryLstm(
        weights_x=np.broadcast_to(BYTE, (4 * hidden, inputs)),
        weights_h=np.broadcast_to(BYTE, (4 * hidden, hidden)),
        bias=np.broadcast_to(np.zeros((), np.int32), (4 * hidden,)),
        peepholes=np.broadcast_to(BYTE, (3, hidden)) if peepholes else None,
        weight_fractions=(7, 7, 7),
        x=byte,
        h=byte,
        c=word,
        accumulator=word,
        table_fraction_bits=machine.table_fraction_bits,
        gate=FLAT,
        candidate=FLAT,
        output=FLAT,
    )
    return MuntanialaCell(name, cell, machine.units, source, np.zeros(inputs, np.int64))


def stacked_cells(machine: Muntaniala, sizes: tuple[int, ...]) -> list[MuntanialaCell]:
    """One layer behind the other. sizes: inputs, then hidden units layer by layer."""
    return [
        shaped_cell(machine, f"layer {n}", inputs, hidden, f"layer {n - 1}" if n else "")
        for n, (inputs, hidden) in enumerate(pairwise(sizes))
    ]

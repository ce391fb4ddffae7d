"""From a recurrent cell to a Brainwave program: the published LSTM program, and the other cells in its manner.

The arithmetic of every cell, operation by operation. `f16(...)` rounds to the nearest float16, ties to even; x, h and c
are float16. mv(M, v) = f16(product(M, v)): M in block floating point, one exponent for each native vector of a row; v
likewise, after infinities became +-65504 and NaN 0; the sums over native vectors in float32, in column order from zero
(`numerics.block_float.product`). gate, candidate and output are tables (`numerics.half_tables`). W, U: weights of x
and h; b_k = f16(bias_x + bias_h), summed in float64. For every gate k:

    t_k = f16(mv(W_k, x) + b_k)

LSTM, gates i, f, g, o; with peepholes p_i, p_f, p_o (else without the lines marked *):

    t_i = f16(f16(c * p_i) + t_i); t_f = f16(f16(c * p_f) + t_f)     *
    f = gate(f16(mv(U_f, h) + t_f)); i = gate(f16(mv(U_i, h) + t_i))
    g = candidate(f16(mv(U_g, h) + t_g))
    c = f16(f16(g * i) + f16(f * c))
    t_o = f16(f16(c * p_o) + t_o), with the new c                    *
    o = gate(f16(mv(U_o, h) + t_o)), with the old h
    h = f16(output(c) * o)

GRU, gates r, u, c; reset after the product: b_c = f16(bias_x), d = f16(bias_h) of that gate:

    r = gate(f16(mv(U_r, h) + t_r)); u = gate(f16(mv(U_u, h) + t_u))
    n = candidate(f16(f16(f16(mv(U_c, h) + d) * r) + t_c))
    h = f16(f16(f16(h - n) * u) + n)

GRU, reset before the product: as above, but n = candidate(f16(mv(U_c, f16(r * h)) + t_c)).

RNN: h = candidate(f16(mv(U, h) + t)).

What is not a whole number of native vectors is filled up: weights and peepholes with zeros, the biases before a
sigmoid with -infinity and others with zeros. So what fills h and c up stays zero, and changes no bit of the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import CapacityError
from deltawave.kernels.cell import CellKind
from deltawave.machines.base import Samples
from deltawave.machines.brainwave.cell_programs import MEMORIES
from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.compiled import BrainwaveCell, assemble_cell
from deltawave.machines.brainwave.isa import PER_MFU, Memory, Space
from deltawave.machines.brainwave.weights import halves, quantised
from deltawave.network.layers import Cell
from deltawave.numerics.block_float import BlockFloat

if TYPE_CHECKING:
    from deltawave.machines.brainwave.machine import Brainwave


def compile_cell(machine: Brainwave, name: str, cell: Cell, samples: Samples) -> BrainwaveCell:
    """Quantise one direction of a layer and write its program; nothing depends on `samples`.

    Raises CapacityError if the machine's memories are too small, OptionError for weights beyond float16.
    """
    number_format = BlockFloat(machine.mantissa_bits, machine.native_dim)
    kind: CellKind = "gru_before" if cell.kind == "gru" and cell.reset == "before" else cell.kind
    compiled = assemble_cell(
        name,
        kind,
        cell.inputs,
        (quantised(number_format, name, cell.weights_x), quantised(number_format, name, cell.weights_h)),
        halves(name, "bias", _memory_bias(cell, len(MEMORIES[kind]))),
        None if cell.peepholes is None else halves(name, "peephole", cell.peepholes),
        tuple(activation or "tanh" for activation in cell.activations),  # '': the cell has none
    )
    check_fit(machine, f"{name} needs", compiled.program.entries_used(), "a smaller layer")
    check(compiled.program, machine.limits)
    return compiled


def check_fit(machine: Brainwave, who: str, used: Mapping[Space, int], smaller: str) -> None:
    """Raise CapacityError where more of a memory is used than the machine has. `smaller`: what would need less."""
    native, mfus = machine.native_dim, 1 + max(mfu for _, mfu, _ in used)
    if mfus > machine.limits.mfus:
        raise CapacityError(f"{who} {mfus} MFUs, {machine.name} has {machine.limits.mfus}; set more mfus")
    for (memory, mfu, of_tiles), needed in used.items():
        entries = machine.limits.entries(memory)
        if needed > entries:
            what = f"tiles of {native} x {native}" if of_tiles else f"vectors of {native}"
            where = f"{memory.value}.{mfu}" if memory in PER_MFU else memory.value
            raise CapacityError(
                f"{who} {needed} {what} in {where}, {machine.name} has {entries}; "
                f"{_more_of(memory)}choose a larger machine or {smaller}"
            )


def _more_of(memory: Memory) -> str:
    """The option that makes a register file larger: the depths of VRFs are not published."""
    options = {
        Memory.INITIAL_VRF: "initial_vrf_entries",
        Memory.ADD_SUB_VRF: "add_sub_vrf_entries",
        Memory.MULTIPLY_VRF: "multiply_vrf_entries",
    }
    return f"set more {options[memory]}, " if memory in options else ""


def _memory_bias(cell: Cell, memories: int) -> NDArray[np.float64]:
    """A bias for each gate, float64 [memories, hidden]; a GRU that resets after the product has two for c."""
    x, h = (bias.astype(np.float64).reshape(-1, cell.hidden) for bias in (cell.bias_x, cell.bias_h))
    if memories == len(x):
        return x + h
    return np.stack([x[0] + h[0], x[1] + h[1], x[2], h[2]])

"""The programs of recurrent cells: the LSTM as published (ISCA 2018), the others in its manner.

Names: W and U are the weights of x and h, b biases, p peepholes; xW is what a gate hears besides h.
"""

from dataclasses import dataclass

from deltawave.machines.brainwave.assembler import (
    ADD_SUB_VRF,
    COLS,
    DRAM,
    INITIAL_VRF,
    MATRIX_RF,
    MULTIPLY_VRF,
    NETQ,
    ROWS,
    Assembled,
    Assembler,
)

GATES = {"lstm": "ifgo", "gru": "ruc", "gru_before": "ruc", "rnn": "h"}
"""Gates in the order of their rows."""

MEMORIES = {"lstm": "ifgo", "gru": "rucd", "gru_before": "ruc", "rnn": "h"}
"""Biases; d is what a GRU adds to its candidate's product with h before the reset."""

PEEPHOLES = "ifo"


@dataclass(frozen=True)
class CellShape:
    """What a cell's program depends on. inputs, hidden: in native vectors. activations: gate, candidate, output."""

    kind: str
    inputs: int
    hidden: int
    activations: tuple[str, str, str]
    has_peepholes: bool = False

    @property
    def tiles(self) -> int:
        """Tiles of its weights."""
        return len(GATES[self.kind]) * self.hidden * (self.inputs + self.hidden)

    @property
    def entries(self) -> int:
        """Native vectors that it makes."""
        return self.hidden

    @property
    def entries_read(self) -> int:
        """Native vectors that it reads from each source."""
        return self.inputs


def cell_program(shape: CellShape) -> Assembled:
    """The program: in every step it takes x from NetQ and sends h to NetQ.

    h is in InitialVrf as `h_prev`, an LSTM's c as `ct`. DRAM holds h, c, the biases, peepholes and weights.
    """
    npu = Assembler()
    with npu.preamble():
        write_preamble(npu, shape)
    with npu.body():
        write_step(npu, shape)
    return npu.assemble(vectors_per_step=shape.inputs)


def write_step(npu: Assembler, shape: CellShape, *, arrives: bool = True, leaves: bool = True) -> None:
    """A time step. `arrives`: x is in NetQ, else in InitialVrf as `xt`; `leaves`: h goes to NetQ, too."""
    npu.no_window()
    _inputs(npu, shape, arrives=arrives)
    {"lstm": _lstm, "gru": _gru_after, "gru_before": _gru_before, "rnn": _rnn}[shape.kind](npu, shape)
    if leaves:
        npu.v_wr(NETQ)


def write_preamble(npu: Assembler, shape: CellShape) -> None:
    """Loads weights, biases and the initial state."""
    npu.no_window()
    npu.s_wr(ROWS, shape.hidden)
    for weights, cols in (("W", shape.inputs), ("U", shape.hidden)):
        npu.s_wr(COLS, cols)
        for gate in GATES[shape.kind]:
            npu.m_rd(DRAM, weights + gate)
            npu.m_wr(MATRIX_RF, weights + gate)
    for gate in MEMORIES[shape.kind]:
        npu.v_rd(DRAM, f"b{gate}")
        npu.v_wr(ADD_SUB_VRF, f"b{gate}")
    for gate in PEEPHOLES if shape.has_peepholes else "":
        npu.v_rd(DRAM, f"p{gate}")
        npu.v_wr(MULTIPLY_VRF, f"p{gate}")
    _initial_state(npu, shape)


def _initial_state(npu: Assembler, shape: CellShape) -> None:
    npu.v_rd(DRAM, "h_prev")
    npu.v_wr(INITIAL_VRF, "h_prev")
    if shape.kind == "gru_before":
        npu.v_wr(MULTIPLY_VRF, "h_prev")
    if shape.kind == "lstm":
        npu.v_rd(DRAM, "c_prev")
        npu.v_wr(MULTIPLY_VRF, "c_prev")
        npu.v_wr(INITIAL_VRF, "ct")


def _inputs(npu: Assembler, shape: CellShape, *, arrives: bool) -> None:
    """xW = W x + b of every gate."""
    npu.s_wr(ROWS, shape.hidden)
    npu.s_wr(COLS, shape.inputs)
    if arrives:
        npu.v_rd(NETQ)
        npu.v_wr(INITIAL_VRF, "xt")
    for gate in GATES[shape.kind]:
        npu.v_rd(INITIAL_VRF, "xt")
        npu.mv_mul(f"W{gate}")
        npu.vv_add(f"b{gate}")
        npu.v_wr(ADD_SUB_VRF, f"xW{gate}")
    npu.s_wr(COLS, shape.hidden)


def _gate(npu: Assembler, gate: str, activation: str, source: str = "h_prev") -> None:
    """A chain, left open: activation(U h + xW)."""
    npu.v_rd(INITIAL_VRF, source)
    npu.mv_mul(f"U{gate}")
    npu.vv_add(f"xW{gate}")
    npu.activate(activation)


def _peephole(npu: Assembler, shape: CellShape, gate: str) -> None:
    if shape.has_peepholes:
        npu.v_rd(INITIAL_VRF, "ct")
        npu.vv_mul(f"p{gate}")
        npu.vv_add(f"xW{gate}")
        npu.v_wr(ADD_SUB_VRF, f"xW{gate}")


def _lstm(npu: Assembler, shape: CellShape) -> None:
    gate, _, output = shape.activations
    _peephole(npu, shape, "f")
    _gate(npu, "f", gate)
    npu.vv_mul("c_prev")
    npu.v_wr(ADD_SUB_VRF, "ft_mod")
    _peephole(npu, shape, "i")
    _gate(npu, "i", gate)
    npu.v_wr(MULTIPLY_VRF, "it")
    # as published the output gate comes first, but its peephole sees the new c
    for chain in (_cell_state, _output_gate) if shape.has_peepholes else (_output_gate, _cell_state):
        chain(npu, shape)
    npu.v_rd(INITIAL_VRF, "ct")
    npu.activate(output)
    npu.vv_mul("ot")
    npu.v_wr(INITIAL_VRF, "h_prev")


def _cell_state(npu: Assembler, shape: CellShape) -> None:
    _gate(npu, "g", shape.activations[1])
    npu.vv_mul("it")
    npu.vv_add("ft_mod")
    npu.v_wr(MULTIPLY_VRF, "c_prev")
    npu.v_wr(INITIAL_VRF, "ct")


def _output_gate(npu: Assembler, shape: CellShape) -> None:
    _peephole(npu, shape, "o")
    _gate(npu, "o", shape.activations[0])
    npu.v_wr(MULTIPLY_VRF, "ot")


def _gru_after(npu: Assembler, shape: CellShape) -> None:
    gate, candidate, _ = shape.activations
    for name in "ru":
        _gate(npu, name, gate)
        npu.v_wr(MULTIPLY_VRF, name)
    npu.v_rd(INITIAL_VRF, "h_prev")
    npu.mv_mul("Uc")
    npu.vv_add("bd")
    npu.vv_mul("r")
    npu.vv_add("xWc")
    npu.activate(candidate)
    npu.v_wr(ADD_SUB_VRF, "n")
    _update(npu)
    npu.v_wr(INITIAL_VRF, "h_prev")


def _gru_before(npu: Assembler, shape: CellShape) -> None:
    gate, candidate, _ = shape.activations
    _gate(npu, "r", gate)
    npu.vv_mul("h_prev")
    npu.v_wr(INITIAL_VRF, "rh")
    _gate(npu, "u", gate)
    npu.v_wr(MULTIPLY_VRF, "u")
    _gate(npu, "c", candidate, source="rh")
    npu.v_wr(ADD_SUB_VRF, "n")
    _update(npu)
    npu.v_wr(MULTIPLY_VRF, "h_prev")
    npu.v_wr(INITIAL_VRF, "h_prev")


def _update(npu: Assembler) -> None:
    """A chain, left open: (h - n) * u + n. Both MFUs read n."""
    npu.v_rd(INITIAL_VRF, "h_prev")
    npu.vv_a_sub_b("n")
    npu.vv_mul("u")
    npu.vv_add("n")


def _rnn(npu: Assembler, shape: CellShape) -> None:
    _gate(npu, "h", shape.activations[1])
    npu.v_wr(INITIAL_VRF, "h_prev")

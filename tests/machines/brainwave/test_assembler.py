"""The published LSTM program, typed as published, computes an LSTM; what the assembler refuses."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import OptionError
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
from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.compiled import tiles_of
from deltawave.machines.brainwave.isa import Memory, Opcode, chains
from deltawave.machines.brainwave.semantics import Interpreter, Tiles
from deltawave.network.layers import Cell
from deltawave.numerics.block_float import BlockFloat
from machines.brainwave.cells import SmallMachine, compiled, frames, random_cell

NATIVE, BITS, STEPS = 4, 5, 3


def published_lstm(tiles: int) -> Assembled:
    """One program for input and state of the same size, `tiles` native vectors (ISCA 2018)."""
    npu = Assembler()
    with npu.preamble():
        npu.s_wr(ROWS, tiles)
        npu.s_wr(COLS, tiles)
        for name in ("Wf", "Wi", "Wo", "Wc", "Uf", "Ui", "Uo", "Uc"):
            npu.m_rd(DRAM, name)
            npu.m_wr(MATRIX_RF, name)
        for name in ("bf", "bi", "bo", "bc"):
            npu.v_rd(DRAM, name)
            npu.v_wr(ADD_SUB_VRF, name)
        npu.v_rd(DRAM, "zero")
        npu.v_wr(INITIAL_VRF, "h_prev")
        npu.v_wr(MULTIPLY_VRF, "c_prev")
    with npu.body():
        npu.s_wr(ROWS, tiles)
        npu.s_wr(COLS, tiles)
        npu.v_rd(NETQ)
        npu.v_wr(INITIAL_VRF, "xt")
        # xWf = xt * Wf + bf
        npu.v_rd(INITIAL_VRF, "xt")
        npu.mv_mul("Wf")
        npu.vv_add("bf")
        npu.v_wr(ADD_SUB_VRF, "xWf")
        # xWi = xt * Wi + bi
        npu.v_rd(INITIAL_VRF, "xt")
        npu.mv_mul("Wi")
        npu.vv_add("bi")
        npu.v_wr(ADD_SUB_VRF, "xWi")
        # xWo = xt * Wo + bo
        npu.v_rd(INITIAL_VRF, "xt")
        npu.mv_mul("Wo")
        npu.vv_add("bo")
        npu.v_wr(ADD_SUB_VRF, "xWo")
        # xWc = xt * Wc + bc
        npu.v_rd(INITIAL_VRF, "xt")
        npu.mv_mul("Wc")
        npu.vv_add("bc")
        npu.v_wr(ADD_SUB_VRF, "xWc")
        # f gate -> multiply by c_prev
        npu.v_rd(INITIAL_VRF, "h_prev")
        npu.mv_mul("Uf")
        npu.vv_add("xWf")
        npu.v_sigm()
        npu.vv_mul("c_prev")
        npu.v_wr(ADD_SUB_VRF, "ft_mod")
        # i gate
        npu.v_rd(INITIAL_VRF, "h_prev")
        npu.mv_mul("Ui")
        npu.vv_add("xWi")
        npu.v_sigm()
        npu.v_wr(MULTIPLY_VRF, "it")
        # o gate
        npu.v_rd(INITIAL_VRF, "h_prev")
        npu.mv_mul("Uo")
        npu.vv_add("xWo")
        npu.v_sigm()
        npu.v_wr(MULTIPLY_VRF, "ot")
        # c gate -> store ct and c_prev
        npu.v_rd(INITIAL_VRF, "h_prev")
        npu.mv_mul("Uc")
        npu.vv_add("xWc")
        npu.v_tanh()
        npu.vv_mul("it")
        npu.vv_add("ft_mod")
        npu.v_wr(MULTIPLY_VRF, "c_prev")
        npu.v_wr(INITIAL_VRF, "ct")
        # produce ht, store and send to network
        npu.v_rd(INITIAL_VRF, "ct")
        npu.v_tanh()
        npu.vv_mul("ot")
        npu.v_wr(INITIAL_VRF, "h_prev")
        npu.v_wr(NETQ)
    return npu.assemble(vectors_per_step=tiles)


def run(program: Assembled, cell: Cell, x: np.ndarray) -> np.ndarray:
    """h of every step, float16 [steps, hidden]; the cell's sizes are whole native vectors."""
    number = BlockFloat(BITS, NATIVE)
    npu = Interpreter(program.program, number)
    gates = {gate: slice(k * cell.hidden, (k + 1) * cell.hidden) for k, gate in enumerate("ifco")}
    tiles = [
        tiles_of(number.quantise(weights), gates[gate])
        for weights in (cell.weights_x, cell.weights_h)
        for gate in "fioc"
    ]
    bias = cell.bias_x.astype(np.float64) + cell.bias_h
    vectors = [bias[gates[gate]] for gate in "fioc"] + [np.zeros(cell.hidden)]
    npu.state.load_dram(
        np.concatenate(vectors).astype(np.float16).reshape(-1, NATIVE),
        Tiles.joined(tiles),
    )
    npu.run("preamble")
    outputs = []
    for step in x.astype(np.float16):
        npu.state.arriving.extend(step.reshape(-1, NATIVE))
        npu.run("body")
        outputs.append(npu.state.take_outputs())
    return np.stack(outputs)


@settings(deadline=None, max_examples=10)
@given(st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_the_published_program_is_an_lstm(tiles: int, seed: int) -> None:
    published = published_lstm(tiles)
    check(published.program, SmallMachine.limits)
    cell = random_cell("lstm", tiles * NATIVE, tiles * NATIVE, seed)
    x = frames(STEPS, cell.inputs, seed)
    expected, _ = compiled(SmallMachine(NATIVE, BITS), cell).executor(plain=True).run(x)
    assert np.array_equal(run(published, cell, x), expected)


def test_the_compiled_lstm_has_the_published_chains() -> None:
    """Up to the order of gates and their matrices: the same opcodes and memories, chain by chain."""

    def shapes(body: tuple[object, ...]) -> list[list[tuple[Opcode, Memory | None, int]]]:
        return sorted(
            ([(i.opcode, i.memory, i.mfu) for i in chain.instructions] for chain in chains(body)),  # type: ignore[arg-type]
            key=str,
        )

    ours = compiled(SmallMachine(NATIVE), random_cell("lstm", 8, 8, 0)).program
    assert shapes(ours.body) == shapes(published_lstm(2).program.body)


def test_what_the_second_mfu_adds_is_written_to_the_second_mfu() -> None:
    body = published_lstm(1).program.body
    writes = [str(i).rsplit(" ", 1)[0] for i in body if i.opcode is Opcode.V_WR]
    assert writes.count("v_wr AddSubVrf.1") == 1
    assert writes.count("v_wr AddSubVrf.0") == 4


def test_an_operand_of_both_mfus_is_written_to_both() -> None:
    npu = Assembler()
    with npu.body():
        npu.s_wr(ROWS, 1)
        npu.s_wr(COLS, 1)
        npu.v_rd(NETQ)
        npu.v_wr(ADD_SUB_VRF, "a")
        npu.v_rd(NETQ)
        npu.vv_add("a")
        npu.vv_max("a")
        npu.v_wr(NETQ)
    program = npu.assemble(vectors_per_step=2).program
    assert [str(i) for i in program.body[2:6]] == [
        "v_rd NetQ",
        "v_wr AddSubVrf.0 0",
        "v_wr AddSubVrf.1 0",
        "end_chain",
    ]


def outside(npu: Assembler) -> None:
    npu.v_tanh()


def nameless(npu: Assembler) -> None:
    with npu.body():
        npu.v_rd(DRAM)


def named_queue(npu: Assembler) -> None:
    with npu.body():
        npu.v_rd(NETQ, "x")


def grown(npu: Assembler) -> None:
    with npu.body():
        npu.s_wr(COLS, 1)
        npu.v_rd(NETQ)
        npu.v_wr(INITIAL_VRF, "x")
        npu.s_wr(COLS, 2)
        npu.v_rd(INITIAL_VRF, "x")
        npu.v_wr(NETQ)


def assembled(typed: Callable[[Assembler], None]) -> Assembled:
    npu = Assembler()
    typed(npu)
    return npu.assemble()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (outside, "v_tanh stands outside of the preamble and the body"),
        (nameless, "v_rd takes a name for its place in DRAM"),
        (named_queue, "v_rd takes no name here; it was given x"),
        (grown, "x has 1 entries of InitialVrf; 2 are used"),
    ],
)
def test_programs_that_cannot_be_assembled(typed: Callable[[Assembler], None], message: str) -> None:
    with pytest.raises(OptionError) as error:
        assembled(typed)
    assert str(error.value) == message

"""The published LSTM program, typed as published, computes an LSTM; what the assembler refuses."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deltawave.errors import OptionError
from deltawave.machines.brainwave.assembler import (
    ADD_SUB_VRF,
    COLS,
    DRAM,
    INITIAL_VRF,
    NETQ,
    ROWS,
    Assembled,
    Assembler,
)
from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.isa import Memory, Opcode, chains
from deltawave.machines.brainwave.listing import parse
from deltawave.machines.brainwave.semantics import Interpreter, Tiles
from deltawave.machines.brainwave.tiles import tiles_of
from deltawave.network.layers import Cell
from deltawave.numerics.block_float import BlockFloat
from machines.brainwave.cells import SmallMachine, compiled, frames, random_cell

EXAMPLES = Path(__file__).parents[3] / "examples" / "brainwave"
NATIVE, BITS, STEPS = 4, 5, 3


@pytest.fixture
def published_lstm(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Assembled]:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return importlib.import_module("published_lstm").published_lstm


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


@pytest.mark.parametrize("tiles", [1, 2, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_published_program_is_an_lstm(
    published_lstm: Callable[[int], Assembled], tiles: int, seed: int
) -> None:
    published = published_lstm(tiles)
    check(published.program, SmallMachine.limits)
    cell = random_cell("lstm", tiles * NATIVE, tiles * NATIVE, seed)
    x = frames(STEPS, cell.inputs, seed)
    expected, _ = compiled(SmallMachine(NATIVE, BITS), cell).executor(plain=True).run(x)
    assert np.array_equal(run(published, cell, x), expected)


def test_the_compiled_lstm_has_the_published_chains(published_lstm: Callable[[int], Assembled]) -> None:
    """Up to the order of gates and their matrices: the same opcodes and memories, chain by chain."""

    def shapes(body: tuple[object, ...]) -> list[list[tuple[Opcode, Memory | None, int]]]:
        return sorted(
            ([(i.opcode, i.memory, i.mfu) for i in chain.instructions] for chain in chains(body)),  # type: ignore[arg-type]
            key=str,
        )

    ours = compiled(SmallMachine(NATIVE), random_cell("lstm", 8, 8, 0)).program
    assert shapes(ours.body) == shapes(published_lstm(2).program.body)


def test_what_the_second_mfu_adds_is_written_to_the_second_mfu(
    published_lstm: Callable[[int], Assembled],
) -> None:
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


def test_the_example_prints_a_listing_of_the_program(published_lstm: Callable[[int], Assembled]) -> None:
    command = [sys.executable, EXAMPLES / "published_lstm.py", "2"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert parse(printed) == published_lstm(2).program


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

"""Each instruction, alone, against scalars."""

import math
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.isa import BwProgram, Instruction, Memory, Opcode, Register
from deltawave.machines.brainwave.listing import parse
from deltawave.machines.brainwave.semantics import Interpreter, Tiles, multiply
from deltawave.numerics.block_float import BlockFloat
from machines.brainwave.random_programs import LIMITS

HALF = st.floats(width=16)
NUMBER = BlockFloat(4, 2)
OPERATIONS = {
    Opcode.VV_ADD: lambda a, b: a + b,
    Opcode.VV_A_SUB_B: lambda a, b: a - b,
    Opcode.VV_B_SUB_A: lambda a, b: b - a,
    Opcode.VV_MAX: lambda a, b: math.nan if math.isnan(a) or math.isnan(b) else max(a, b),
    Opcode.VV_MUL: lambda a, b: a * b,
}


def rounded(value: float) -> float:
    """The nearest float16; an overflow is an infinity."""
    try:
        return struct.unpack("e", struct.pack("e", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def run(text: str, *arriving: list[float], tiles: Tiles | None = None) -> list[float]:
    """What a body sends in one step; its registers are 1 x 1 and its vectors have two elements."""
    counts = f"vectors_per_step {len(arriving)}\n" + ("tiles_before 1\n" if tiles else "")
    load = "m_rd NetQ\n m_wr MatrixRf 0\n end_chain\n" if tiles else ""
    registers = "s_wr rows 1\n s_wr cols 1\n"
    program = parse(f"{counts}preamble\n {registers}{load}body\n {registers}{text}\n end_chain")
    check(program, LIMITS)
    npu = Interpreter(program, NUMBER)
    npu.state.arriving_tiles.extend([tiles] if tiles else [])
    npu.run("preamble")
    npu.state.arriving.extend(np.array(vector, np.float16) for vector in arriving)
    npu.run("body")
    return npu.state.take_outputs().tolist()


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(list(OPERATIONS)),
    st.lists(HALF, min_size=2, max_size=2),
    st.lists(HALF, min_size=2, max_size=2),
)
def test_pointwise_operations_round_once(opcode: Opcode, a: list[float], b: list[float]) -> None:
    memory = "MultiplyVrf.0" if opcode is Opcode.VV_MUL else "AddSubVrf.0"
    sent = run(f"v_rd NetQ\n v_wr {memory} 3\n end_chain\n v_rd NetQ\n {opcode.value} 3\n v_wr NetQ", b, a)
    expected = [rounded(OPERATIONS[opcode](p, q)) for p, q in zip(a, b, strict=True)]
    assert np.array_equal(sent, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("v_relu", [0.0, 2.0]),
        ("v_sigm", [rounded(1 / (1 + math.e)), rounded(1 / (1 + math.exp(-2)))]),
        ("v_tanh", [rounded(math.tanh(-1)), rounded(math.tanh(2))]),
    ],
)
def test_activations(name: str, expected: list[float]) -> None:
    assert run(f"v_rd NetQ\n {name}\n v_wr NetQ", [-1.0, 2.0]) == expected


def test_a_multicast_writes_everywhere() -> None:
    text = "v_rd NetQ\n v_wr InitialVrf 1\n v_wr AddSubVrf.0 2\n v_wr NetQ\n end_chain\n"
    assert run(text + "v_rd InitialVrf 1\n vv_add 2\n v_wr NetQ", [1.0, 2.5]) == [1.0, 2.5, 2.0, 5.0]


def test_operands_are_read_before_the_chain_writes() -> None:
    text = (
        "v_rd NetQ\n v_wr AddSubVrf.0 0\n end_chain\n v_rd NetQ\n vv_add 0\n v_wr AddSubVrf.0 0\n v_wr NetQ"
    )
    assert run(text, [1.0, 2.0], [10.0, 20.0]) == [11.0, 22.0]


def test_a_tile_of_the_network_queue_multiplies() -> None:
    tile = Tiles(np.array([[[8, 4], [0, -8]]], np.int8), np.array([[0, 1]], np.int8))  # [[1, .5], [0, -2]]
    assert run("v_rd NetQ\n mv_mul 0\n v_wr NetQ", [2.0, 4.0], tiles=tile) == [4.0, -8.0]


def test_the_multiplier_takes_infinities_as_the_largest_number_and_nan_as_zero() -> None:
    tile = Tiles(np.array([[[8, 0], [0, 8]]], np.int8), np.array([[0, 0]], np.int8))
    largest = run("v_rd NetQ\n mv_mul 0\n v_wr NetQ", [65504.0, 0.0], tiles=tile)
    assert run("v_rd NetQ\n mv_mul 0\n v_wr NetQ", [math.inf, math.nan], tiles=tile) == largest


def test_a_matrix_of_tiles_multiplies_row_by_row() -> None:
    rng = np.random.default_rng(0)
    number = BlockFloat(5, 3)
    matrix = number.quantise(rng.integers(-5, 6, (6, 9)))  # small integers are exact
    tiles = [matrix.mantissas[3 * r : 3 * r + 3, c] for r in range(2) for c in range(3)]
    exponents = [matrix.exponents[3 * r : 3 * r + 3, c] for r in range(2) for c in range(3)]
    vector = rng.integers(-5, 6, (3, 3)).astype(np.float16)
    out = multiply(number, Tiles(np.stack(tiles), np.stack(exponents)), 2, vector)
    assert out.ravel().tolist() == (matrix.values() @ vector.ravel().astype(np.float64)).tolist()


def test_vectors_and_tiles_have_index_spaces_of_their_own_in_dram() -> None:
    text = """
        dram_vectors 1
        dram_tiles 1
        preamble
          s_wr rows 1
          s_wr cols 1
          m_rd DRAM 0
          m_wr DRAM 1
          end_chain
          v_rd DRAM 0
          v_wr DRAM 1
          end_chain
        body
    """
    program = parse(text)
    check(program, LIMITS)
    npu = Interpreter(program, NUMBER)
    tile = Tiles(np.array([[[1, 2], [3, 4]]], np.int8), np.array([[5, 6]], np.int8))
    npu.state.load_dram(np.array([[7, 8]], np.float16), tile)
    npu.run("preamble")
    assert npu.state.vectors[Memory.DRAM, 0].tolist() == [[7, 8], [7, 8]]
    assert npu.state.tiles[Memory.DRAM].mantissas.tolist() == 2 * [[[1, 2], [3, 4]]]
    assert npu.state.tiles[Memory.DRAM].exponents.tolist() == 2 * [[5, 6]]


def test_a_chain_without_a_product_is_as_wide_as_cols() -> None:
    read, write = Instruction(Opcode.V_RD, Memory.NETQ), Instruction(Opcode.V_WR, Memory.NETQ)
    registers = (
        Instruction(Opcode.S_WR, register=Register.ROWS, value=1),
        Instruction(Opcode.S_WR, register=Register.COLS, value=3),
    )
    program = BwProgram((), (*registers, read, write, Instruction(Opcode.END_CHAIN)), vectors_per_step=3)
    check(program, LIMITS)
    npu = Interpreter(program, NUMBER)
    npu.state.arriving.extend(np.arange(6, dtype=np.float16).reshape(3, 2))
    npu.run("body")
    assert npu.state.take_outputs().tolist() == [0, 1, 2, 3, 4, 5]

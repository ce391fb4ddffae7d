"""Chains under windows: against a machine in scalars, and convolutions and pools against their definitions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import OptionError
from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.isa import BwProgram, Limits, Memory, Window
from deltawave.machines.brainwave.listing import parse
from deltawave.machines.brainwave.semantics import Interpreter, Tiles
from deltawave.machines.brainwave.windows import in_entries, of_windows, packed_map, plane_map, unroll
from deltawave.numerics.block_float import BlockFloat
from machines.brainwave.random_programs import ENTRIES, LIMITS, NATIVE, TILES, programs, windows
from machines.brainwave.scalar_cells import blocks, f16
from machines.brainwave.scalar_machine import ScalarMachine

BITS = 3
VALUES = [0.0, -0.0, 65504.0, -65504.0, np.inf, -np.inf, np.nan, 2**-24]


def random_vectors(rng: np.random.Generator, count: int) -> np.ndarray:
    """Of all magnitudes, and now and then what only few numbers are."""
    wide = np.ldexp(rng.normal(size=(count, NATIVE)), rng.integers(-12, 13, (count, 1)))
    return np.where(rng.random(wide.shape) < 0.05, rng.choice(VALUES, wide.shape), wide).astype(np.float16)


def random_tiles(rng: np.random.Generator) -> Tiles:
    highest = 2**BITS - 1
    mantissas = rng.integers(-highest, highest + 1, (TILES, NATIVE, NATIVE))
    return Tiles(mantissas.astype(np.int8), rng.integers(-15, 17, (TILES, NATIVE)).astype(np.int8))


def twins(program: BwProgram, rng: np.random.Generator) -> tuple[Interpreter, ScalarMachine]:
    """The interpreter and the machine in scalars, with the same in DRAM."""
    npu, scalar = Interpreter(program, BlockFloat(BITS, NATIVE)), ScalarMachine(program, NATIVE, BITS)
    vectors, tiles = random_vectors(rng, ENTRIES), random_tiles(rng)
    npu.state.load_dram(vectors, tiles)
    for k, vector in enumerate(vectors.tolist()):
        scalar.vectors[Memory.DRAM, 0, k] = vector
    for k in range(TILES):
        units = (tiles.exponents[k].astype(int) + 1 - BITS).tolist()
        scalar.tiles[Memory.DRAM, k] = list(zip(tiles.mantissas[k].tolist(), units, strict=True))
    return npu, scalar


@settings(deadline=None, max_examples=150)
@given(programs(), st.integers(0, 2**32 - 1))
def test_the_interpreter_and_a_machine_in_scalars_send_the_same(program: BwProgram, seed: int) -> None:
    check(program, LIMITS)
    rng = np.random.default_rng(seed)
    npu, scalar = twins(program, rng)
    npu.run("preamble")
    scalar.run("preamble")
    for _ in range(2):
        arriving = random_vectors(rng, program.vectors_per_step)
        npu.state.arriving.extend(arriving)
        scalar.arriving += arriving.tolist()
        npu.run("body")
        scalar.run("body")
        assert not npu.state.arriving
        assert not scalar.arriving
    sent = np.array(scalar.leaving, np.float16).ravel()
    assert np.array_equal(npu.state.take_outputs(), sent, equal_nan=True)
    for (memory, mfu, index), vector in scalar.vectors.items():
        assert np.array_equal(
            npu.state.vectors[memory, mfu][index], np.array(vector, np.float16), equal_nan=True
        )


@settings(deadline=None, max_examples=50)
@given(windows(), st.integers(1, 3), st.integers(0, 2**32 - 1))
def test_what_a_chain_writes_is_the_map_that_the_next_one_reads(
    window: Window, vectors: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    value = rng.normal(size=(window.count, vectors, NATIVE)).astype(np.float16)
    next_map = Window(
        NATIVE, window.rows, window.columns, vectors * NATIVE, rows=window.rows, columns=window.columns
    )
    pixels = value.reshape(window.rows, window.columns, -1)
    entries = in_entries(value)
    assert np.array_equal(of_windows(entries, window.count), value)
    assert np.array_equal(plane_map(next_map, entries), pixels)
    assert np.array_equal(unroll(next_map, pixels), value)
    assert np.array_equal(packed_map(next_map, pixels.reshape(-1, NATIVE)), pixels)


LARGE = Limits(
    native_dim=4, mrf_entries=64, initial_vrf_entries=400, add_sub_vrf_entries=400, multiply_vrf_entries=1
)
NUMBER = BlockFloat(BITS, 4)
CONVOLUTION = """
    # 5 x 6 pixels of 3 channels, packed: 23 vectors; padded by 1 row and 2 columns; 3 x 2 kernel, 6 filters
    vectors_per_step 23
    dram_vectors 2
    dram_tiles 10
    window native=4 height=5 width=6 channels=3 kernel_height=3 kernel_width=2 row_stride=2 column_dilation=3 \
top=1 left=2 rows=3 columns=7
    preamble
      s_wr rows 2
      s_wr cols 5
      m_rd DRAM 0
      m_wr MatrixRf 0
      end_chain
      s_wr cols 2
      v_rd DRAM 0
      v_wr AddSubVrf.0 0
      end_chain
    body
      s_wr rows 2
      s_wr cols 5
      s_wr window 1
      v_rd NetQ
      mv_mul 0
      vv_add 0
      v_relu
      v_wr NetQ
      end_chain
"""


def to_tiles(weights: np.ndarray, rows: int, cols: int) -> Tiles:
    """A matrix of values as rows x cols native tiles, filled up with zeros."""
    full = np.zeros((4 * rows, 4 * cols))
    full[: weights.shape[0], : weights.shape[1]] = weights
    held = NUMBER.quantise(full)
    mantissas = held.mantissas.reshape(rows, 4, cols, 4).swapaxes(1, 2).reshape(-1, 4, 4)
    return Tiles(mantissas, held.exponents.reshape(rows, 4, cols).swapaxes(1, 2).reshape(-1, 4))


def convolved(image: np.ndarray, weights: np.ndarray, y: int, x: int) -> list[float]:
    """A pixel of the convolution, filter by filter, each product of blocks an exact fraction."""
    window = []
    for j in range(3):
        for i in range(2):
            row, column = 2 * y - 1 + j, x - 2 + 3 * i
            inside = 0 <= row < 5 and 0 <= column < 6
            window += image[row, column].tolist() if inside else [0.0, 0.0, 0.0]
    heard = blocks([*window, 0.0, 0.0], 4, BITS)
    products = []
    for filter_weights in weights.tolist():
        total = np.float32(0)
        for (a, unit_a), (b, unit_b) in zip(blocks([*filter_weights, 0.0, 0.0], 4, BITS), heard, strict=True):
            exact = sum(p * q for p, q in zip(a, b, strict=True)) * Fraction(2) ** (unit_a + unit_b)
            total += np.float32(exact)
        products.append(f16(float(total)))
    return products


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32 - 1))
def test_a_convolution_is_what_its_definition_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(5, 6, 3)).astype(np.float16)
    weights = rng.normal(size=(6, 3 * 2 * 3))
    bias = rng.normal(size=6).astype(np.float16)
    program = parse(CONVOLUTION)
    check(program, LARGE)
    npu = Interpreter(program, NUMBER)
    npu.state.load_dram(np.append(bias, [0, 0]).astype(np.float16).reshape(2, 4), to_tiles(weights, 2, 5))
    npu.run("preamble")
    npu.state.arriving.extend(np.append(image, [0, 0]).astype(np.float16).reshape(-1, 4))
    npu.run("body")
    planes = npu.state.take_outputs().reshape(2, 3, 7, 4)
    for y in range(3):
        for x in range(7):
            sums = [f16(a + b) for a, b in zip(convolved(image, weights, y, x), bias.tolist(), strict=True)]
            expected = [max(value, 0.0) for value in sums]
            assert [*planes[0, y, x], *planes[1, y, x]] == [*expected, 0.0, 0.0]


def pool_program() -> BwProgram:
    """The maximum over 2 x 2 pixels, two apart, of a map of 3 x 4 pixels padded by one: a window for each position."""
    size = "native=4 height=3 width=4 channels=5 row_stride=2 column_stride=2"
    places = [(top, left) for top in (1, 0) for left in (1, 0)]
    declared = [f"window {size} top={t} left={x} rows=2 columns=3 lowest=1" for t, x in places]
    chains = ["s_wr window 1", "v_rd InitialVrf 3", "v_wr AddSubVrf.0 7", "end_chain"]
    for number in (2, 3, 4):
        chains += [
            f"s_wr window {number}",
            "v_rd InitialVrf 3",
            "vv_max 7 each",
            "v_wr AddSubVrf.0 7",
            "v_wr NetQ",
        ]
        chains += ["end_chain"]
    registers = ["s_wr rows 1", "s_wr cols 24", "v_rd NetQ", "v_wr InitialVrf 3", "end_chain", "s_wr cols 2"]
    lines = ["vectors_per_step 24", *declared, "preamble", "body", *registers, *chains]
    return parse("\n".join(lines))


def test_a_maximum_over_window_positions_is_a_pool() -> None:
    program = pool_program()
    check(program, LARGE)
    npu = Interpreter(program, NUMBER)
    values = -1 - np.random.default_rng(0).permutation(3 * 4 * 5).reshape(3, 4, 5).astype(np.float16)
    planes = np.zeros((2, 3, 4, 4), np.float16)
    planes[0], planes[1, ..., 0] = values[..., :4], values[..., 4]
    npu.state.arriving.extend(planes.reshape(-1, 4))
    npu.run("body")
    last = npu.state.take_outputs().reshape(3, 2, 2, 3, 4)[2]
    for y in range(2):
        for x in range(3):
            pixels = values[max(0, 2 * y - 1) : 2 * y + 1, max(0, 2 * x - 1) : 2 * x + 1]
            assert [*last[0, y, x], last[1, y, x, 0]] == pixels.max(axis=(0, 1)).tolist()


def test_operands_for_all_windows_are_read_before_the_first_write() -> None:
    text = """
        vectors_per_step 3
        window native=4 height=1 width=3 channels=4 kernel_width=2 columns=2
        preamble
        body
          s_wr rows 1
          s_wr cols 3
          v_rd NetQ
          v_wr InitialVrf 0
          end_chain
          s_wr cols 2
          s_wr window 1
          v_rd InitialVrf 0
          v_wr InitialVrf 0
          v_wr NetQ
          end_chain
    """
    program = parse(text)
    check(program, LARGE)
    npu = Interpreter(program, NUMBER)
    npu.state.arriving.extend(np.repeat(np.array([[1], [2], [3]], np.float16), 4, axis=1))
    npu.run("body")
    assert npu.state.take_outputs()[::4].tolist() == [1, 2, 2, 3]
    assert npu.state.vectors[Memory.INITIAL_VRF, 0][:, 0].tolist() == [1, 2, 2, 3]


def test_a_window_far_from_its_map_sees_nothing_of_it() -> None:
    far = Window(4, 1, 1, 3, top=1 << 23, left=-(1 << 23), rows=2, columns=2, row_stride=1 << 22)
    assert unroll(far, np.ones((1, 1, 3), np.float16)).tolist() == 4 * [[[0, 0, 0, 0]]]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"height": 0}, "window: height = 0 is out of range; it goes from 1 to 16777215"),
        (
            {"row_stride": 1 << 24},
            "window: row_stride = 16777216 is out of range; it goes from 1 to 16777215",
        ),
        ({"left": 1 << 24}, "window: left = 16777216 is out of range; it goes from -16777215 to 16777215"),
        ({"top": -(1 << 24)}, "window: top = -16777216 is out of range; it goes from -16777215 to 16777215"),
        ({"lowest": 2}, "window: lowest = 2 is out of range; it goes from 0 to 1"),
    ],
)
def test_impossible_windows(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(OptionError) as error:
        Window(**{"native": 4, "height": 1, "width": 1, "channels": 1, **sizes})
    assert str(error.value) == message

"""The native block floating point cell against its arithmetic in NumPy: the same bits for any cell, input and path."""

import gc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import InputError, OptionError
from deltawave.kernels.block_float_cell import KINDS, BlockFloatCell, NativeBlockFloatCell
from deltawave.kernels.cell import CellKind
from deltawave.machines.brainwave.compiled import BrainwaveCell
from deltawave.machines.brainwave.executors import PlainExecutor
from deltawave.numerics.block_float import BlockFloat
from kernels.block_float_twin import Case, Twin, cases, halves, random_cell, same_bits

FORM = BlockFloat(2, 400)
EVERY_HALF = np.arange(1 << 16, dtype=np.uint16).view(np.float16)


def cell_of(kind: CellKind = "gru", inputs: int = 3, hidden: int = 5) -> BlockFloatCell:
    return random_cell(np.random.default_rng(0), kind, inputs, hidden, FORM)


def has(simd: str) -> bool:
    """Whether this machine has these vector instructions."""
    try:
        NativeBlockFloatCell(cell_of(), simd=simd)
    except OptionError:
        return False
    return True


PATHS = [simd for simd in ("scalar", "avx2", "avx512") if has(simd)]


@pytest.mark.parametrize("simd", PATHS)
@given(case=cases(), threads=st.sampled_from([1, 1, 2, 3]))
@settings(deadline=None, max_examples=80)
def test_run_equals_the_arithmetic(simd: str, case: Case, threads: int) -> None:
    twin, native = Twin(case.cell), NativeBlockFloatCell(case.cell, threads=threads, simd=simd)
    hs = twin.run(case.xs)
    assert same_bits(native.run(case.xs), hs)
    assert same_bits(native.h, twin.h)
    assert same_bits(native.c, twin.c)


@pytest.mark.parametrize("simd", PATHS)
@given(case=cases(), middle=st.integers(0, 37), threads=st.sampled_from([1, 1, 2]))
@settings(deadline=None, max_examples=25)
def test_runs_and_steps_mix(simd: str, case: Case, middle: int, threads: int) -> None:
    hs = Twin(case.cell).run(case.xs)
    native = NativeBlockFloatCell(case.cell, threads=threads, simd=simd)
    assert same_bits(native.run(case.xs[:middle]), hs[:middle])
    for t in range(middle, len(case.xs)):
        native.x[:] = case.xs[t]
        native.step()
        assert same_bits(native.h, hs[t])


@given(case=cases())
@settings(deadline=None, max_examples=25)
def test_run_equals_the_machines_program(case: Case) -> None:
    """What Brainwave's instructions, interpreted, make of the same cell and a state."""
    gate, candidate = case.functions
    plain = PlainExecutor(BrainwaveCell("cell", case.cell, (gate, candidate, candidate)))
    native = NativeBlockFloatCell(case.cell)
    h, c = halves(np.random.default_rng(1), (2, case.cell.hidden))
    plain.reset(h.astype(np.float32), c.astype(np.float32))
    native.load(h, c)
    hs, _ = plain.run(case.xs[:5].astype(np.float32))
    assert same_bits(native.run(case.xs[:5]), hs.astype(np.float16))


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [2, 3, 4, 5])
def test_native_blocks_of_400(simd: str, kind: CellKind, bits: int) -> None:
    """The widest dot products: 400 columns and more, several blocks, the last one short."""
    rng = np.random.default_rng(bits)
    cell = random_cell(rng, kind, 801, 410, BlockFloat(bits, 400), peepholes=kind == "lstm")
    xs = halves(rng, (6, 801))
    assert same_bits(NativeBlockFloatCell(cell, simd=simd).run(xs), Twin(cell).run(xs))


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("bits", [3, 5])
def test_the_largest_mantissas(simd: str, bits: int) -> None:
    form, ones = BlockFloat(bits, 400), np.full((800, 800), 1.99)
    signs = np.where(np.arange(800) % 3 == 0, -1.0, 1.0)
    cell = replace(
        random_cell(np.random.default_rng(0), "rnn", 800, 800, form, functions=("relu", "relu")),
        weights_x=form.quantise(ones * signs[:, None]),
        weights_h=form.quantise(ones * 0),
    )
    xs = np.stack([np.full(800, 1.99), np.full(800, -1.99), 1.99 * signs]).astype(np.float16)
    assert same_bits(NativeBlockFloatCell(cell, simd=simd).run(xs), Twin(cell).run(xs))


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
def test_every_float16_is_quantised(simd: str, bits: int) -> None:
    """An RNN of one unit whose weight is 1 shows the value of its input in block floating point."""
    form = BlockFloat(bits, 1)
    cell = replace(
        random_cell(np.random.default_rng(0), "rnn", 1, 1, form, functions=("relu", "relu")),
        weights_x=form.quantise(np.ones((1, 1))),
        weights_h=form.quantise(np.zeros((1, 1))),
        bias=np.zeros((1, 1), np.float16),
    )
    seen = replace(cell, candidate=EVERY_HALF)
    hs = NativeBlockFloatCell(seen, simd=simd).run(EVERY_HALF[:, None])
    finite = np.nan_to_num(EVERY_HALF, nan=0.0, posinf=65504.0, neginf=-65504.0)
    with np.errstate(over="ignore"):
        assert np.array_equal(hs[:, 0], form.quantise(finite[:, None]).values()[:, 0].astype(np.float16))


@given(case=cases())
@settings(deadline=None, max_examples=25)
def test_a_loaded_state_continues(case: Case) -> None:
    twin = Twin(case.cell)
    twin.h, twin.c = halves(np.random.default_rng(1), (2, case.cell.hidden))
    native = NativeBlockFloatCell(case.cell)
    native.load(twin.h, twin.c)
    assert same_bits(native.run(case.xs), twin.run(case.xs))
    native.reset()
    assert same_bits(native.run(case.xs), Twin(case.cell).run(case.xs))


def test_rows_of_any_layout_are_taken() -> None:
    xs = halves(np.random.default_rng(1), (12, 3))
    wanted = NativeBlockFloatCell(cell_of()).run(xs)
    for same in (np.asfortranarray(xs), np.repeat(xs, 2, axis=1)[:, ::2]):
        assert same_bits(NativeBlockFloatCell(cell_of()).run(same), wanted)


def test_views_outlive_their_cell() -> None:
    native = NativeBlockFloatCell(cell_of())
    x, h = native.x, native.h
    del native
    gc.collect()
    x[:] = 7
    assert list(x) == [7, 7, 7]
    assert list(h) == [0] * 5
    with pytest.raises(ValueError, match="read-only"):
        h[0] = 1


@pytest.mark.parametrize(
    ("xs", "message"),
    [
        (np.zeros(3, np.float16), "xs is a float16 array [steps, 3], got the shape [3]"),
        (np.zeros((2, 4), np.float16), "xs is a float16 array [steps, 3], got the shape [2, 4]"),
        (np.zeros((2, 3)), "xs is a float16 array [steps, 3], got float64; convert it first"),
    ],
)
def test_inputs_that_are_refused(xs: np.ndarray, message: str) -> None:
    with pytest.raises(InputError) as problem:
        NativeBlockFloatCell(cell_of()).run(xs)
    assert str(problem.value) == message


def test_states_that_are_refused() -> None:
    with pytest.raises(InputError) as problem:
        NativeBlockFloatCell(cell_of()).load(np.zeros(4, np.float16))
    assert str(problem.value) == "h is a float16 array [5], got the shape [4]"


def test_options_that_are_refused() -> None:
    with pytest.raises(OptionError) as problem:
        NativeBlockFloatCell(cell_of(), threads=0)
    assert str(problem.value) == "a native cell runs on 1 to 64 threads, not 0"
    with pytest.raises(OptionError) as problem:
        NativeBlockFloatCell(cell_of(), simd="sse")
    assert str(problem.value) == "the vector instructions are scalar, avx2 or avx512, not 'sse'"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bias": np.zeros((3, 5), np.float16)}, "bias has the shape [4, 5], got [3, 5]"),
        ({"inputs": 401}, "weights_x has the shape [15, 2, 400], got [15, 1, 400]"),
        ({"gate": np.zeros(8, np.float16)}, "gate has the shape [65536], got [8]"),
        (
            {"peepholes": np.zeros((3, 5), np.float16)},
            "peepholes are an LSTM's, this is a gru; leave them out",
        ),
        (
            {"weights_h": BlockFloat(3, 400).quantise(np.zeros((15, 5)))},
            "weights_x and weights_h have one format, not BlockFloat(mantissa_bits=2, block=400) and "
            "BlockFloat(mantissa_bits=3, block=400)",
        ),
        (
            {
                "weights_x": BlockFloat(6, 400).quantise(np.zeros((15, 3))),
                "weights_h": BlockFloat(6, 400).quantise(np.zeros((15, 5))),
            },
            "block floating point cells have 1 to 5 mantissa bits, this gru has 6; run its semantics",
        ),
    ],
)
def test_cells_that_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as problem:
        replace(cell_of(), **change)
    assert str(problem.value) == message

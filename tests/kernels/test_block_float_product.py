"""The native block floating point product against NumPy: the same bits for any weights, vectors, threads and path."""

import threading
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import InputError, OptionError
from deltawave.kernels.block_float_product import NativeBlockFloatProduct
from deltawave.machines.brainwave.semantics import Tiles, multiply
from deltawave.numerics.block_float import BlockFloat, Blocks, product
from deltawave.numerics.half_tables import Half

EVERY_HALF = np.arange(1 << 16, dtype=np.uint16).view(np.float16)


@dataclass(frozen=True)
class Case:
    """Weights, and vectors for them, xs float16 [n, columns]."""

    weights: Blocks
    xs: Half


def random_weights(rng: np.random.Generator, rows: int, columns: int, form: BlockFloat) -> Blocks:
    """[rows, columns] of very different sizes from row to row, so that blocks have many exponents."""
    return form.quantise(rng.uniform(-1, 1, (rows, columns)) * np.exp2(rng.integers(-12, 1, (rows, 1))))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any size and format; vectors tiny (denormal), usual or large, with any bits at all here and there."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    form = BlockFloat(draw(st.integers(1, 5)), draw(st.sampled_from([1, 3, 8, 16, 20, 64, 100, 400])))
    columns = draw(st.sampled_from([1, 2, 7, 16, 27, 64, 100, 129, 401]))
    weights = random_weights(rng, draw(st.sampled_from([1, 5, 16, 63, 64, 65, 130])), columns, form)
    shape = (draw(st.sampled_from([0, 1, 2, 5, 32, 33, 70])), draw(st.integers(1, columns)))
    reach = draw(st.sampled_from([0.0, 3e-7, 5e-5, 1.0, 60000.0]))
    xs = (rng.uniform(-1, 1, shape) * reach).astype(np.float16)
    if draw(st.booleans()):
        wild = rng.integers(0, 1 << 16, shape).astype(np.uint16).view(np.float16)
        xs = np.where(rng.random(shape) < 0.1, wild, xs)
    return Case(weights, xs)


def plain_products(weights: Blocks, xs: Half) -> Half:
    """[n, rows], vector after vector in NumPy."""
    wide = np.zeros((len(xs), weights.exponents.shape[1] * weights.format.block))
    wide[:, : xs.shape[1]] = np.nan_to_num(xs.astype(np.float64), nan=0.0, posinf=65504.0, neginf=-65504.0)
    with np.errstate(over="ignore"):
        rows = [product(weights, weights.format.quantise(x)).astype(np.float16) for x in wide]
    return np.array(rows, np.float16).reshape(len(xs), -1 if len(xs) else len(weights.exponents))


def weights_of(bits: int = 2) -> Blocks:
    return random_weights(np.random.default_rng(0), 5, 12, BlockFloat(bits, 8))


def has(simd: str) -> bool:
    """Whether this machine has these vector instructions."""
    try:
        NativeBlockFloatProduct(weights_of(), simd=simd)
    except OptionError:
        return False
    return True


PATHS = [simd for simd in ("scalar", "avx2", "avx512") if has(simd)]


def same_bits(a: Half, b: Half) -> bool:
    return np.array_equal(a.view(np.uint16), b.view(np.uint16))


@pytest.mark.parametrize("simd", PATHS)
@given(case=cases(), threads=st.sampled_from([1, 2, 3]))
@settings(deadline=None, max_examples=60)
def test_run_equals_the_arithmetic(simd: str, case: Case, threads: int) -> None:
    native = NativeBlockFloatProduct(case.weights, threads=threads, simd=simd)
    assert same_bits(native.run(case.xs), plain_products(case.weights, case.xs))


@given(case=cases(), columns=st.integers(1, 401))
@settings(deadline=None, max_examples=25)
def test_vectors_of_another_length_may_follow(case: Case, columns: int) -> None:
    native = NativeBlockFloatProduct(case.weights)
    native.run(case.xs)
    shorter = np.ones((3, min(columns, native.columns)), np.float16)
    assert same_bits(native.run(shorter), plain_products(case.weights, shorter))
    assert same_bits(native.run(case.xs), plain_products(case.weights, case.xs))


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("bits", [2, 5])
def test_run_equals_the_machine(simd: str, bits: int) -> None:
    """What Brainwave's multiplier makes of three tiles by two and a vector in each of two calls."""
    rng, native = np.random.default_rng(bits), 40
    weights = random_weights(rng, 3 * native, 2 * native, BlockFloat(bits, native))
    xs = rng.uniform(-9, 9, (2, 2 * native)).astype(np.float16)
    xs[1, :3] = np.inf, -np.inf, np.nan
    tiles = Tiles(
        weights.mantissas.reshape(3, native, 2, native).swapaxes(1, 2).reshape(6, native, native),
        weights.exponents.reshape(3, native, 2).swapaxes(1, 2).reshape(6, native),
    )
    wanted = np.stack([multiply(weights.format, tiles, 3, x.reshape(2, native)).ravel() for x in xs])
    assert same_bits(NativeBlockFloatProduct(weights, simd=simd).run(xs), wanted)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
def test_the_largest_mantissas(simd: str, bits: int) -> None:
    """No sum leaves its bits, and products beyond float16 are infinities."""
    form, signs = BlockFloat(bits, 400), np.where(np.arange(800) % 3 == 0, -1.0, 1.0)
    weights = form.quantise(np.full((70, 800), 1.99) * np.exp2(np.arange(70) % 15)[:, None])
    xs = np.stack([np.full(800, 1.99), np.full(800, -1.99), 1.99 * signs]).astype(np.float16)
    products = NativeBlockFloatProduct(weights, simd=simd).run(xs)
    assert same_bits(products, plain_products(weights, xs))
    assert np.isposinf(products[0]).any()
    assert np.isneginf(products[1]).any()


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("bits", [1, 2, 3, 4, 5])
def test_every_float16_is_quantised(simd: str, bits: int) -> None:
    """Weights of one show every value, denormal or not a number, in block floating point."""
    form = BlockFloat(bits, 1)
    native = NativeBlockFloatProduct(form.quantise(np.ones((1, 1))), simd=simd)
    finite = np.nan_to_num(EVERY_HALF, nan=0.0, posinf=65504.0, neginf=-65504.0)
    with np.errstate(over="ignore"):
        wanted = form.quantise(finite[:, None]).values().astype(np.float16)
    assert np.array_equal(native.run(EVERY_HALF[:, None]), wanted)


def test_rows_of_any_layout_are_taken() -> None:
    native = NativeBlockFloatProduct(weights_of())
    xs = np.random.default_rng(1).uniform(-1, 1, (9, 12)).astype(np.float16)
    for same in (np.asfortranarray(xs), np.repeat(xs, 2, axis=1)[:, ::2]):
        assert same_bits(native.run(same), native.run(xs))


def test_another_thread_at_the_same_time_is_refused() -> None:
    native = NativeBlockFloatProduct(random_weights(np.random.default_rng(0), 256, 400, BlockFloat(5, 400)))
    xs, problems = np.ones((2000, 400), np.float16), []

    def run() -> None:
        try:
            native.run(xs)
        except InputError as problem:
            problems.append(str(problem))

    callers = [threading.Thread(target=run) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert set(problems) <= {
        "this product is at work in another thread; give every thread its own NativeBlockFloatProduct"
    }
    assert same_bits(native.run(xs[:2]), plain_products(native.weights, xs[:2]))


@pytest.mark.parametrize(
    ("xs", "problem"),
    [
        (np.zeros(16, np.float16), "got the shape [16]"),
        (np.zeros((2, 17), np.float16), "got the shape [2, 17]"),
        (np.zeros((2, 0), np.float16), "got the shape [2, 0]"),
        (np.zeros((2, 16)), "got float64; convert it first"),
    ],
)
def test_vectors_that_are_refused(xs: np.ndarray, problem: str) -> None:
    with pytest.raises(InputError) as refusal:
        NativeBlockFloatProduct(weights_of()).run(xs)
    assert str(refusal.value) == f"xs is a float16 array [n, columns] of 1 to 16 columns, {problem}"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"mantissas": np.zeros((2, 8), np.int8)},
            "a product's weights have mantissas [rows, blocks, 8] and exponents [rows, blocks], got [2, 8] and "
            "[5, 2]",
        ),
        (
            {"exponents": np.zeros((5, 3), np.int8)},
            "a product's weights have mantissas [rows, blocks, 8] and exponents [rows, blocks], got [5, 2, 8] and "
            "[5, 3]",
        ),
        (
            {"mantissas": np.zeros((0, 2, 8), np.int8), "exponents": np.zeros((0, 2), np.int8)},
            "a product's weights have mantissas [rows, blocks, 8] and exponents [rows, blocks], got [0, 2, 8] and "
            "[0, 2]",
        ),
        (
            {"format": BlockFloat(2, 4)},
            "a product's weights have mantissas [rows, blocks, 4] and exponents [rows, blocks], got [5, 2, 8] and "
            "[5, 2]",
        ),
        (
            {"format": BlockFloat(6, 8)},
            "native products have 1 to 5 mantissa bits, these weights have 6; use numerics.block_float.product",
        ),
    ],
)
def test_weights_that_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as refusal:
        NativeBlockFloatProduct(replace(weights_of(), **change))
    assert str(refusal.value) == message


@pytest.mark.parametrize("threads", [0, 65])
def test_threads_that_are_refused(threads: int) -> None:
    with pytest.raises(OptionError) as refusal:
        NativeBlockFloatProduct(weights_of(), threads=threads)
    assert str(refusal.value) == f"a native product runs on 1 to 64 threads, not {threads}"


def test_vector_instructions_that_are_refused() -> None:
    with pytest.raises(OptionError) as refusal:
        NativeBlockFloatProduct(weights_of(), simd="sse")
    assert str(refusal.value) == "the vector instructions are scalar, avx2 or avx512, not 'sse'"

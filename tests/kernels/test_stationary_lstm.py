"""LSTMs with stationary weights in compiled code: the bits of the semantics, with every instruction set."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import InputError, OptionError
from deltawave.kernels.stationary_lstm import NativeStationaryLstm, StationaryLstm
from deltawave.machines.muntaniala import MUNTANIALA, semantics
from deltawave.machines.muntaniala.shapes import shaped_cell
from deltawave.numerics import Fixed
from machines.muntaniala.random_lstms import inputs_of, lstms, state_of

SIMD = ["scalar", None]


@pytest.mark.parametrize("simd", SIMD)
@given(cell=lstms(st.integers(1, 70)), seed=st.integers(0, 1 << 16))
@settings(deadline=None, max_examples=60)
def test_bits_are_those_of_the_semantics(simd: str | None, cell: StationaryLstm, seed: int) -> None:
    native, xs, state = NativeStationaryLstm(cell, simd=simd), inputs_of(cell, 4, seed), state_of(cell, seed)
    native.load(state)
    for part in (xs[:1], xs[1:], xs[:0]):
        expected = semantics.run(cell, state, part, cell.inputs + cell.hidden)
        assert all(np.array_equal(a, b) for a, b in zip(native.run(part), expected, strict=True))
    assert np.array_equal(native.state().h, state.h)
    assert np.array_equal(native.state().c, state.c)


@pytest.mark.parametrize("shift", range(17))
@pytest.mark.parametrize("simd", SIMD)
def test_every_product_of_bytes_is_rounded_to_even(simd: str | None, shift: int) -> None:
    every = np.arange(-128, 128, dtype=np.int64)
    products = every[:, None] * every
    expected = np.rint(np.ldexp(products.astype(float), -shift)).sum(axis=1)
    cell = one_row(every.astype(np.int8), shift)
    native = NativeStationaryLstm(cell, simd=simd)
    for value, total in zip(every, expected, strict=True):
        _, flags = native.run(np.full((1, 256), value))
        exact = semantics.exact_sums(cell, native.state(), np.full(256, value, np.int32))[0]
        assert exact == total
        assert flags[0, 0] == (total != cell.accumulator.narrow(total))


def one_row(weights: np.ndarray, shift: int) -> StationaryLstm:
    cell = shaped_cell(MUNTANIALA, "row", 256, 1).cell
    return replace(
        cell,
        weights_x=np.tile(weights, (4, 1)),
        accumulator=Fixed(10, 4, "wrap"),
        x=Fixed(4, 4),
        weight_fractions=(shift, shift, 4),
    )


def test_what_it_does_not_take() -> None:
    cell = one_row(np.zeros(256, np.int8), 3)
    native = NativeStationaryLstm(cell)
    with pytest.raises(InputError) as refused:
        native.run(np.zeros((2, 255), np.int32))
    assert str(refused.value) == "xs is an array [steps, 256], got the shape [2, 255]"
    with pytest.raises(InputError) as refused:
        native.run(np.full((2, 256), 128))
    assert str(refused.value) == "xs holds integers of 8 bits, got 128 to 128"


def test_formats_out_of_range() -> None:
    with pytest.raises(OptionError) as refused:
        one_row(np.zeros(256, np.int8), -1)
    assert str(refused.value) == (
        "products of weights with x, h and c are rounded by (-1, 2, 8) bits; that goes from 0, 0 and -24 to 60"
    )
    cell = one_row(np.zeros(256, np.int8), 3)
    with pytest.raises(OptionError) as refused:
        replace(cell, c=Fixed(-30, 46))
    assert str(refused.value) == (
        "the format Q-30.46 of c is out of range: at most 32 bits, 40 of them before the point and 40 after it; scale "
        "the network"
    )
    with pytest.raises(OptionError) as refused:
        replace(cell, table_fraction_bits=15)
    assert str(refused.value) == "tables have 1 to 14 fraction bits, not 15"

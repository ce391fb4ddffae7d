from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltawave.errors import OptionError
from deltawave.numerics import Fixed, round_shift


def nearest_even(value: Fraction) -> int:
    return round(value)  # Python rounds fractions half to even


@given(st.integers(-(2**40), 2**40), st.integers(-8, 20))
def test_round_shift_is_division_rounded_half_to_even(integer: int, shift: int) -> None:
    assert int(round_shift(integer, shift)) == nearest_even(Fraction(integer) / Fraction(2) ** shift)


@given(st.integers(-(2**50), 2**50), st.integers(2, 32))
def test_wrap_keeps_the_low_bits(integer: int, bits: int) -> None:
    wrapped = int(Fixed(bits, 0, "wrap").narrow(integer))
    assert (wrapped - integer) % (1 << bits) == 0
    assert -(1 << (bits - 1)) <= wrapped < 1 << (bits - 1)


@given(st.integers(-(2**50), 2**50), st.integers(2, 32))
def test_saturation_clips(integer: int, bits: int) -> None:
    form = Fixed(bits, 0)
    assert int(form.narrow(integer)) == max(form.lowest, min(form.highest, integer))


@given(st.floats(-300, 300, allow_nan=False), st.integers(0, 10))
def test_quantise_is_nearest_and_saturates(value: float, fraction: int) -> None:
    form = Fixed(8, fraction)
    exact = nearest_even(Fraction(value) * 2**fraction)
    assert int(form.quantise(value)) == max(form.lowest, min(form.highest, exact))


@given(st.integers(-(2**15), 2**15 - 1))
def test_value_and_quantise_are_inverse(integer: int) -> None:
    form = Fixed(8, 8)
    assert int(form.quantise(form.value(integer))) == integer


def test_too_narrow_a_format_is_refused() -> None:
    with pytest.raises(OptionError) as caught:
        Fixed(1, 0)
    assert str(caught.value) == "a fixed point format has 2 to 48 bits, Q1.0 has 1"

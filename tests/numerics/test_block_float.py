"""Block floating point against its rule, value by value in fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltawave.errors import OptionError
from deltawave.numerics.block_float import BlockFloat, product

VALUES = st.lists(st.floats(-(2.0**17), 2.0**17, width=32), min_size=1, max_size=20)


def rule(block: list[float], mantissa_bits: int) -> tuple[list[int], int]:
    largest = max(abs(Fraction(value)) for value in block)
    exponent = -15
    while exponent < 16 and Fraction(2) ** (exponent + 1) <= largest:
        exponent += 1
    step, highest = Fraction(2) ** (exponent + 1 - mantissa_bits), 2**mantissa_bits - 1
    return [max(-highest, min(highest, round(Fraction(value) / step))) for value in block], exponent


@given(VALUES, st.integers(1, 7), st.integers(1, 8))
def test_mantissas_and_exponents_follow_the_rule(values: list[float], mantissa_bits: int, block: int) -> None:
    blocks = BlockFloat(mantissa_bits, block).quantise(values)
    padded = values + [0.0] * (-len(values) % block)
    expected = [rule(padded[k : k + block], mantissa_bits) for k in range(0, len(padded), block)]
    assert blocks.mantissas.tolist() == [mantissas for mantissas, _ in expected]
    assert blocks.exponents.tolist() == [exponent for _, exponent in expected]


@given(VALUES, st.integers(1, 7), st.integers(1, 8))
def test_quantising_twice_changes_nothing(values: list[float], mantissa_bits: int, block: int) -> None:
    form = BlockFloat(mantissa_bits, block)
    once = form.quantise(values).values()
    assert np.array_equal(form.quantise(once).values(), once)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 8))
def test_a_product_is_exact_in_a_block_and_float32_over_blocks(
    seed: int, mantissa_bits: int, block: int
) -> None:
    rng = np.random.default_rng(seed)
    form = BlockFloat(mantissa_bits, block)
    matrix, vector = form.quantise(rng.normal(size=(3, 19))), form.quantise(rng.normal(size=19))
    rows, x = matrix.values().reshape(3, -1, block), vector.values().reshape(-1, block)
    expected = []
    for row in rows:
        total = np.float32(0)
        for part, against in zip(row, x, strict=True):
            exact = sum(Fraction(a) * Fraction(b) for a, b in zip(part, against, strict=True))
            total = np.float32(total + np.float32(float(exact)))
        expected.append(total)
    assert product(matrix, vector).tolist() == expected


def test_impossible_formats_are_refused() -> None:
    with pytest.raises(OptionError) as caught:
        BlockFloat(8, 4)
    assert str(caught.value) == "block floating point has 1 to 7 mantissa bits, not 8"
    with pytest.raises(OptionError) as caught:
        BlockFloat(7, 2000)
    assert str(caught.value) == (
        "a dot product over 2000 values of 7 mantissa bits leaves 24 bits; choose a smaller block or fewer bits"
    )

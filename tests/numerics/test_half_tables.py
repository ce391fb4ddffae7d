"""Float16 tables against the functions, entry by entry."""

import math

import numpy as np
import pytest

from deltawave.numerics.half_tables import HALF_FUNCTIONS, apply_half, half_table

EVERY_HALF = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
FUNCTIONS = {
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)) if x > -700 else 0.0,
    "tanh": math.tanh,
    "relu": lambda x: x if x > 0 else 0.0,
}


@pytest.mark.parametrize("name", HALF_FUNCTIONS)
def test_every_entry_is_the_function_rounded_once(name: str) -> None:
    expected = np.array([np.float16(FUNCTIONS[name](float(x))) for x in EVERY_HALF[~np.isnan(EVERY_HALF)]])
    assert np.array_equal(half_table(name)[~np.isnan(EVERY_HALF)].view(np.uint16), expected.view(np.uint16))


@pytest.mark.parametrize("name", HALF_FUNCTIONS)
def test_every_nan_is_the_one_nan(name: str) -> None:
    bits = apply_half(name, EVERY_HALF[np.isnan(EVERY_HALF)]).view(np.uint16)
    assert set(bits.tolist()) == {0x7E00}


def test_tables_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        half_table("tanh")[0] = 1

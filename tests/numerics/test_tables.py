import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltawave.errors import OptionError
from deltawave.numerics import ActivationTable, exact_table, stepped_table

SCALARS = {
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "hard_sigmoid": lambda x: min(max(0.2 * x + 0.5, 0.0), 1.0),
}


@given(st.sampled_from(sorted(SCALARS)), st.integers(-(2**15), 2**15 - 1), st.integers(1, 8))
def test_every_entry_follows_the_rule(name: str, x: int, step_bits: int) -> None:
    level = math.floor(SCALARS[name](x / 256) * 2**step_bits + 0.5)
    expected = min(level << (8 - step_bits), 2**15 - 1)
    assert int(stepped_table(name, 8, step_bits)(x)) == expected


def test_inputs_outside_the_table_take_its_ends() -> None:
    table = stepped_table("tanh", 8, 4)
    assert table([-(2**20), 2**20]).tolist() == [-256, 256]


def test_ranges_count_what_a_ralut_stores() -> None:
    assert stepped_table("tanh", 8, 4).ranges == 33
    assert stepped_table("sigmoid", 8, 4).ranges == 17


def test_the_edgedrnn_tables_end_where_the_rtl_saturates() -> None:
    tanh, sigmoid = stepped_table("tanh", 8, 4), stepped_table("sigmoid", 8, 4)
    assert (tanh.first, tanh.last) == (-531, 531)
    assert (sigmoid.first, sigmoid.last) == (-880, 880)


def test_relu_keeps_every_bit() -> None:
    x = np.arange(-(2**15), 2**15)
    assert np.array_equal(exact_table("relu", 8)(x), np.maximum(x, 0))


def test_an_unknown_function_is_refused() -> None:
    with pytest.raises(OptionError) as caught:
        stepped_table("swish", 8, 4)
    assert str(caught.value) == "no activation table for 'swish'; there are sigmoid, tanh, relu, hard_sigmoid"


def test_steps_finer_than_the_format_are_refused() -> None:
    with pytest.raises(OptionError) as caught:
        stepped_table("tanh", 8, 9)
    assert str(caught.value) == "steps of 2^-9 do not fit an output of 8 fraction bits"


@pytest.mark.parametrize(("first", "entries"), [(0, 0), (-(2**15) - 1, 3), (2**15 - 2, 3)])
def test_a_table_that_is_empty_or_leaves_16_bits_is_refused(first: int, entries: int) -> None:
    with pytest.raises(OptionError) as caught:
        ActivationTable("odd", first, np.zeros(entries, np.int16))
    assert str(caught.value) == (
        f"the table odd goes from {first} to {first + entries - 1}; tables have 16-bit inputs, at least one"
    )

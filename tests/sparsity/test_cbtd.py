"""Column-balanced targeted dropout: balance, magnitude order, dropout probability, errors."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import InputError, OptionError
from deltawave.sparsity.cbtd import cbtd_keep, cbtd_targets

RNG_SEED = 7


def keep(weights, elements, gamma, alpha=1.0):
    return cbtd_keep(weights, elements, gamma, alpha, np.random.default_rng(RNG_SEED))


def test_a_column_by_hand():
    """Two elements: rows 0, 2, 4, 6 and rows 1, 3, 5, 7; three of four go."""
    column = np.array([[1.0], [9.0], [-5.0], [8.0], [2.0], [-7.0], [3.0], [6.0]])
    assert keep(column, elements=2, gamma=0.75)[:, 0].tolist() == [False, True, True] + [False] * 5


def test_of_equal_weights_the_first_rows_go():
    assert keep(np.ones((4, 1)), elements=1, gamma=0.5)[:, 0].tolist() == [False, False, True, True]


@pytest.mark.parametrize(
    ("owned", "gamma", "targets"),
    [(64, 0.94, 60), (8, 0.875, 7), (8, 0.8749, 6), (100, 0.29, 29), (5, 0.0, 0)],
)
def test_targets_are_rounded_down(owned, gamma, targets):
    assert cbtd_targets(owned, gamma) == targets


def test_dropout_takes_its_share_of_the_targets():
    dropped = np.count_nonzero(~keep(np.ones((640, 100)), elements=64, gamma=0.5, alpha=0.25))
    mean, deviation = 32_000 * 0.25, math.sqrt(32_000 * 0.25 * 0.75)
    assert abs(dropped - mean) < 4 * deviation


def test_no_dropout_without_alpha_or_gamma():
    weights = np.random.default_rng(0).normal(size=(16, 3))
    assert keep(weights, elements=4, gamma=0.9, alpha=0.0).all()
    assert keep(weights, elements=4, gamma=0.0).all()


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_every_element_keeps_the_same_number_of_its_largest(data):
    elements, owned, columns = (data.draw(st.integers(1, high)) for high in (6, 9, 4))
    gamma = data.draw(st.floats(0.0, 1.0))
    seed = data.draw(st.integers(0, 1000))
    weights = np.random.default_rng(seed).integers(-4, 5, (elements * owned, columns)).astype(np.float64)
    mask = keep(weights, elements, gamma)
    for element in range(elements):
        kept, magnitudes = mask[element::elements], np.abs(weights[element::elements])
        assert (kept.sum(axis=0) == owned - cbtd_targets(owned, gamma)).all()
        lowest_kept = np.where(kept, magnitudes, np.inf).min(axis=0)
        highest_dropped = np.where(kept, -np.inf, magnitudes).max(axis=0)
        assert (highest_dropped <= lowest_kept).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 1000), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_dropout_takes_targets_only(seed, gamma, alpha):
    weights = np.random.default_rng(seed).normal(size=(24, 5))
    assert (keep(weights, 4, gamma, alpha) >= keep(weights, 4, gamma, 1.0)).all()


def test_weights_are_left_alone():
    weights = np.arange(8.0).reshape(4, 2)
    keep(weights, elements=2, gamma=0.5)
    assert (weights == np.arange(8.0).reshape(4, 2)).all()


@pytest.mark.parametrize(
    ("weights", "elements", "message"),
    [
        (np.ones(4), 2, "pruning takes a matrix [rows, columns], not an array of shape (4,)"),
        ([[1.0, 2.0], [3.0, math.nan]], 1, "pruning takes finite weights; the one in row 1, column 1 is not"),
        ([[math.inf]], 1, "pruning takes finite weights; the one in row 0, column 0 is not"),
        (
            np.ones((10, 2)),
            4,
            "10 rows can't be shared equally by 4 processing elements; choose a divisor of the rows",
        ),
        (
            np.ones((4, 2)),
            0,
            "4 rows can't be shared equally by 0 processing elements; choose a divisor of the rows",
        ),
    ],
)
def test_bad_weights(weights, elements, message):
    with pytest.raises(InputError) as error:
        keep(weights, elements, gamma=0.5)
    assert str(error.value) == message


@pytest.mark.parametrize("value", [-0.1, 1.5, math.nan])
def test_bad_fractions(value):
    with pytest.raises(OptionError) as error:
        keep(np.ones((4, 2)), 2, gamma=value)
    assert str(error.value) == f"gamma is a fraction from 0 to 1, not {value}"
    with pytest.raises(OptionError) as error:
        keep(np.ones((4, 2)), 2, gamma=0.5, alpha=value)
    assert str(error.value) == f"alpha is a fraction from 0 to 1, not {value}"

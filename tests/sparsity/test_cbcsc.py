import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import DeltawaveError, InputError, OptionError
from deltawave.sparsity.cbcsc import column_lengths, encode
from deltawave.sparsity.cbtd import cbtd_keep

few = settings(deadline=None, max_examples=50)


@st.composite
def matrices(draw: st.DrawFn) -> np.ndarray:
    rows, columns = draw(st.integers(1, 20)), draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kept = rng.random((rows, columns)) < draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    return (rng.integers(-(2**15), 2**15, (rows, columns)) * kept).astype(np.int16)


@few
@given(matrices(), st.integers(1, 24))
def test_decoding_gives_the_matrix_back(weights: np.ndarray, elements: int) -> None:
    assert encode(weights, elements, 5).decode().tolist() == weights.tolist()


@few
@given(matrices(), st.integers(1, 24))
def test_a_column_is_as_long_as_its_fullest_element(weights: np.ndarray, elements: int) -> None:
    fullest = [
        max(np.count_nonzero(column[e::elements]) for e in range(min(elements, len(column))))
        for column in weights.T
    ]
    assert column_lengths(weights, elements).tolist() == fullest
    assert encode(weights, elements, 5).lengths.tolist() == fullest


@few
@given(matrices(), st.integers(1, 24))
def test_entries_are_weights_or_padding(weights: np.ndarray, elements: int) -> None:
    packed = encode(weights, elements, 5)
    assert packed.values.size == np.count_nonzero(weights) + packed.padding
    assert packed.bytes(8, 8) == 2 * packed.values.size


def test_pruned_weights_need_no_padding() -> None:
    weights = np.random.default_rng(0).integers(1, 100, (256, 30))
    packed = encode(weights * cbtd_keep(weights, 64, 0.75, 1.0, np.random.default_rng(0)), 64, 8)
    assert packed.lengths.tolist() == [1] * 30
    assert (packed.padding, packed.balance) == (0, 1.0)
    assert packed.bytes(8, 8) == 64 * 30 * 2


def test_bytes_are_rounded_up() -> None:
    assert encode(np.ones((3, 1), np.int16), 1, 2).bytes(4, 2) == 3  # 18 bits


def test_an_empty_matrix_is_balanced() -> None:
    assert encode(np.zeros((4, 4), np.int16), 2, 8).balance == 1.0


@pytest.mark.parametrize(
    ("weights", "elements", "index_bits", "error", "message"),
    [
        (
            np.ones((40, 2), np.int16),
            8,
            2,
            OptionError,
            "5 rows a processing element need 3 index bits, not 2; choose index_bits=3 or more elements",
        ),
        (
            np.ones((4, 2), np.int16),
            0,
            2,
            OptionError,
            "CBCSC deals rows to at least 1 processing element, not 0",
        ),
        (np.ones(4, np.int16), 1, 2, InputError, "CBCSC takes a matrix of integers, not int16 of shape (4,)"),
        (np.ones((4, 2)), 1, 2, InputError, "CBCSC takes a matrix of integers, not float64 of shape (4, 2)"),
        (
            np.ones((0, 2), np.int16),
            1,
            2,
            InputError,
            "CBCSC takes a matrix of integers, not int16 of shape (0, 2)",
        ),
        (
            np.full((2, 2), 1 << 15),
            1,
            2,
            InputError,
            "CBCSC takes weights of at most 16 bits; the one in row 0, column 0 is 32768",
        ),
    ],
)
def test_refusals(
    weights: np.ndarray, elements: int, index_bits: int, error: type[DeltawaveError], message: str
) -> None:
    with pytest.raises(error) as refusal:
        encode(weights, elements, index_bits)
    assert str(refusal.value) == message

"""Bounds of the critical-path analysis."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.machines.brainwave import timing
from deltawave.machines.brainwave.cell_programs import CellShape, cell_program
from deltawave.machines.brainwave.critical_path import Sizes, sdm_cycles, udm_cycles
from deltawave.machines.brainwave.machine import BW_S10

KINDS = ("lstm", "gru", "gru_before", "rnn")


@pytest.mark.parametrize(
    ("sizes", "cycles"),
    [
        (Sizes("lstm", 2000, 2000), 19),
        (Sizes("gru_before", 2800, 2800), 31),
        (Sizes("gru", 2800, 2800), 18),
        (Sizes("lstm", 2000, 2000, has_peepholes=True), 21),
        (Sizes("rnn", 1, 1), 4),
        (Sizes("rnn", 5, 2), 7),
    ],
)
def test_longest_paths(sizes: Sizes, cycles: int) -> None:
    assert udm_cycles(sizes) == cycles


def test_products() -> None:
    assert Sizes("lstm", 3, 5).products == 4 * 5 * (3 + 5)
    assert Sizes("gru", 3, 5).operations == 2 * 3 * 5 * (3 + 5)


@settings(deadline=None, max_examples=40)
@given(kind=st.sampled_from(KINDS), inputs=st.integers(1, 3000), hidden=st.integers(1, 3000))
def test_the_machine_is_above_both_bounds(kind: str, inputs: int, hidden: int) -> None:
    sizes = Sizes(kind, inputs, hidden)
    udm, sdm = udm_cycles(sizes), sdm_cycles(sizes, BW_S10.multipliers)
    vectors = (-(-size // BW_S10.native_dim) for size in (inputs, hidden))
    program = cell_program(CellShape(kind, *vectors, ("sigmoid", "tanh", "tanh"))).program
    assert udm < sdm < timing.part(BW_S10, "cell", program, 3).step_cycles.min()


def test_unlimited_multipliers_leave_one_cycle_of_products() -> None:
    sizes = Sizes("gru_before", 100, 100)
    assert sdm_cycles(sizes, 10**9) == udm_cycles(sizes) + 1

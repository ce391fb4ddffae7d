"""The native cell against its semantics: the same bits for any cell, input, path, split and number of threads."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import OptionError
from deltawave.kernels.cell import CellState
from deltawave.kernels.native import Mode, NativeCell
from deltawave.machines.deltarnn import semantics
from kernels.random_cells import Case, assert_same_state, cases, meaning, random_cell


def has(simd: str) -> bool:
    """Whether this machine has these vector instructions."""
    try:
        NativeCell(random_cell(np.random.default_rng(0), "rnn", 1, 1), simd=simd)
    except OptionError:
        return False
    return True


PATHS = [simd for simd in ("scalar", "avx2", "avx512") if has(simd)]


def at_theta_zero(case: Case) -> Case:
    return Case(replace(case.cell, theta_x=0, theta_h=0), case.xs)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("mode", ["delta", "dense"])
@given(case=cases(), threads=st.sampled_from([1, 1, 1, 2, 3]))
@settings(deadline=None, max_examples=60)
def test_run_equals_the_semantics(mode: Mode, simd: str, case: Case, threads: int) -> None:
    if mode == "dense":
        case = at_theta_zero(case)
    hs, sent, state = meaning(case)
    native = NativeCell(case.cell, mode=mode, threads=threads, simd=simd)
    got_hs, got_sent = native.run(case.xs)
    assert np.array_equal(got_hs, hs)
    assert np.array_equal(got_sent, sent)
    assert_same_state(native, state)
    assert sum(native.sent_counts.values()) == np.count_nonzero(sent)


@pytest.mark.parametrize("simd", PATHS)
@pytest.mark.parametrize("mode", ["delta", "dense"])
@given(case=cases(), threads=st.sampled_from([1, 1, 1, 2]))
@settings(deadline=None, max_examples=30)
def test_steps_equal_the_semantics(mode: Mode, simd: str, case: Case, threads: int) -> None:
    if mode == "dense":
        case = at_theta_zero(case)
    hs, sent, state = meaning(case)
    native = NativeCell(case.cell, mode=mode, threads=threads, simd=simd)
    for t, x in enumerate(case.xs):
        native.x[:] = x
        native.step()
        assert np.array_equal(native.h, hs[t])
        assert np.array_equal(native.sent, sent[t])
    assert_same_state(native, state)


@given(case=cases(), split=st.floats(0, 1), modes=st.permutations(["delta", "dense"]))
@settings(deadline=None, max_examples=40)
def test_a_saved_state_continues_in_the_other_mode(case: Case, split: float, modes: list[Mode]) -> None:
    case = at_theta_zero(case)
    middle = int(split * len(case.xs))
    hs, sent, state = meaning(case)
    first, second = (NativeCell(case.cell, mode=mode) for mode in modes)
    first.run(case.xs[:middle])
    second.load(first.state())
    got_hs, got_sent = second.run(case.xs[middle:])
    assert np.array_equal(got_hs, hs[middle:])
    assert np.array_equal(got_sent, sent[middle:])
    assert_same_state(second, state)


@given(case=cases(), split=st.floats(0, 1))
@settings(deadline=None, max_examples=40)
def test_runs_and_steps_mix(case: Case, split: float) -> None:
    middle = int(split * len(case.xs))
    hs, _, state = meaning(case)
    native = NativeCell(case.cell)
    native.run(case.xs[:middle], sent=False)
    for x in case.xs[middle : middle + 2]:
        native.x[:] = x
        native.step()
    native.run(case.xs[middle + 2 :], sent=False)
    assert_same_state(native, state)
    native.reset()
    assert_same_state(native, CellState.initial(case.cell))
    assert np.array_equal(native.run(case.xs)[0], hs)


@given(case=cases())
@settings(deadline=None, max_examples=20)
def test_a_state_from_elsewhere_is_taken_as_it_is(case: Case) -> None:
    """M need not be what the sent values would give."""
    rng = np.random.default_rng(len(case.xs))
    limit = 1 << (case.cell.accumulator_bits - 1)
    state = CellState.initial(case.cell, h=rng.integers(-100, 100, case.cell.hidden).astype(np.int32))
    state.memory = rng.integers(-limit, limit, len(state.memory)).astype(np.int32)
    state.x_sent = rng.integers(-32768, 32768, case.cell.inputs).astype(np.int32)
    case = at_theta_zero(case)
    natives = [NativeCell(case.cell, mode=mode) for mode in ("delta", "dense")]
    for native in natives:
        native.load(state)
    hs, _ = semantics.run(case.cell, state, case.xs.astype(np.int32))
    for native in natives:
        assert np.array_equal(native.run(case.xs)[0], hs)
        assert_same_state(native, state)

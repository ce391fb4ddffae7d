"""Bits of LSTM dies: any cut into dies gives those of one big die, and all are those of scalars."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.kernels.stationary_lstm import Events, LstmState, StationaryLstm
from deltawave.machines.muntaniala import semantics
from deltawave.machines.muntaniala.executors import NativeExecutor, PlainExecutor
from machines.muntaniala.random_lstms import compiled, inputs_of, lstms, state_of

few = settings(deadline=None, max_examples=60)
SEEDS = st.integers(0, 1 << 16)
STEPS = 4


def rounded(integer: int, shift: int) -> int:
    """integer / 2^shift, to nearest, ties to even."""
    return round(integer / 2**shift) if shift > 0 else integer << -shift


def wrapped(integer: int, bits: int) -> int:
    return (integer + (1 << (bits - 1))) % (1 << bits) - (1 << (bits - 1))


def looked_up(table, integer: int) -> int:
    return int(table.values[min(max(integer, table.first), table.last) - table.first])


def scalar_step(cell: StationaryLstm, h: list[int], c: list[int], x: list[int]) -> tuple[list, list, list]:
    """h, c and what did not fit, neuron by neuron in Python's integers."""
    n, f = cell.hidden, cell.table_fraction_bits
    bits, fraction = cell.accumulator.bits, cell.accumulator.fraction_bits
    peepholes = np.zeros((3, n), int) if cell.peepholes is None else cell.peepholes
    new_h, new_c, flags = [], [], np.zeros((6, n), bool)
    for k in range(n):

        def look_up(gate: int, table, seen: int, neuron: int = k) -> int:
            row = gate * n + neuron
            total = int(cell.bias[row])
            total += sum(
                rounded(int(w) * v, cell.shift_x) for w, v in zip(cell.weights_x[row], x, strict=True)
            )
            total += sum(
                rounded(int(w) * v, cell.shift_h) for w, v in zip(cell.weights_h[row], h, strict=True)
            )
            if gate != 2:
                total += rounded(int(peepholes[min(gate, 2)][neuron]) * seen, cell.shift_peephole)
            flags[gate, neuron] = total != wrapped(total, bits)
            return looked_up(table, rounded(wrapped(total, bits), fraction - f))

        i, kept_share = look_up(0, cell.gate, c[k]), look_up(1, cell.gate, c[k])
        g = look_up(2, cell.candidate, 0)
        wide = rounded(kept_share * c[k], f) + rounded(i * g, 2 * f - cell.c.fraction_bits)
        new_c.append(min(max(wide, cell.c.lowest), cell.c.highest))
        o = look_up(3, cell.gate, new_c[k])
        squashed = looked_up(cell.output, rounded(new_c[k], cell.c.fraction_bits - f))
        wide_h = rounded(o * squashed, 2 * f - cell.h.fraction_bits)
        new_h.append(min(max(wide_h, cell.h.lowest), cell.h.highest))
        flags[4, k], flags[5, k] = wide != new_c[k], wide_h != new_h[k]
    return new_h, new_c, list(flags.ravel())


@given(cell=lstms(), seed=SEEDS, units=st.integers(1, 8))
@few
def test_steps_are_those_of_scalars(cell: StationaryLstm, seed: int, units: int) -> None:
    state, xs = state_of(cell, seed), inputs_of(cell, STEPS, seed)
    h, c = state.h.tolist(), state.c.tolist()
    for x in xs:
        flags = semantics.step(cell, state, x, units)
        h, c, expected = scalar_step(cell, h, c, x.tolist())
        assert (state.h.tolist(), state.c.tolist(), flags.tolist()) == (h, c, expected)


@given(cell=lstms(), seed=SEEDS, units=st.integers(1, 8))
@few
def test_any_array_has_the_bits_of_one_big_die(cell: StationaryLstm, seed: int, units: int) -> None:
    xs = inputs_of(cell, STEPS, seed)
    ours, whole = state_of(cell, seed), state_of(cell, seed)
    split = semantics.run(cell, ours, xs, units)
    one = semantics.run(cell, whole, xs, max(cell.inputs, cell.hidden))
    assert all(np.array_equal(a, b) for a, b in zip(split, one, strict=True))
    assert np.array_equal(ours.h, whole.h)
    assert np.array_equal(ours.c, whole.c)


@given(cell=lstms(), seed=SEEDS, units=st.integers(1, 8))
@few
def test_the_kernels_have_the_bits_of_the_semantics(cell: StationaryLstm, seed: int, units: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(0, math.ldexp(100, -cell.x.fraction_bits), (STEPS, cell.inputs)).astype(np.float32)
    h, c = rng.normal(0, 1, (2, cell.hidden)).astype(np.float32)
    plain, fast = PlainExecutor(compiled(cell, units)), NativeExecutor(compiled(cell, units))
    for executor in (plain, fast):
        executor.reset(h, c)
    for _ in range(2):  # the state goes on from call to call
        ran = [executor.run(x) for executor in (plain, fast)]
        assert np.array_equal(ran[0][0], ran[1][0])
        assert np.array_equal(ran[0][1], ran[1][1])
        assert ran[0][1].shape == (STEPS, cell.columns)
    assert all(np.array_equal(a, b) for a, b in zip(plain.final(), fast.final(), strict=True))


@given(cell=lstms(), seed=SEEDS)
@few
def test_inputs_that_do_not_fit_are_counted(cell: StationaryLstm, seed: int) -> None:
    highest = cell.x.value(cell.x.highest)
    x = np.array([[0.0, highest, 2 * highest, -2 * highest - 1]] * cell.inputs, np.float32).T
    _, rows = NativeExecutor(compiled(cell, 8)).run(x)
    events = Events.of(cell, rows)
    assert events.x.tolist() == [[False] * cell.inputs, [False] * cell.inputs, *[[True] * cell.inputs] * 2]
    widths = [events.accumulators.shape[1], events.c.shape[1], events.h.shape[1]]
    assert widths == [4 * cell.hidden, cell.hidden, cell.hidden]


@given(cell=lstms(), seed=SEEDS)
@few
def test_a_reset_forgets_everything(cell: StationaryLstm, seed: int) -> None:
    x = np.random.default_rng(seed).normal(0, 1, (STEPS, cell.inputs)).astype(np.float32)
    executor = NativeExecutor(compiled(cell, 8))
    first = executor.run(x)[0]
    executor.reset(None, None)
    assert np.array_equal(executor.run(x)[0], first)
    assert LstmState(*executor.final()).h.dtype == np.float32

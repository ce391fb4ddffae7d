"""The semantics against a scalar model written straight from the equations, and against the network without deltas."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.kernels.cell import CellState, QuantisedCell
from deltawave.machines.deltarnn import semantics
from strategies import quantised_cells


def half_even(value: int, shift: int) -> int:
    if shift <= 0:
        return value << -shift
    quotient, rest = divmod(value, 1 << shift)
    twice = 2 * rest
    return quotient + (twice > 1 << shift or (twice == 1 << shift and quotient % 2 == 1))


class Scalar:
    """One neuron after the other in Python integers; sums are kept dense: W @ what was sent, plus the bias."""

    def __init__(self, cell: QuantisedCell) -> None:
        self.cell, n = cell, cell.hidden
        self.x, self.h, self.c = [0] * cell.inputs, [0] * n, [0] * n
        self.x_sent, self.h_sent, self.rh_sent = [0] * cell.inputs, [0] * n, [0] * n
        self.n, self.f, self.w = n, cell.activation.fraction_bits, cell.weight_fraction_bits

    def wrap(self, value: int) -> int:
        return int(self.cell.accumulator.narrow(value))

    def keep(self, value: int) -> int:
        return int(self.cell.activation.narrow(value))

    def heard(self, now: list[int], sent: list[int], theta: int) -> None:
        for k, value in enumerate(now):
            if value != sent[k] and abs(value - sent[k]) >= theta:
                sent[k] = value

    def product(self, weights: np.ndarray, row: int, vector: list[int]) -> int:
        return sum(int(w) * v for w, v in zip(weights[row], vector, strict=True))

    def pre(self, row: int, state: list[int]) -> int:
        x, h = (
            self.product(self.cell.weights_x, row, self.x_sent),
            self.product(self.cell.weights_h, row, state),
        )
        return self.wrap(int(self.cell.bias[row]) + x + h)

    def gate(self, row: int) -> int:
        return int(self.cell.gate(half_even(self.pre(row, self.h_sent), self.w)))

    def step(self, x: list[int]) -> list[int]:
        self.heard(x, self.x_sent, self.cell.theta_x)
        self.heard(self.h, self.h_sent, self.cell.theta_h)
        self.h = getattr(self, self.cell.kind)()
        return self.h

    def rnn(self) -> list[int]:
        return [
            self.keep(int(self.cell.candidate(half_even(self.pre(k, self.h_sent), self.w))))
            for k in range(self.n)
        ]

    def lstm(self) -> list[int]:
        n, out = self.n, []
        for k in range(n):
            i, f, o = self.gate(k), self.gate(n + k), self.gate(3 * n + k)
            g = int(self.cell.candidate(half_even(self.pre(2 * n + k, self.h_sent), self.w)))
            self.c[k] = self.keep(half_even(f * self.c[k] + i * g, self.f))
            out.append(self.keep(half_even(o * int(self.cell.output(self.c[k])), self.f)))
        return out

    def gru(self) -> list[int]:
        n, out = self.n, []
        for k in range(n):
            r, u = self.gate(k), self.gate(n + k)
            cx = self.wrap(
                int(self.cell.bias[2 * n + k]) + self.product(self.cell.weights_x, 2 * n + k, self.x_sent)
            )
            ch = self.wrap(
                int(self.cell.bias[3 * n + k]) + self.product(self.cell.weights_h, 2 * n + k, self.h_sent)
            )
            total = self.wrap(r * half_even(ch, self.w) + half_even(cx, self.w - self.f))
            out.append(self.mixed(k, u, int(self.cell.candidate(half_even(total, self.f)))))
        return out

    def gru_before(self) -> list[int]:
        n = self.n
        scaled = [self.keep(half_even(self.gate(k) * self.h[k], self.f)) for k in range(n)]
        self.heard(scaled, self.rh_sent, self.cell.theta_h)
        candidates = [
            int(self.cell.candidate(half_even(self.pre(2 * n + k, self.rh_sent), self.w))) for k in range(n)
        ]
        return [self.mixed(k, self.gate(n + k), candidates[k]) for k in range(n)]

    def mixed(self, k: int, u: int, c: int) -> int:
        one = 1 << self.f
        return self.keep(half_even((one - u) * c, self.f) + half_even(u * self.h[k], self.f))


def inputs_for(cell: QuantisedCell, seed: int, steps: int = 8) -> np.ndarray:
    rng = np.random.default_rng(seed)
    walk = rng.integers(-120, 121, (steps, cell.inputs)).cumsum(axis=0)
    return np.clip(walk, -(2**15), 2**15 - 1).astype(np.int32)


@settings(deadline=None, max_examples=150)
@given(quantised_cells(), st.integers(0, 2**32 - 1))
def test_semantics_equal_the_scalar_model(cell: QuantisedCell, seed: int) -> None:
    cell = replace(cell, accumulator_saturates=False)
    xs = inputs_for(cell, seed)
    outputs, _ = semantics.run(cell, CellState.initial(cell), xs)
    scalar = Scalar(cell)
    assert outputs.tolist() == [list(scalar.step(x.tolist())) for x in xs]


@settings(deadline=None, max_examples=60)
@given(quantised_cells(), st.integers(0, 2**32 - 1))
def test_what_was_sent_is_what_moved_by_the_threshold(cell: QuantisedCell, seed: int) -> None:
    state = CellState.initial(cell)
    for x in inputs_for(cell, seed):
        before = state.copy()
        sent = semantics.step(cell, state, x)
        moved = np.concatenate([x, before.h]) - np.concatenate([before.x_sent, before.h_sent])
        theta = np.repeat([cell.theta_x, cell.theta_h], [cell.inputs, cell.hidden])
        assert np.array_equal(sent[: len(moved)], (moved != 0) & (np.abs(moved) >= theta))


@settings(deadline=None, max_examples=40)
@given(quantised_cells(kinds=("gru", "lstm")), st.integers(0, 2**32 - 1))
def test_a_saturating_accumulator_that_never_fills_equals_a_wrapping_one(
    cell: QuantisedCell, seed: int
) -> None:
    small = replace(cell, weights_x=cell.weights_x % 3, weights_h=cell.weights_h % 3, accumulator_bits=32)
    xs = np.clip(inputs_for(cell, seed), -500, 500).astype(np.int32)
    runs = [
        semantics.run(c, CellState.initial(c), xs)[0]
        for c in (replace(small, accumulator_saturates=True), replace(small, accumulator_saturates=False))
    ]
    assert np.array_equal(*runs)

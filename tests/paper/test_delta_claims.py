"""Published figures of the delta machines and ours."""

import time

import pytest

from deltawave.machines.claims import Claim, rows
from deltawave.machines.deltarnn.paper import CLAIMS


def test_exact_figures_are_met_exactly() -> None:
    by_name = {(row["machine"], row["name"]): row["deviation"] for row in rows(CLAIMS)}
    exact = [name for name, deviation in by_name.items() if deviation == 0]
    assert {
        ("deltarnn-zynq7100", "peak throughput"),
        ("deltarnn-zynq7100", "IEU latency, 1024 elements of h, best"),
        ("deltarnn-zynq7100", "IEU latency, 1024 elements of h, worst"),
        ("deltarnn-zynq7100", "IEU latency, 40 elements of x, best"),
        ("deltarnn-zynq7100", "IEU latency, 40 elements of x, worst"),
        ("edgedrnn-minized", "peak throughput"),
        ("edgedrnn-minized", "entries of the tanh table"),
        ("edgedrnn-minized", "entries of the sigmoid table"),
        ("edgedrnn-minized", "activation pass, 768 units"),
        ("spartus-zynq7100", "cycles of a column of 4096 weights, gamma = 0.94"),
    } <= set(exact)


def test_all_claims_together_take_seconds() -> None:
    begin = time.monotonic()
    rows(CLAIMS)
    assert time.monotonic() - begin < 10


def claim(ours: float | None, reason: str = "") -> Claim:
    compute = None if ours is None else lambda: ours
    return Claim(
        machine="m",
        name="n",
        unit="x",
        reported=10.0,
        source="s",
        certainty="text",
        ours=compute,
        reason=reason,
    )


def test_the_deviation_is_relative_and_signed() -> None:
    assert claim(9.5).row()["deviation"] == -0.05
    assert claim(20.0, "why").row()["deviation"] == 1.0


def test_a_small_deviation_needs_no_reason() -> None:
    assert "reason" not in claim(10.5).row()
    assert claim(10.5, "as published").row()["reason"] == "as published"


@pytest.mark.parametrize("ours", [None, 8.0, 12.0])
def test_a_large_or_missing_one_does(ours: float | None) -> None:
    with pytest.raises(AssertionError):
        claim(ours).row()

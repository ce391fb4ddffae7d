"""Numbers as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deltawave.report.tables import (
    PREFIXES,
    digits,
    listed,
    percent,
    plain,
    quantity,
    rendered,
    shortened,
    table,
)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"),
        (22.35e-6, "s", "22.35 us"),
        (1e-6, "J", "1.000 uJ"),
        (999.96e-9, "J", "1.000 uJ"),
        (2.064e9, "op", "2.064 Gop"),
        (-3.5, "W", "-3.500 W"),
        (1e15, "op", "1,000 Top"),
        (4e-15, "J", "0.004000 pJ"),
        (math.inf, "W", "inf W"),
    ],
)
def test_quantities_have_a_prefix_and_four_digits(value: float, unit: str, text: str) -> None:
    assert quantity(value, unit) == text


@given(st.floats(1e-11, 1e14))
def test_quantities_say_the_value_to_four_digits(value: float) -> None:
    number, unit = quantity(value, "s").split()
    power = {f"{prefix}s": power for power, prefix in PREFIXES.items()}[unit]
    assert float(number.replace(",", "")) * 10.0**power == pytest.approx(value, rel=5.1e-4)
    assert len(number.replace(",", "").replace(".", "").lstrip("0")) <= 5


def test_plain_numbers() -> None:
    assert [plain(3.0), plain(44698559), plain(0.25), plain(math.inf)] == ["3", "44,698,559", "0.2500", "inf"]
    assert [digits(0.0), digits(1234.5), digits(0.00123456), percent(0.12345)] == [
        "0",
        "1,234",
        "0.001235",
        "12.3 %",
    ]


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0 %"),
        (1e-9, "< 0.1 %"),
        (0.0004, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.999, "99.9 %"),
        (0.9998, "> 99.9 %"),
        (1.0, "100.0 %"),
        (1.25, "125.0 %"),
    ],
)
def test_only_all_is_100_percent_and_only_nothing_0(share: float, text: str) -> None:
    assert percent(share) == text


def test_tables_fold_and_never_pass_their_width() -> None:
    grid = table("name", "value")
    grid.add_row("a name that is much too long for this table", "[1, 2]")
    text = rendered(grid, listed("notes", "-", ["a long note with [brackets] that must be folded"]), width=30)
    assert max(map(len, text.splitlines())) <= 30
    assert "[1, 2]" in text
    assert "[brackets]" in text
    assert "…" not in text


def test_long_names_keep_their_begin_and_end() -> None:
    assert shortened("n" * 45) == "n" * 45
    joined = "model/activation/Relu;model/conv2d/BiasAdd;model/conv2d/Conv2D1"
    assert shortened(joined) == "model/activation/Relu...;model/conv2d/Conv2D1"

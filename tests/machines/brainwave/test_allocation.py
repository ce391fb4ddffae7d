"""Places in a memory: names that are needed at the same time share none, and none is wasted without need."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.machines.brainwave.allocation import Need, lay_out

Times = tuple[int, int, int | None]
"""Entries, first and last use."""


def needs(*times: Times) -> dict[str, Need]:
    """Names in alphabetical order, which is that of their first use."""
    return {chr(ord("a") + number): Need(*each) for number, each in enumerate(times)}


def size(wanted: dict[str, Need], places: dict[str, int]) -> int:
    return max(index + wanted[name].entries for name, index in places.items())


@st.composite
def wanted_names(draw: st.DrawFn) -> dict[str, Need]:
    times = []
    for _ in range(draw(st.integers(1, 9))):
        first, lasts = draw(st.integers(0, 9)), draw(st.integers(0, 5))
        stays = draw(st.sampled_from([False, False, False, True]))
        times.append((draw(st.integers(1, 6)), first, None if stays else first + lasts))
    return needs(*sorted(times, key=lambda each: each[1]))


def used_at(need: Need, time: int) -> bool:
    return need.last is None or need.first <= time <= need.last


@settings(deadline=None, max_examples=200)
@given(wanted_names())
def test_no_entry_belongs_to_two_names_at_the_same_time(wanted: dict[str, Need]) -> None:
    places = lay_out(wanted)
    assert places.keys() == wanted.keys()
    assert min(places.values()) >= 0
    for time in range(15):
        owned = [
            entry
            for name, need in wanted.items()
            if used_at(need, time)
            for entry in range(places[name], places[name] + need.entries)
        ]
        assert len(owned) == len(set(owned))


@settings(deadline=None, max_examples=200)
@given(wanted_names())
def test_it_takes_no_less_than_is_needed_at_once_and_no_more_than_all_together(
    wanted: dict[str, Need],
) -> None:
    at_once = max(sum(need.entries for need in wanted.values() if used_at(need, time)) for time in range(15))
    all_together = sum(need.entries for need in wanted.values())
    assert at_once <= size(wanted, lay_out(wanted)) <= all_together


def test_what_stays_comes_first_in_the_order_of_first_use() -> None:
    places = lay_out(needs((3, 0, 1), (2, 1, None), (4, 2, 3), (1, 5, None)))
    assert places == {"b": 0, "d": 2, "a": 3, "c": 3}


@pytest.mark.parametrize(
    ("wanted", "places"),
    [
        # in the order of first use: if b and c, the largest, began at 0, d would have to be above a
        (needs((2, 1, 4), (4, 3, 3), (3, 4, 4), (2, 4, 5)), {"a": 0, "b": 2, "c": 2, "d": 5}),
        # the largest, d, first: in the order of first use it would end behind a hole of one entry, which a leaves
        (needs((1, 1, 4), (1, 4, 6), (1, 4, 5), (2, 5, 5)), {"a": 0, "b": 2, "c": 3, "d": 0}),
        # every other one from above: b at the end, so that c and then d find one gap before it
        (needs((3, 1, 3), (2, 3, 6), (2, 4, 5), (2, 5, 5)), {"a": 0, "b": 4, "c": 0, "d": 2}),
    ],
    ids=["in order", "largest first", "from both ends"],
)
def test_each_order_wins_somewhere(wanted: dict[str, Need], places: dict[str, int]) -> None:
    assert lay_out(wanted) == places

"""Cycles of arrays of dies against the same arrays clocked cycle by cycle, die by die and word by word."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.hardware.timeline import simulate
from deltawave.kernels.stationary_lstm import StationaryLstm
from deltawave.machines.muntaniala import MUNTANIALA, PROTOTYPE, Muntaniala, timing
from deltawave.machines.muntaniala.shapes import shaped_cell
from machines.muntaniala.clocked_array import ClockedArray
from machines.muntaniala.random_lstms import arrays, compiled, lstms, sizes

few = settings(deadline=None, max_examples=40)
STEPS = st.integers(1, 5)


def step_cycles(machine: Muntaniala, cells: list, steps: int) -> list[int]:
    (loop,) = timing.loops(machine, cells)
    return list(timing.loop_part(machine, loop, steps).step_cycles)


@given(machine=arrays(), cell=lstms(), steps=STEPS)
@few
def test_a_layer_takes_as_long_as_the_clocked_array(
    machine: Muntaniala, cell: StationaryLstm, steps: int
) -> None:
    cells = [compiled(cell, machine.units)]
    assert step_cycles(machine, cells, steps) == ClockedArray(machine, cells, steps).step_cycles()


@given(machine=arrays(), data=st.data(), steps=STEPS, count=st.integers(2, 3))
@few
def test_layers_that_feed_each_other(
    machine: Muntaniala, data: st.DataObject, steps: int, count: int
) -> None:
    cells, size = [], data.draw(sizes)
    for number in range(count):
        cell = data.draw(lstms(st.just(size)))
        cells.append(compiled(cell, machine.units, str(number), str(number - 1) if number else ""))
        size = cell.hidden
    assert step_cycles(machine, cells, steps) == ClockedArray(machine, cells, steps).step_cycles()


@given(machine=arrays(), cell=lstms(), steps=STEPS)
@few
def test_both_directions_work_side_by_side(machine: Muntaniala, cell: StationaryLstm, steps: int) -> None:
    cells = [compiled(cell, machine.units, name) for name in ("lstm", "lstm/reverse")]
    assert step_cycles(machine, cells, steps) == ClockedArray(machine, cells, steps).step_cycles()


@given(machine=arrays(), cell=lstms(), steps=STEPS, stretch=st.integers(1, 3))
@few
def test_stretches_begin_when_the_one_before_has_ended(
    machine: Muntaniala, cell: StationaryLstm, steps: int, stretch: int
) -> None:
    cells = [compiled(cell, machine.units)]

    def graph(first: int, last: int):
        return timing._graph(machine, cells, first, last)

    part = simulate("lstm", steps, graph, stretch=stretch, detail_steps=steps)
    clocked = [
        ClockedArray(machine, cells, min(stretch, steps - first)).step_cycles()
        for first in range(0, steps, stretch)
    ]
    assert list(part.step_cycles) == [cycles for part_of_run in clocked for cycles in part_of_run]


def prototype_cell() -> StationaryLstm:
    return shaped_cell(PROTOTYPE, "lstm", 192, 192).cell


def test_a_step_of_the_prototype_adds_up() -> None:
    """192 columns of four gates; 6,144 bits of sums in words of 8 bits and three cycles; 15 cycles of element-wise
    phase; hops into the last die, out of it, into the column, and down it; 768 bits of the new state."""
    cells = [compiled(prototype_cell(), 96)]
    products, sums, state = 4 * 192, 3 * 6144 // 8, 3 * 768 // 8
    assert step_cycles(PROTOTYPE, cells, 3)[1:] == 2 * [products + sums + 1 + 15 + 2 + state + 1]


def test_links_with_a_clock_of_their_own_round_up() -> None:
    half = MUNTANIALA.with_options({"link_clock_hz": MUNTANIALA.clock_hz / 2})
    slow = MUNTANIALA.with_options({"link_clock_hz": MUNTANIALA.clock_hz / 1.5})
    assert [m.link_cycles(17) for m in (MUNTANIALA, half, slow)] == [9, 18, 14]


def test_layers_in_turn_wait_for_their_weights() -> None:
    machine = MUNTANIALA.with_options({"layers": "in-turn", "units": 4, "dies": 4})
    cells = [shaped_cell(machine, "a", 7, 5), shaped_cell(machine, "b", 5, 5, "a")]
    assert timing.loops(machine, cells) == [(cells[0],), (cells[1],)]
    in_turn = timing.loop_part(machine, cells[:1], 3)
    beside = timing.loop_part(machine.with_options({"layers": "side-by-side"}), cells[:1], 3)
    bits_of_a_die = 4 * (4 * (4 + 4) + 3) * 8 + 4 * 4 * 8
    assert in_turn.step_cycles[0] - beside.step_cycles[0] == 3 * (2 * bits_of_a_die // 8)
    assert list(in_turn.step_cycles[1:]) == list(beside.step_cycles[1:])


def test_no_steps_take_no_time() -> None:
    assert len(timing.loop_part(PROTOTYPE, [compiled(prototype_cell(), 96)], 0).step_cycles) == 0


def test_dies_of_the_prototype_mostly_wait() -> None:
    cells = [compiled(prototype_cell(), 96)]
    ran = timing.timeline(PROTOTYPE, cells, {"lstm": np.zeros((20, 1), np.bool_)})
    assert timing.time_in_dies(PROTOTYPE, cells, ran) == 20 * (768 + 15) / ran.cycles < 0.25

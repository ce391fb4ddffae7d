"""Cycles of the delta machines against the same machines clocked cycle by cycle."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clocked import step_cycles
from deltawave.errors import OptionError
from deltawave.hardware.timeline import Part, simulate
from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.deltarnn import timing
from deltawave.machines.deltarnn.compiled import DeltaCell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.machine_deltarnn import DELTARNN_ZYNQ7100
from deltawave.machines.deltarnn.machine_edgedrnn import EDGEDRNN_MINIZED
from deltawave.machines.deltarnn.machine_spartus import SPARTUS_ZYNQ7100
from deltawave.machines.deltarnn.timing_spartus import balance, column_cycles
from strategies import quantised_cells

few = settings(deadline=None, max_examples=40)
small = st.integers(1, 4)


@st.composite
def deltarnns(draw: st.DrawFn) -> DeltaMachine:
    names = ("channels", "channel_pes", "memory_ports", "input_rate", "hidden_rate", "scheduler_rate")
    more = ("encoder_latency_cycles", "mxv_latency_cycles", "activation_stages", "activation_lanes")
    return replace(DELTARNN_ZYNQ7100, **{name: draw(small) for name in names + more})


@st.composite
def edgedrnns(draw: st.DrawFn) -> DeltaMachine:
    names = ("fifo_depth", "encoder_latency_cycles", "mac_latency_cycles", "activation_cycles")
    return replace(
        EDGEDRNN_MINIZED,
        **{name: draw(small) for name in names},
        pes=draw(st.sampled_from([1, 3, 16])),
        dram_bytes_per_cycle=draw(st.sampled_from([1.5, 8.0, 32.0])),
        dram_latency_cycles=draw(st.integers(0, 5)),
        weight_bits=draw(st.sampled_from([4, 8, 16])),
        bias_as_column=draw(st.booleans()),
    )


@st.composite
def spartuses(draw: st.DrawFn) -> DeltaMachine:
    names = (
        "array_pes",
        "encoder_latency_cycles",
        "mac_latency_cycles",
        "activation_lanes",
        "activation_stages",
    )
    arrays = draw(small)
    rate = arrays * draw(st.integers(1, 2))
    return replace(SPARTUS_ZYNQ7100, **{name: draw(small) for name in names}, arrays=arrays, input_rate=rate)


def sent(cell: QuantisedCell, steps: int, share: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((steps, cell.columns)) < share


def timed(machine: DeltaMachine, cell: QuantisedCell, rows: np.ndarray, *, stretch: int = 1000) -> Part:
    return simulate("cell", len(rows), machine.graphs(cell, rows), stretch=stretch, detail_steps=len(rows))


@pytest.mark.parametrize(
    "machines", [deltarnns(), edgedrnns(), spartuses()], ids=["deltarnn", "edgedrnn", "spartus"]
)
@given(
    data=st.data(),
    cell=quantised_cells(),
    share=st.sampled_from([0.0, 0.1, 0.3, 0.9, 1.0]),
    seed=st.integers(0, 99),
)
@settings(deadline=None, max_examples=150)
def test_steps_take_as_long_as_the_clocked_machine(
    machines: st.SearchStrategy[DeltaMachine],
    data: st.DataObject,
    cell: QuantisedCell,
    share: float,
    seed: int,
) -> None:
    machine, rows = data.draw(machines), sent(cell, 3, share, seed)
    assert timed(machine, cell, rows).step_cycles.tolist() == step_cycles(machine, cell, rows)


@few
@given(st.one_of(deltarnns(), edgedrnns(), spartuses()), quantised_cells(), st.integers(1, 5))
def test_stretches_change_nothing(machine: DeltaMachine, cell: QuantisedCell, stretch: int) -> None:
    rows = sent(cell, 7, 0.5, 0)
    whole, parts = timed(machine, cell, rows), timed(machine, cell, rows, stretch=stretch)
    assert whole.step_cycles.tolist() == parts.step_cycles.tolist()
    assert whole.busy_cycles == parts.busy_cycles
    assert whole.stall_cycles == parts.stall_cycles


@few
@given(st.one_of(deltarnns(), edgedrnns(), spartuses()), quantised_cells())
def test_the_engine_equals_its_plain_twin_on_machines(machine: DeltaMachine, cell: QuantisedCell) -> None:
    graph = machine.graphs(cell, sent(cell, 2, 0.4, 1))(0, 2)
    fast, plain = graph.solve(), graph.solve_plain()
    assert [s.tolist() for s in fast.starts] == [s.tolist() for s in plain.starts]
    assert fast.stalls == plain.stalls


@few
@given(st.one_of(deltarnns(), edgedrnns(), spartuses()), quantised_cells(), st.data())
def test_more_sent_never_takes_less(machine: DeltaMachine, cell: QuantisedCell, data: st.DataObject) -> None:
    rows = sent(cell, 3, 0.3, 2)
    more = rows.copy()
    more[1, data.draw(st.integers(0, cell.columns - 1))] = True
    assert timed(machine, cell, more).cycles >= timed(machine, cell, rows).cycles


@few
@given(quantised_cells(), spartuses())
def test_arrays_are_busy_for_the_columns_sent(cell: QuantisedCell, machine: DeltaMachine) -> None:
    rows = sent(cell, 4, 0.5, 3)
    part = timed(machine, cell, rows)
    busy = sum(cycles for unit, cycles in part.busy_cycles.items() if unit.startswith("array"))
    assert busy == rows.sum(axis=0) @ column_cycles(machine, cell)


def layer(name: str, cell: QuantisedCell) -> DeltaCell:
    return DeltaCell(name, cell, 0)


@few
@given(quantised_cells(kinds=("lstm",)))
def test_balance_is_one_when_one_array_does_all(cell: QuantisedCell) -> None:
    rows = sent(cell, 4, 0.5, 4)
    assert balance(replace(SPARTUS_ZYNQ7100, arrays=1), [layer("a", cell)], {"a": rows}) == 1.0
    assert 1 / 8 <= balance(SPARTUS_ZYNQ7100, [layer("a", cell)], {"a": rows}) <= 1.0


@few
@given(quantised_cells(), quantised_cells())
def test_layers_work_one_after_the_other(one: QuantisedCell, two: QuantisedCell) -> None:
    rows = {"one": sent(one, 3, 0.5, 5), "two": sent(two, 3, 0.5, 6)}
    timeline = timing.timeline(EDGEDRNN_MINIZED, [layer("one", one), layer("two", two)], rows)
    alone = [timed(EDGEDRNN_MINIZED, cell, rows[name]).cycles for name, cell in (("one", one), ("two", two))]
    assert timeline.cycles == sum(alone)
    assert {name: cycles.sum() for name, cycles in timeline.step_cycles.items()} == dict(
        zip(rows, alone, strict=True)
    )


@pytest.mark.parametrize("machine", [DELTARNN_ZYNQ7100, EDGEDRNN_MINIZED, SPARTUS_ZYNQ7100])
@given(cell=quantised_cells())
@settings(deadline=None, max_examples=5)
def test_a_silent_step_scans_and_activates(machine: DeltaMachine, cell: QuantisedCell) -> None:
    rows = np.zeros((2, cell.columns), np.bool_)
    assert timed(machine, cell, rows).step_cycles.tolist() == step_cycles(machine, cell, rows)


@pytest.mark.parametrize(
    ("machine", "name", "value", "low"),
    [
        (DELTARNN_ZYNQ7100, "channel_pes", 0, 1),
        (EDGEDRNN_MINIZED, "fifo_depth", 0, 1),
        (EDGEDRNN_MINIZED, "dram_bytes_per_cycle", 0.5, 1),
        (EDGEDRNN_MINIZED, "dram_latency_cycles", -1, 0),
        (EDGEDRNN_MINIZED, "clock_hz", float("nan"), 1),
        (SPARTUS_ZYNQ7100, "input_rate", 1 << 41, 1),
    ],
)
def test_sizes_out_of_range_are_refused(machine: DeltaMachine, name: str, value: float, low: int) -> None:
    with pytest.raises(OptionError) as refusal:
        replace(machine, **{name: value})
    assert str(refusal.value) == (
        f"{machine.name}: {name} = {value} is out of range; it goes from {low} to {1 << 40}"
    )


@few
@given(st.one_of(deltarnns(), edgedrnns(), spartuses()), quantised_cells())
def test_every_cycle_hangs_on_a_unit(machine: DeltaMachine, cell: QuantisedCell) -> None:
    part = timed(machine, cell, sent(cell, 3, 0.5, 7))
    assert sum(part.detail.critical_cycles().values()) == part.cycles


@pytest.mark.parametrize("machine", [DELTARNN_ZYNQ7100, EDGEDRNN_MINIZED, SPARTUS_ZYNQ7100])
@given(cell=quantised_cells())
@settings(deadline=None, max_examples=5)
def test_no_steps_take_no_time(machine: DeltaMachine, cell: QuantisedCell) -> None:
    part = timed(machine, cell, np.zeros((0, cell.columns), np.bool_))
    assert part.cycles == 0
    assert set(part.busy_cycles.values()) == {0}

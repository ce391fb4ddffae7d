"""Energy, area and traffic of the delta machines."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from deltawave.hardware.cost import Cost
from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.deltarnn.compiled import DeltaCell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.machine_deltarnn import DELTARNN_ZYNQ7100
from deltawave.machines.deltarnn.machine_edgedrnn import EDGEDRNN_MINIZED
from deltawave.machines.deltarnn.machine_spartus import SPARTUS_ZYNQ7100
from deltawave.sparsity.cbcsc import encode
from strategies import quantised_cells

MACHINES = (DELTARNN_ZYNQ7100, EDGEDRNN_MINIZED, SPARTUS_ZYNQ7100)
few = settings(deadline=None, max_examples=25)
every_machine = pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)


def cost_of(machine: DeltaMachine, cell: QuantisedCell, rows: np.ndarray) -> Cost:
    cells, activity = [DeltaCell("cell", cell, 0)], {"cell": rows}
    return machine.cost(cells, activity, machine.timeline(cells, activity))


def some(cell: QuantisedCell, share: float) -> np.ndarray:
    return np.random.default_rng(0).random((5, cell.columns)) < share


@few
@given(cell=quantised_cells())
def test_all_sent_moves_every_weight(cell: QuantisedCell) -> None:
    machine = replace(DELTARNN_ZYNQ7100, weight_bits=8)
    traffic = cost_of(machine, cell, some(cell, 1.0)).traffic[0]
    assert traffic.bytes_moved == traffic.bytes_dense == 5 * (cell.weights_x.size + cell.weights_h.size)


@every_machine
@few
@given(cell=quantised_cells())
def test_nothing_sent_moves_nothing(machine: DeltaMachine, cell: QuantisedCell) -> None:
    cost = cost_of(machine, cell, some(cell, 0.0))
    assert [row.bytes_moved for row in cost.traffic] == [0, 0]
    energy = {row.name: row.picojoules for row in cost.energy}
    assert energy["multiply-accumulate"] == energy[f"weights from {machine.weight_store}"] == 0
    assert energy["delta encoder"] > 0
    assert (energy["activations"] > 0) == (cell.kind != "rnn")


@pytest.mark.parametrize("machine", [DELTARNN_ZYNQ7100, EDGEDRNN_MINIZED], ids=lambda machine: machine.name)
@few
@given(cell=quantised_cells())
def test_no_more_is_moved_than_by_a_dense_network(machine: DeltaMachine, cell: QuantisedCell) -> None:
    """Not so on Spartus, where the indices of weights that are not sparse come on top."""
    traffic = cost_of(machine, cell, some(cell, 0.7)).traffic[0]
    assert traffic.bytes_moved <= traffic.bytes_dense


@few
@given(cell=quantised_cells(kinds=("lstm",)))
def test_spartus_moves_the_entries_of_its_format(cell: QuantisedCell) -> None:
    packed = encode(np.hstack([cell.weights_x, cell.weights_h]), SPARTUS_ZYNQ7100.array_pes, 8)
    traffic = cost_of(SPARTUS_ZYNQ7100, cell, some(cell, 1.0)).traffic[0]
    assert traffic.bytes_moved == 5 * packed.bytes(8, 8)


@few
@given(cell=quantised_cells(kinds=("gru",)))
def test_edgedrnn_moves_columns_padded_to_its_elements(cell: QuantisedCell) -> None:
    padded = -(-cell.hidden // 8) * 8
    traffic = cost_of(EDGEDRNN_MINIZED, cell, some(cell, 1.0)).traffic[0]
    assert traffic.bytes_moved == 5 * 3 * padded * cell.columns


@every_machine
@few
@given(cell=quantised_cells())
def test_bases_are_kept_apart(machine: DeltaMachine, cell: QuantisedCell) -> None:
    cost = cost_of(machine, cell, some(cell, 0.5))
    assert cost.basis == "operations, 28 nm"
    assert cost.energy_pj == sum(row.picojoules for row in cost.energy if row.basis == cost.basis)
    assert all(row.source for row in (*cost.energy, *cost.area))


@every_machine
@few
@given(cell=quantised_cells())
def test_measured_power_times_duration(machine: DeltaMachine, cell: QuantisedCell) -> None:
    rows = some(cell, 0.5)
    cells = [DeltaCell("cell", cell, 0)]
    seconds = machine.timeline(cells, {"cell": rows}).seconds
    published = [row for row in cost_of(machine, cell, rows).energy if row.basis.startswith("published")]
    watts = {
        "deltarnn-zynq7100": [7.3],
        "edgedrnn-minized": [2.3, 2.42],
        "spartus-zynq7100": [8.4, 9.4 / 1.1],
    }
    measured = watts[machine.name] if cell.kind in machine.published_cells else []
    assert [row.picojoules for row in published] == [w * seconds * 1e12 for w in measured]


@every_machine
@few
@given(cell=quantised_cells())
def test_no_measured_power_for_a_machine_that_was_not_built(
    machine: DeltaMachine, cell: QuantisedCell
) -> None:
    cost = cost_of(replace(machine, clock_hz=1e6), cell, some(cell, 0.5))
    assert {row.basis for row in cost.energy} == {cost.basis}
    assert not {"LUT", "FF"} & {row.name for row in cost.area}


@pytest.mark.parametrize(
    ("machine", "multipliers"), [(m, n) for m, n in zip(MACHINES, (768, 8, 512), strict=True)]
)
@settings(deadline=None, max_examples=3)
@given(cell=quantised_cells())
def test_multipliers_and_memories_make_the_area(
    machine: DeltaMachine, multipliers: int, cell: QuantisedCell
) -> None:
    area = {row.name: row.amount for row in cost_of(machine, cell, some(cell, 0.5)).area}
    memories = machine.on_chip_bits([cell])
    assert area["DSP48E1"] == multipliers
    assert area["BRAM36"] == sum(-(-bits // 36_864) for bits in memories.values())
    assert area["memories"] > 0
    assert area["multipliers"] == pytest.approx(
        multipliers * machine.weight_bits * 16 * 3110 / 256 * (28 / 45) ** 2 / 1e6
    )


@few
@given(cell=quantised_cells(kinds=("gru_before",)))
def test_a_gru_has_three_products_a_neuron_wherever_its_reset_is(cell: QuantisedCell) -> None:
    after = replace(cell, kind="gru", bias=np.zeros(4 * cell.hidden, np.int32))
    before, expected = (
        {row.name: row.picojoules for row in cost_of(DELTARNN_ZYNQ7100, c, some(c, 0.0)).energy}
        for c in (cell, after)
    )
    assert before["activations"] == expected["activations"]

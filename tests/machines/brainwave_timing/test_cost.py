"""Energy, area, traffic and figures of the Brainwave NPU."""

from dataclasses import replace

import numpy as np
import pytest

from deltawave.hardware import constants
from deltawave.hardware.cost import Cost
from deltawave.machines.base import CompiledCell, Samples
from deltawave.machines.brainwave.cell_programs import CellShape, cell_program
from deltawave.machines.brainwave.cost import OPERATIONS, Work, of_step
from deltawave.machines.brainwave.machine import BW_A10, BW_S5, BW_S10, Brainwave
from deltawave.network.layers import Cell

STEPS = 7
SMALL = replace(BW_S10, native_dim=8, lanes=4, mfu_lanes=4)


def rnn(machine: Brainwave, name: str = "rnn", inputs: int = 6, hidden: int = 10) -> CompiledCell:
    rng = np.random.default_rng(0)
    weights_x, weights_h = (rng.normal(size=(hidden, n)).astype(np.float32) for n in (inputs, hidden))
    bias = np.zeros(hidden, np.float32)
    cell = Cell(
        kind="rnn",
        weights_x=weights_x,
        weights_h=weights_h,
        bias_x=bias,
        bias_h=bias,
        activations=("", "tanh", ""),
    )
    return machine.compile(name, cell, Samples(None, None))


def cost_of(machine: Brainwave, *cells: CompiledCell) -> Cost:
    activity = {cell.name: np.ones((STEPS, 1), np.bool_) for cell in cells}
    return machine.cost(cells, activity, machine.timeline(cells, activity))


def test_what_a_step_does() -> None:
    # x of 1 vector, h of 2; xt is written and read; 2 + 4 tiles, bias and xW added, tanh
    program = cell_program(CellShape("rnn", 1, 2, ("tanh", "tanh", "tanh"))).program
    moved = 1 + 1 + 2 + 2 + 2 + 2 + 2  # xt twice, bias, xW written, h read, xW read, h written
    assert of_step(program) == Work(tiles=6, tiles_read=6, added=4, activated=2, moved=moved, queued=1 + 2)


def test_the_energy_is_that_of_its_operations() -> None:
    energy = {row.name: row.picojoules for row in cost_of(SMALL, rnn(SMALL)).energy}
    bits = STEPS * 6 * 8 * (8 * 3 + 5)
    assert energy["weights from MatrixRf"] == bits * constants.SRAM_BIT.scaled
    assert energy["float16 additions"] == STEPS * 4 * 8 * constants.FLOAT_ADD_16.scaled
    assert energy["float16 multiplications"] == 0
    assert energy["sums over tiles"] == STEPS * 6 * 8 * constants.FLOAT_ADD_32.scaled


def test_every_row_has_a_source_and_the_headline_counts_operations_only() -> None:
    cost = cost_of(BW_S10, rnn(BW_S10))
    assert all(row.source for row in (*cost.energy, *cost.area))
    assert cost.basis == OPERATIONS
    assert cost.energy_pj == sum(row.picojoules for row in cost.energy if row.basis == OPERATIONS)


def test_two_cells_take_the_sum_of_both() -> None:
    one, two = rnn(SMALL, "one"), rnn(SMALL, "two", 20, 3)
    apart = cost_of(SMALL, one).energy_pj + cost_of(SMALL, two).energy_pj
    assert cost_of(SMALL, one, two).energy_pj == pytest.approx(apart, rel=1e-12)


def test_padding_is_traffic_beyond_the_dense_weights() -> None:
    weights = cost_of(SMALL, rnn(SMALL)).traffic[0]
    assert weights.bytes_moved == -(-STEPS * 6 * 8 * (8 * 3 + 5) // 8)
    assert weights.bytes_dense == -(-STEPS * 10 * 16 * 3 // 8)


@pytest.mark.parametrize("machine", [BW_S5, BW_A10, BW_S10], ids=lambda machine: machine.name)
def test_only_bw_s10_has_a_published_power(machine: Brainwave) -> None:
    cell = rnn(machine)
    seconds = machine.timeline([cell], {"rnn": np.ones((STEPS, 1), np.bool_)}).seconds
    published = [row.picojoules for row in cost_of(machine, cell).energy if row.basis != OPERATIONS]
    assert published == ([125.0 * seconds * 1e12] if machine is BW_S10 else [])


@pytest.mark.parametrize(
    "changes", [{"tile_engines": 5}, {"mantissa_bits": 5}, {"mrf_tiles": 305}, {"clock_hz": 200e6}]
)
def test_other_parameters_have_no_published_figures(changes: dict[str, float]) -> None:
    machine = replace(BW_S10, **changes)
    cost = cost_of(machine, rnn(machine))
    assert {row.basis for row in cost.energy} == {OPERATIONS}
    assert not [row.name for row in cost.area if "as built" in row.name]


def test_figures_say_how_far_the_run_is_from_its_bounds() -> None:
    cell, activity = rnn(BW_S10), {"rnn": np.ones((STEPS, 1), np.bool_)}
    figures = {figure.name: figure.value for figure in BW_S10.figures([cell], activity)}
    cycles = BW_S10.timeline([cell], activity).cycles
    assert figures == {
        "devices": 1,
        "utilisation": STEPS * 10 * 16 / (cycles * 96_000),
        "critical path, UDM": STEPS * 8,
        "critical path, SDM": STEPS * 9,
        "this machine": cycles,
    }


def test_a_run_without_steps_costs_nothing() -> None:
    cell, activity = rnn(BW_S10), {"rnn": np.ones((0, 1), np.bool_)}
    cost = BW_S10.cost([cell], activity, BW_S10.timeline([cell], activity))
    assert cost.energy_pj == 0
    figures = {figure.name: figure.value for figure in BW_S10.figures([cell], activity)}
    assert figures["utilisation"] == 0.0

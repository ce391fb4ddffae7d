"""Energy, area, traffic and figures of the Brainwave NPU."""

from dataclasses import replace

import numpy as np
import pytest

from deltawave.hardware import constants
from deltawave.hardware.cost import Cost
from deltawave.machines.base import Compiled, CompiledCell, Samples
from deltawave.machines.brainwave.cell_programs import CellShape, cell_program
from deltawave.machines.brainwave.cost import OPERATIONS, Work, of_step
from deltawave.machines.brainwave.listing import parse
from deltawave.machines.brainwave.machine import BW_A10, BW_S5, BW_S10, Brainwave
from deltawave.machines.program import compile_network
from deltawave.network import load
from deltawave.network.layers import Cell
from machines.brainwave.drawn_networks import Sketch
from network.onnx_models import constants as stored_constants
from network.onnx_models import model, value

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


def cost_of(machine: Brainwave, *cells: Compiled) -> Cost:
    activity = {cell.name: np.ones((STEPS, 1), np.bool_) for cell in cells}
    return machine.cost(cells, activity, machine.timeline(cells, activity))


def test_what_a_step_does() -> None:
    # x of 1 vector, h of 2; xt is written and read; 2 + 4 tiles, bias and xW added, tanh
    program = cell_program(CellShape("rnn", 1, 2, ("tanh", "tanh", "tanh"))).program
    moved = 1 + 1 + 2 + 2 + 2 + 2 + 2  # xt twice, bias, xW written, h read, xW read, h written
    assert of_step(program) == Work(tiles=6, tiles_read=6, added=4, activated=2, moved=moved, queued=1 + 2)


WINDOWED = """
    window native=4 height=3 width=3 channels=5 kernel_height=2 kernel_width=2 rows=2 columns=2
    preamble
    body
      s_wr rows 3
      s_wr cols 5
      m_rd DRAM 0
      m_wr MatrixRf 0
      end_chain
      s_wr window 1
      v_rd InitialVrf 0
      mv_mul 0
      vv_add 0
      vv_mul 0 each
      v_relu
      v_wr InitialVrf 100
      v_wr NetQ
      end_chain
"""


def test_what_a_chain_under_windows_does() -> None:
    work = of_step(parse(WINDOWED))
    windows, vectors = 4, 4 * 3
    assert work.loaded == 3 * 5
    assert work.tiles == work.tiles_read == windows * 3 * 5
    assert (
        of_step(parse(WINDOWED), sharing=3).tiles_read == 2 * 3 * 5
    )  # once for three windows, once for the last
    assert (work.added, work.multiplied, work.activated, work.queued) == (vectors, vectors, vectors, vectors)
    # what is read of the map, both operands, what is written; the bias is read for every window
    assert work.moved == windows * 5 + vectors + vectors + vectors


def dense_cells(machine: Brainwave) -> list[Compiled]:
    """Two dense layers of 12 x 12, of 2 x 2 tiles each."""
    sketch = Sketch(np.random.default_rng(0))
    a = sketch.add("Gemm", ["x", sketch.store(12, 12)], (12,))
    b = sketch.add("Gemm", [a, sketch.store(12, 12)], (12,))
    x, y = value("x", ["N", 12]), value(b, ["N", 12])
    network = load(model(sketch.nodes, [x], [y], stored_constants(**sketch.stored)))
    return list(compile_network(network, machine).cells.values())


def test_several_devices_multiply_the_area_and_the_power() -> None:
    one, two = BW_S10, replace(SMALL, mrf_tiles=4)
    area = {row.name: row.amount for row in cost_of(SMALL, *dense_cells(SMALL)).area}
    doubled = {row.name: row.amount for row in cost_of(two, *dense_cells(two)).area}
    assert doubled["multipliers"] == 2 * area["multipliers"]
    assert doubled["memories"] == 2 * cost_of(two, *dense_cells(two)[:1]).area[-1].amount
    cells = [rnn(one, str(number), 4000, 4000) for number in range(2)]  # 200 tiles each
    power = [row for row in cost_of(one, *cells).energy if row.basis != OPERATIONS]
    activity = {cell.name: np.ones((STEPS, 1), np.bool_) for cell in cells}
    seconds = one.timeline(cells, activity).seconds
    assert [(row.name, row.picojoules) for row in power] == [("power of 2 FPGAs", 2 * 125.0 * seconds * 1e12)]


def test_only_weights_that_stream_cost_energy_and_traffic_of_dram() -> None:
    streams = replace(SMALL, mrf_tiles=4, dram_bytes_per_cycle=1)
    pinned, streamed = (cost_of(machine, *dense_cells(machine)) for machine in (SMALL, streams))
    name, bits = "weights from DRAM", STEPS * 8 * 8 * (8 * 3 + 5)
    assert name not in {row.name for row in (*pinned.energy, *pinned.traffic)}
    energy = {row.name: row.picojoules for row in streamed.energy}
    traffic = {row.name: row.bytes_moved for row in streamed.traffic}
    assert energy[name] == bits * constants.DRAM_BIT.scaled
    assert traffic[name] == -(-bits // 8)


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

"""Bounds of the critical-path analysis."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.machines.brainwave import timing
from deltawave.machines.brainwave.cell_programs import CellShape, cell_program
from deltawave.machines.brainwave.critical_path import (
    Path,
    Sizes,
    layer_udm_cycles,
    sdm_cycles,
    udm_cycles,
)
from deltawave.machines.brainwave.isa import Opcode, Window
from deltawave.machines.brainwave.layer_programs import LayerShape
from deltawave.machines.brainwave.machine import BW_S10
from deltawave.machines.program import compile_network
from deltawave.network import load
from machines.brainwave.drawn_networks import Sketch
from network.onnx_models import constants, model, value

KINDS = ("lstm", "gru", "gru_before", "rnn")


@pytest.mark.parametrize(
    ("sizes", "cycles"),
    [
        (Sizes("lstm", 2000, 2000), 19),
        (Sizes("gru_before", 2800, 2800), 31),
        (Sizes("gru", 2800, 2800), 18),
        (Sizes("lstm", 2000, 2000, has_peepholes=True), 21),
        (Sizes("rnn", 1, 1), 4),
        (Sizes("rnn", 5, 2), 7),
    ],
)
def test_longest_paths(sizes: Sizes, cycles: int) -> None:
    assert udm_cycles(sizes) == cycles


def test_products() -> None:
    assert Sizes("lstm", 3, 5).products == 4 * 5 * (3 + 5)
    assert Sizes("gru", 3, 5).operations == 2 * 3 * 5 * (3 + 5)


@settings(deadline=None, max_examples=40)
@given(kind=st.sampled_from(KINDS), inputs=st.integers(1, 3000), hidden=st.integers(1, 3000))
def test_the_machine_is_above_both_bounds(kind: str, inputs: int, hidden: int) -> None:
    sizes = Sizes(kind, inputs, hidden)
    udm, sdm = udm_cycles(sizes), sdm_cycles(sizes, BW_S10.multipliers)
    vectors = (-(-size // BW_S10.native_dim) for size in (inputs, hidden))
    program = cell_program(CellShape(kind, *vectors, ("sigmoid", "tanh", "tanh"))).program
    assert udm < sdm < timing.part(BW_S10, "cell", program, 3).step_cycles.min()


def test_unlimited_multipliers_leave_one_cycle_of_products() -> None:
    sizes = Sizes("gru_before", 100, 100)
    assert sdm_cycles(sizes, 10**9) == udm_cycles(sizes) + 1


def window(height: int, channels: int, kernel: int) -> Window:
    rows = height - kernel + 1
    return Window(4, height, height, channels, kernel, kernel, rows=rows, columns=rows)


@pytest.mark.parametrize(
    ("shape", "cycles"),
    [
        # 28 x 28 pixels of 128 channels, 128 kernels of 3 x 3: multiply, 11 levels of 1,152 products, add the bias
        (LayerShape("product", window(28, 128, 3), 128), 13),
        (LayerShape("product", window(28, 128, 3), 128, groups=2), 12),
        (LayerShape("product", window(1, 500, 1), 3), 11),
        (LayerShape("product", window(1, 1, 1), 1), 2),
        (LayerShape("depthwise", window(5, 6, 3), 6), 6),
        (LayerShape("maximum", window(5, 6, 3), 6), 4),
        (LayerShape("average", window(5, 6, 2), 6), 3),
        (LayerShape("pointwise", window(5, 6, 1), 6, Opcode.VV_ADD), 1),
    ],
)
def test_longest_paths_of_layers_without_state(shape: LayerShape, cycles: int) -> None:
    assert layer_udm_cycles(shape) == cycles


def test_the_path_through_a_network_is_the_longer_branch_and_products_come_one_after_another() -> None:
    # x -> a, 40 to 40 -> b, 40 to 40 -> tanh -> a + it
    sketch = Sketch(np.random.default_rng(0))
    a = sketch.add("Gemm", ["x", sketch.store(40, 40)], (40,))
    b = sketch.add("Gemm", [a, sketch.store(40, 40)], (40,))
    y = sketch.add("Add", [a, sketch.add("Tanh", [b], (40,))], (40,))
    network = load(
        model(sketch.nodes, [value("x", ["N", 40])], [value(y, ["N", 40])], constants(**sketch.stored))
    )
    cells = list(compile_network(network, BW_S10).cells.values())
    (loop,) = BW_S10.plan(cells)
    path = Path.of(loop, cells)
    assert path.udm_cycles == (2 + 6) + (2 + 6) + 1 + 1
    assert path.sdm_cycles(1000) == path.udm_cycles + 2 + 2


@pytest.mark.parametrize(("mrf_tiles", "devices"), [(400, 1), (200, 2), (100, 4)])
def test_products_may_run_on_all_devices_at_the_same_time(mrf_tiles: int, devices: int) -> None:
    sizes = {
        "native_dim": 4,
        "lanes": 2,
        "mfu_lanes": 4,
        "tile_engines": 1,
        "loop_cycles": 0,
        "issue_cycles": 1,
    }
    machine = replace(BW_S10, mrf_tiles=mrf_tiles, **sizes)
    sketch, x = Sketch(np.random.default_rng(0)), "x"
    for _ in range(4):  # 100 tiles each
        x = sketch.add("Gemm", [x, sketch.store(40, 40)], (40,))
    network = load(
        model(sketch.nodes, [value("x", ["N", 40])], [value(x, ["N", 40])], constants(**sketch.stored))
    )
    cells = list(compile_network(network, machine).cells.values())
    udm, sdm, step = (figure.value for figure in machine.bounds(cells))
    assert udm == 4 * (2 + 6)
    assert sdm == udm + 4 * 40 * 40 // (8 * devices)
    assert sdm <= step

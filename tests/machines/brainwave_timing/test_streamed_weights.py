"""Cycles where weights stream from DRAM."""

from dataclasses import replace

import pytest

from deltawave.hardware.tasks import TaskGraph
from deltawave.machines.brainwave import BW_CNN_A10
from deltawave.machines.brainwave.device import device_program
from deltawave.machines.brainwave.grouping import Resident
from deltawave.machines.brainwave.isa import Window
from deltawave.machines.brainwave.layer_programs import LayerShape
from deltawave.machines.brainwave.timing import Body

TILES = 4
SMALL = replace(BW_CNN_A10, native_dim=8, lanes=2, tile_engines=3, mrf_tiles=TILES, mfu_lanes=16)


def pixelwise(name: str, source: str = "") -> Resident:
    """A convolution of 1 x 1 on a map of 5 x 5, of 2 x 2 tiles."""
    window = Window(SMALL.native_dim, 5, 5, 16, rows=5, columns=5)
    return Resident(name, LayerShape("product", window, 16), (source,))


@pytest.mark.parametrize("steps", [1, 3])
def test_a_run_ends_with_the_last_write(steps: int) -> None:
    layers = [pixelwise("first"), pixelwise("second", "first")]
    program = device_program(layers, mfus=SMALL.mfus, streamed_tiles=TILES).assembled.program
    graph = TaskGraph()
    Body(SMALL, program).add_to(graph, 0, steps)
    schedule = graph.solve()
    assert "DRAM" in [unit.name for unit in graph.units]
    assert schedule.steps == steps
    assert schedule.step_ends()[-1] == schedule.end

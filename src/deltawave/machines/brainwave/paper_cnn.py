"""Published figures of the Brainwave NPU on convolutions, and ours.

No instance that ran them is described. Ours are of our own making, see `machine_cnn`: nothing about them was chosen by
what comes out here.
"""

from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from deltawave.machines.brainwave import timing
from deltawave.machines.brainwave.critical_path import layer_udm_cycles
from deltawave.machines.brainwave.device import device_program
from deltawave.machines.brainwave.grouping import Resident
from deltawave.machines.brainwave.isa import Window
from deltawave.machines.brainwave.layer_programs import LayerShape
from deltawave.machines.brainwave.machine import BW_S10, Brainwave
from deltawave.machines.brainwave.machine_cnn import BW_CNN_A10
from deltawave.machines.brainwave.published import TABLE_1, TABLE_6, TALK, TOP_PICKS
from deltawave.machines.brainwave.resnet50 import resnet50
from deltawave.machines.brainwave.restore import unit
from deltawave.machines.claims import Claim
from deltawave.machines.program import compile_network
from deltawave.network import load

IN_PLACE_GBIT_PER_S = 10.0**6  # the paper counts a layer of a network: its map is on the chip already
CNN_VARIANT = replace(
    BW_CNN_A10,
    name="bw-cnn-n128",
    clock_hz=BW_S10.clock_hz,
    native_dim=128,
    lanes=32,
    tile_engines=24,
    link_gbit_per_s=IN_PLACE_GBIT_PER_S,
)
"""Ours, for the convolution of Table I: about as many multipliers as BW_S10 (98,304 for 96,000), and a native dimension
that 128 channels fill."""

BW_S10_IN_PLACE = replace(BW_S10, link_gbit_per_s=IN_PLACE_GBIT_PER_S)
LAYER = "CNN 28 x 28 x 128, 128 kernels of 3 x 3"
VARIANT = "the instance is not published; ours is a CNN variant of 24 engines of 128 x 32 multipliers"
IN_A_STREAM = f"{VARIANT}; as in all steps here, what can overlap with the step before does"
ALONE = (
    f"{VARIANT}; from its first instruction to its last write, with the loop control calibrated on Table V"
)
ON_BW_S10 = "the RNN instance of Table III: 128 kernels fill 128 of 400 rows, and 3 tiles 3 of 6 engines"
PATH_INCLUDED = "ours adds the path that follows the products, as for RNNs"
CHOSEN = "its number of engines was chosen so"
OWN_INSTANCE = (
    "the instance is not published but for its number format and device. Ours has the peak of the talk, native vectors "
    "of 64 that all channel counts fill, and DRAM at its full rate; the image comes in over 40 Gbit/s, theirs over PCIe"
)


def convolution(machine: Brainwave) -> LayerShape:
    """The convolution of Table I."""
    window = Window(machine.native_dim, 28, 28, 128, 3, 3, top=1, left=1, rows=28, columns=28)
    return LayerShape("product", window, 128)


@cache
def convolution_cycles(machine: Brainwave, steps: int) -> int:
    """Cycles of so many runs of it, one invocation for all."""
    layer = Resident("convolution", convolution(machine))
    program = device_program([layer], mfus=machine.mfus).assembled.program
    return timing.part(machine, "layer", program, steps).cycles


def step_cycles(machine: Brainwave) -> float:
    """Cycles of a step, the invocation not counted."""
    return convolution_cycles(machine, 101) - convolution_cycles(machine, 100)


def cycles_alone(machine: Brainwave) -> float:
    """Cycles of a single run, the invocation not counted."""
    return convolution_cycles(machine, 1) - machine.invocation_cycles


def convolution_sdm_cycles() -> float:
    """Cycles with the multipliers of BW_S10 and everything else without limit."""
    shape = convolution(BW_S10)
    return -(-shape.products // BW_S10.multipliers) + layer_udm_cycles(shape)


@dataclass(frozen=True)
class Image:
    """What an image takes: operations, two a product, and seconds."""

    operations: int
    seconds: float


@cache
def image() -> Image:
    """A run of ResNet-50 without its last dense layer, which the paper excludes, on BW_CNN_A10."""
    program = compile_network(load(resnet50(classes=0)), BW_CNN_A10)
    cells = list(program.cells.values())
    once = {cell.name: np.ones((1, 1), np.bool_) for cell in cells}
    operations = 2 * sum(unit(cell).products for cell in cells)
    return Image(operations, BW_CNN_A10.timeline(cells, once).seconds)


def milliseconds() -> float:
    """Of an image."""
    return 1e3 * image().seconds


def images_per_second() -> float:
    """One after another."""
    return 1 / image().seconds


def teraflops() -> float:
    """Operations over time."""
    return image().operations / image().seconds / 1e12


def utilisation_percent() -> float:
    """Of all multipliers."""
    return 100 * teraflops() / (BW_CNN_A10.peak_flops / 1e12)


table_1 = partial(Claim, source=TABLE_1, certainty="text", unit="cycle")
resnet = partial(Claim, machine=BW_CNN_A10.name)
CONVOLUTION = (
    table_1(
        machine=BW_S10.name,
        name=f"{LAYER}, operations",
        unit="MOp",
        reported=231,
        ours=lambda: 2 * convolution(BW_S10).products / 1e6,
    ),
    table_1(
        machine=BW_S10.name,
        name=f"{LAYER}, UDM",
        reported=13,
        ours=lambda: layer_udm_cycles(convolution(BW_S10)),
    ),
    table_1(
        machine=BW_S10.name,
        name=f"{LAYER}, SDM",
        reported=1204,
        ours=convolution_sdm_cycles,
        reason=PATH_INCLUDED,
    ),
    *(
        table_1(machine=machine.name, name=f"{LAYER}, {what}", reported=1326, ours=ours, reason=reason)
        for machine, what, ours, reason in (
            (CNN_VARIANT, "step", partial(step_cycles, CNN_VARIANT), IN_A_STREAM),
            (CNN_VARIANT, "alone", partial(cycles_alone, CNN_VARIANT), ALONE),
            (BW_S10, "step", partial(step_cycles, BW_S10_IN_PLACE), ON_BW_S10),
        )
    ),
)
RESNET50 = (
    resnet(
        name="peak throughput",
        unit="TFLOP/s",
        reported=7.1,
        source=f"{TALK}: 4.7 TFLOP/s at 66 %",
        certainty="derived",
        ours=lambda: BW_CNN_A10.peak_flops / 1e12,
        reason=CHOSEN,
    ),
    resnet(
        name="ResNet-50, operations of an image",
        unit="GOp",
        reported=7.7,
        source=TALK,
        certainty="seed",
        ours=lambda: image().operations / 1e9,
    ),
    *(
        resnet(
            name=f"ResNet-50, batch 1, {what}",
            unit=unit_of,
            reported=reported,
            source=source,
            certainty=certainty,
            ours=ours,
            reason=OWN_INSTANCE,
        )
        for what, unit_of, reported, source, certainty, ours in (
            ("latency, 2018", "ms", 1.8, TABLE_6, "text", milliseconds),
            ("throughput, 2018", "image/s", 559, TABLE_6, "text", images_per_second),
            ("latency, talk", "ms", 1.64, TALK, "seed", milliseconds),
            ("effective throughput, talk", "TFLOP/s", 4.7, TALK, "seed", teraflops),
            ("utilisation, talk", "%", 66, TALK, "seed", utilisation_percent),
            ("latency, 2019", "ms", 1.48, TOP_PICKS, "text", milliseconds),
            ("throughput, 2019", "image/s", 676, TOP_PICKS, "text", images_per_second),
        )
    ),
)
CNN_CLAIMS = (*CONVOLUTION, *RESNET50)

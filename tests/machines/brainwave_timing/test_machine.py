"""What the Brainwave NPU takes, and which parameters make none."""

from dataclasses import replace

import numpy as np
import pytest

from deltawave.errors import CapacityError, OptionError
from deltawave.machines.base import Samples, Verdict
from deltawave.machines.brainwave.machine import BW_A10, BW_S5, BW_S10, Brainwave
from deltawave.network.flow import Feed, Place
from deltawave.network.layers import Cell, Conv, Dense, Layer, Opaque, Pointwise, Pool, Recurrent

RANGE = " is out of range; it goes from "


def cell(kind: str = "lstm", hidden: int = 4, **changes: object) -> Cell:
    rows = {"lstm": 4, "gru": 3, "rnn": 1}[kind] * hidden
    weights, bias = np.zeros((rows, hidden), np.float32), np.zeros(rows, np.float32)
    made = Cell(
        kind=kind,
        weights_x=weights,
        weights_h=weights,
        bias_x=bias,
        bias_h=bias,
        activations=("sigmoid", "tanh", "tanh"),
    )
    return replace(made, **changes)


def layer(*cells: Cell) -> Recurrent:
    return Recurrent(name="layer", kind="LSTM", inputs=("x",), outputs=("y",), cells=cells)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lanes": 0}, f"bw-s10: lanes = 0{RANGE}1 to 1048576"),
        ({"tile_engines": 0}, f"bw-s10: tile_engines = 0{RANGE}1 to 1048576"),
        ({"mfus": -1}, f"bw-s10: mfus = -1{RANGE}1 to 1048576"),
        ({"mrf_tiles": 1 << 21}, f"bw-s10: mrf_tiles = 2097152{RANGE}1 to 1048576"),
        ({"dispatch_cycles": -1}, f"bw-s10: dispatch_cycles = -1{RANGE}0 to 1048576"),
        ({"mantissa_bits": 1}, f"bw-s10: mantissa_bits = 1{RANGE}2 to 5"),
        ({"mantissa_bits": 6}, f"bw-s10: mantissa_bits = 6{RANGE}2 to 5"),
        ({"clock_hz": 0.0}, f"bw-s10: clock_hz = 0.0{RANGE}1 to 1000000000000"),
        (
            {"lanes": 30},
            "bw-s10: lanes = 30 does not divide native_dim = 400; choose a divisor of the native dimension",
        ),
        (
            {"mfu_lanes": 64},
            "bw-s10: mfu_lanes = 64 does not divide native_dim = 400; choose a divisor of the native dimension",
        ),
        (
            {"native_dim": 40_000, "mantissa_bits": 5},
            "a dot product over 40000 values of 5 mantissa bits leaves 24 bits; "
            "choose a smaller block or fewer bits",
        ),
    ],
)
def test_impossible_parameters_are_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(OptionError) as error:
        replace(BW_S10, **changes)
    assert str(error.value) == message


@pytest.mark.parametrize("machine", [BW_S5, BW_A10, BW_S10], ids=lambda machine: machine.name)
def test_the_published_instances_multiply_as_published(machine: Brainwave) -> None:
    assert machine.multipliers == {"bw-s5": 6_000, "bw-a10": 16_384, "bw-s10": 96_000}[machine.name]
    assert machine.tile_cycles == {"bw-s5": 10, "bw-a10": 8, "bw-s10": 10}[machine.name]


def test_the_stages_of_the_mvm() -> None:
    # read 8, multiply 2, a tree over 40 lanes 6, accumulate 4, a tree over 6 engines 3, and 5
    assert BW_S10.mvm_cycles == 28


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn"])
def test_recurrent_layers_are_taken(kind: str) -> None:
    assert BW_S10.verdict(layer(cell(kind), cell(kind, reverse=True))) == Verdict(True)
    assert BW_S10.verdict(layer(cell(kind, activations=("relu", "relu", "relu")))) == Verdict(True)


def test_peepholes_and_both_resets_are_taken() -> None:
    assert BW_S10.verdict(layer(cell(peepholes=np.zeros((3, 4), np.float32)))) == Verdict(True)
    assert BW_S10.verdict(layer(cell("gru", reset="before"))) == Verdict(True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"activations": ("sigmoid", "softsign", "tanh")}, "no function unit for the activation softsign"),
        ({"clip": 3.0}, "no clipping of pre-activations"),
        ({"couples_input_forget": True}, "input and forget gates are separate"),
    ],
)
def test_other_cells_are_not(changes: dict[str, object], reason: str) -> None:
    assert BW_S10.verdict(layer(cell(**changes))) == Verdict(False, reason)


def dense(outputs: int = 1, inputs: int = 1) -> Dense:
    weights, bias = np.zeros((outputs, inputs), np.float32), np.zeros(outputs, np.float32)
    return Dense(name="d", kind="Gemm", inputs=("x",), outputs=("y",), weights=weights, bias=bias)


def pointwise(kind: str, **changes: object) -> Pointwise:
    return Pointwise(name="p", kind=kind, inputs=("x",), outputs=("y",), **changes)


def pool(kind: str, kernel: tuple[int, ...], pads: tuple[int, ...], *, counts: bool = False) -> Pool:
    ones = (1,) * len(kernel)
    return Pool(
        name="p",
        kind=kind,
        inputs=("x",),
        outputs=("y",),
        kernel=kernel,
        strides=ones,
        pads=pads,
        dilations=ones,
        counts_padding=counts,
    )


def conv(*kernel: int) -> Conv:
    ones = (1,) * len(kernel)
    return Conv(
        name="c",
        kind="Conv",
        inputs=("x",),
        outputs=("y",),
        weights=np.zeros((1, 1, *kernel), np.float32),
        bias=np.zeros(1, np.float32),
        strides=ones,
        pads=(0,) * 2 * len(kernel),
        dilations=ones,
        groups=1,
    )


def place(sizes: tuple[int, ...], made: tuple[int, ...] = (), source: str = "") -> Place:
    layout = ("map" if len(sizes) > 2 else "vectors") if source else ""
    return Place((Feed(source, sizes, sizes, layout),), made or sizes)


MAP = (1, 1, 4, 4)


@pytest.mark.parametrize(
    ("layer", "where"),
    [
        (dense(), place((1, 1))),
        (conv(3, 3), place(MAP, (1, 1, 2, 2))),
        (conv(3), place((1, 1, 4), (1, 1, 2))),
        (pool("MaxPool", (2, 2), (0, 0, 1, 1)), place(MAP)),
        (pool("AveragePool", (2, 2), (0, 0, 1, 1), counts=True), place(MAP)),
        (pool("AveragePool", (2, 2), (0, 0, 0, 0)), place(MAP, (1, 1, 3, 3))),
        (pool("GlobalAveragePool", (), ()), place(MAP, (1, 1, 1, 1))),
        (pointwise("Relu"), place(MAP, source="before")),
        (pointwise("Add", constant=np.ones((1, 1, 1), np.float32)), place(MAP, source="before")),
        (pointwise("Mul", constant=np.ones(5, np.float32)), place((0, 5), source="before")),
    ],
)
def test_other_layers_are_taken(layer: Layer, where: Place) -> None:
    assert BW_S10.verdict(layer, where) == Verdict(True)


@pytest.mark.parametrize(
    ("layer", "where", "reason"),
    [
        (
            Opaque(name="o", kind="Softmax", inputs=("x",), outputs=("y",)),
            place(MAP),
            "has no instruction for Softmax",
        ),
        (
            conv(1, 1, 1),
            place((1, 1, 2, 2, 2)),
            "its windows have 3 dimensions, at most 2 are run",
        ),
        (
            pool("MaxPool", (1, 1, 1), (0,) * 6),
            place(MAP),
            "its windows have 3 dimensions, at most 2 are run",
        ),
        (
            conv(3, 3),
            place((1, 1, 0, 4), (1, 1, 0, 2)),
            "the sizes of its input are not known before it runs; --bind NAME=VALUE (in Python bind=) fixes them",
        ),
        (
            pointwise("Relu"),
            place((1, 0), source="before"),
            "the sizes of its input are not known before it runs; --bind NAME=VALUE (in Python bind=) fixes them",
        ),
        (
            pool("AveragePool", (2, 2), (0, 0, 1, 1)),
            place(MAP),
            "its windows reach over the edge, so that they average over different numbers of values",
        ),
        (
            replace(conv(3, 3), strides=(1 << 40, 1)),
            place(MAP, (1, 1, 1, 2)),
            "window: row_stride = 1099511627776 is out of range; it goes from 1 to 16777215",
        ),
        (
            pool("GlobalAveragePool", (), ()),
            place((1, 1, 128, 129), (1, 1, 1, 1)),
            "its windows have 16512 positions, at most 16384 are gone through",
        ),
        (pointwise("Relu"), place(MAP), "nothing that the machine makes goes into it"),
        (
            pointwise("Relu"),
            place((1, 1, 4, 4), (1, 2, 4, 4), "before"),
            "its operands have other sizes than its result",
        ),
    ],
)
def test_layers_that_are_not(layer: Layer, where: Place, reason: str) -> None:
    assert BW_S10.verdict(layer, where) == Verdict(False, reason)


@pytest.mark.parametrize(
    ("changes", "need"),
    [
        (
            {"initial_vrf_entries": 5},
            "6 vectors of 4 in InitialVrf, bw-s10 has 5; set more initial_vrf_entries,",
        ),
        (
            {"add_sub_vrf_entries": 15},
            "16 vectors of 4 in AddSubVrf.0, bw-s10 has 15; set more add_sub_vrf_entries,",
        ),
    ],
)
def test_layers_that_do_not_fit_together_are_refused(changes: dict[str, int], need: str) -> None:
    machine = replace(BW_S10, native_dim=4, lanes=2, mfu_lanes=2, **changes)
    cells = [machine.compile(name, cell(), Samples(None, None)) for name in ("one", "two")]
    machine.check(cells[:1])
    with pytest.raises(CapacityError) as error:
        machine.check(cells)
    assert str(error.value) == f"the layers together need {need} choose a larger machine or fewer layers"


def test_layers_beyond_all_devices_are_refused() -> None:
    machine = replace(BW_S10, native_dim=4, lanes=2, mfu_lanes=2, mrf_tiles=15, devices=2)
    cells = [machine.compile(name, cell(), Samples(None, None)) for name in ("one", "two", "three")]
    machine.check(cells[:2])
    with pytest.raises(CapacityError) as error:
        machine.check(cells)
    assert str(error.value) == (
        "the layers together need 24 tiles of 4 x 4 in MatrixRf on 3 devices, bw-s10 has 15 on each of 2; "
        "set devices, choose a larger machine or fewer layers"
    )


def test_layers_without_state_may_stay_on_the_host() -> None:
    dense = Dense(
        name="d",
        kind="Gemm",
        inputs=("x",),
        outputs=("y",),
        weights=np.ones((2, 3), np.float32),
        bias=np.ones(2),
    )
    assert BW_S10.verdict(dense) == Verdict(True)
    why = "feed_forward=false leaves it to the host"
    assert replace(BW_S10, feed_forward=False).verdict(dense) == Verdict(False, why)

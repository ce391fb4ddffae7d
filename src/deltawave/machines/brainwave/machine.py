"""Microsoft's Project Brainwave NPU (Fowers et al., ISCA 2018) and its three published instances.

What the papers leave open is a parameter whose source says where its value is from: the open RTL of Intel's
descendant, calibration on the published latencies, or ours.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError
from deltawave.hardware.cost import Cost
from deltawave.hardware.timeline import Timeline
from deltawave.machines.base import (
    Activity,
    Compiled,
    CompiledCell,
    CompiledLayer,
    Machine,
    MachineFigure,
    Samples,
    Verdict,
)
from deltawave.machines.brainwave import compile as compiler
from deltawave.machines.brainwave import compile_layer as layer_compiler
from deltawave.machines.brainwave import cost, critical_path, timing
from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.compiled import BrainwaveCell
from deltawave.machines.brainwave.grouping import Resident
from deltawave.machines.brainwave.isa import Limits
from deltawave.machines.brainwave.plan import Loop, entries_used, plan
from deltawave.machines.brainwave.restore import restore, unit, units
from deltawave.machines.brainwave.streaming import LEAST_BUFFERS
from deltawave.network.flow import NOWHERE, Place
from deltawave.network.layers import Cell, Conv, Dense, Layer, Recurrent
from deltawave.numerics.block_float import BlockFloat
from deltawave.options import option

INTEL = "[text] RTL of Intel's descendant (github:intel/fpga-npu); not published by Microsoft"
OURS = "ours; not published"
CALIBRATED = "calibrated on the eleven DeepBench latencies of ISCA 2018, Table V; not published"
FUNCTIONS = ("sigmoid", "tanh", "relu")
AT_LEAST_ONE = (
    "native_dim",
    "lanes",
    "tile_engines",
    "mfus",
    "mrf_tiles",
    "initial_vrf_entries",
    "add_sub_vrf_entries",
    "multiply_vrf_entries",
    "mfu_lanes",
    "issue_cycles",
    "write_back_cycles",
    "devices",
)
AT_LEAST_ZERO = (
    "dram_bytes_per_cycle",
    "loop_cycles",
    "invocation_cycles",
    "dispatch_cycles",
    "read_cycles",
    "multiply_cycles",
    "adder_cycles",
    "accumulate_cycles",
    "reduction_extra_cycles",
    "mfu_operation_cycles",
)
LARGEST = 1 << 20  # so that no sum of cycles leaves 64 bits


@dataclass(frozen=True, kw_only=True)
class Brainwave(Machine):
    """A single-threaded vector processor with pinned weights (Brainwave, ISCA 2018).

    Defaults are those of BW_S10.
    """

    clock_hz: float = option(250e6, unit="Hz", doc="Clock frequency", source="[text] ISCA 2018, Table III")
    native_dim: int = option(400, doc="Native dimension N of vectors and tiles", source="[text] Table III")
    lanes: int = option(40, doc="Lanes L of a dot-product engine", source="[text] Table III")
    tile_engines: int = option(6, doc="Matrix-vector tile engines E", source="[text] Table III")
    mfus: int = option(2, doc="Multifunction units", source="[text] Table III")
    mantissa_bits: int = option(
        2,
        unit="bit",
        doc="Mantissa of block floating point",
        source="[text] Table IV: 1s.5e.2m for BW_S10; ours for the others",
    )
    mrf_tiles: int = option(306, unit="tile", doc="Tiles that the MatrixRf holds", source="[text] Table III")
    initial_vrf_entries: int = option(512, unit="vector", doc="InitialVrf", source=INTEL)
    add_sub_vrf_entries: int = option(512, unit="vector", doc="AddSubVrf of each MFU", source=INTEL)
    multiply_vrf_entries: int = option(512, unit="vector", doc="MultiplyVrf of each MFU", source=INTEL)
    mfu_lanes: int = option(
        80,
        unit="element/cycle",
        doc="Elements of a vector that an MFU takes in a cycle",
        source=f"{CALIBRATED}; two for each lane of a dot-product engine",
    )
    issue_cycles: int = option(
        4, unit="cycle", doc="Scalar core: between instructions", source="[text] ISCA 2018: sustained average"
    )
    loop_cycles: int = option(
        430,
        unit="cycle",
        doc="Scalar core: a step's loop control besides",
        source=f"{CALIBRATED}: the published floor of a step does not depend on the size, as an issue bound does not",
    )
    invocation_cycles: int = option(
        2400, unit="cycle", doc="From request to the first instruction, and back", source=CALIBRATED
    )
    dispatch_cycles: int = option(
        6, unit="cycle", doc="Decoders, schedulers and vector arbitration network", source=CALIBRATED
    )
    read_cycles: int = option(8, unit="cycle", doc="Register file to dot-product engines", source=INTEL)
    multiply_cycles: int = option(2, unit="cycle", doc="Multiplier of a lane", source=INTEL)
    adder_cycles: int = option(1, unit="cycle", doc="Level of a tree of adders", source=INTEL)
    accumulate_cycles: int = option(4, unit="cycle", doc="Accumulator of an engine", source=INTEL)
    reduction_extra_cycles: int = option(
        5, unit="cycle", doc="Reduction over engines besides its tree", source=INTEL
    )
    mfu_operation_cycles: int = option(3, unit="cycle", doc="Function unit of an MFU", source=INTEL)
    write_back_cycles: int = option(5, unit="cycle", doc="Last element written to readable", source=INTEL)
    shares_windows: bool = option(
        False,
        doc="Engines work on different windows with the same weights, as in the CNN variant; else on different tiles",
        source="[text] IEEE Micro 2019",
    )
    dram_bytes_per_cycle: int = option(
        0,
        unit="byte/cycle",
        doc="Weights of feed-forward networks may stream from DRAM; 0: they do not",
        source=OURS,
    )
    feed_forward: bool = option(
        True,
        doc="Also take layers that keep no state; else only recurrent ones, and the host keeps the others in float32",
        source=OURS,
    )
    devices: int = option(
        8, doc="Devices that a network may take, one behind the other", source=f"{OURS}; one rack has dozens"
    )
    hop_ns: float = option(
        1440.0,
        unit="ns",
        doc="From device to device",
        source="[recall 75%] Catapult v2, MICRO 2016: 2.88 us there and back within a rack",
    )
    link_gbit_per_s: float = option(
        40.0, unit="Gbit/s", doc="Network port of a device", source="[recall 90%] Catapult v2, MICRO 2016"
    )

    def __post_init__(self) -> None:
        for names, low in ((AT_LEAST_ONE, 1), (AT_LEAST_ZERO, 0)):
            for name in names:
                self._check_range(name, low, LARGEST)
        self._check_range("mantissa_bits", 2, 5)
        self._check_range("clock_hz", 1, 10**12)
        self._check_range("hop_ns", 0, 10**9)
        self._check_range("link_gbit_per_s", 10**-3, 10**6)
        self._check_divides("lanes")
        if self.mfu_lanes % self.native_dim:  # a whole number of vectors in a cycle will do as well
            self._check_divides("mfu_lanes")
        BlockFloat(self.mantissa_bits, self.native_dim)  # refuses dot products that are too long

    def _check_range(self, name: str, low: float, high: float) -> None:
        value = getattr(self, name)
        if not low <= value <= high:
            raise OptionError(f"{self.name}: {name} = {value} is out of range; it goes from {low} to {high}")

    def _check_divides(self, name: str) -> None:
        value = getattr(self, name)
        if self.native_dim % value:
            raise OptionError(
                f"{self.name}: {name} = {value} does not divide native_dim = {self.native_dim}; "
                "choose a divisor of the native dimension"
            )

    @property
    def limits(self) -> Limits:
        """What a program may use."""
        return Limits(
            native_dim=self.native_dim,
            mrf_entries=self.mrf_tiles,
            initial_vrf_entries=self.initial_vrf_entries,
            add_sub_vrf_entries=self.add_sub_vrf_entries,
            multiply_vrf_entries=self.multiply_vrf_entries,
            mfus=self.mfus,
        )

    @property
    def multipliers(self) -> int:
        """Multiply-accumulate units of all tile engines: E * N * L."""
        return self.tile_engines * self.native_dim * self.lanes

    @property
    def peak_flops(self) -> float:
        """Operations per second with every multiply-accumulate unit busy: 2 * E * N * L * f."""
        return 2 * self.multipliers * self.clock_hz

    @property
    def tile_cycles(self) -> int:
        """Cycles that a tile engine takes for a native tile: N / L."""
        return self.native_dim // self.lanes

    def beats(self, vectors: int) -> int:
        """Cycles that an MFU takes for so many native vectors."""
        return -(-vectors * self.native_dim // self.mfu_lanes)

    def product_cycles(self, tiles: int, windows: int = 1) -> int:
        """Cycles that the tile engines are held for so many tiles, over so many windows."""
        if self.shares_windows:
            return -(-windows // self.tile_engines) * tiles * self.tile_cycles
        return windows * -(-tiles // self.tile_engines) * self.tile_cycles

    def load_cycles(self, tiles: int) -> int:
        """Cycles that so many tiles take from DRAM into the MatrixRf."""
        return -(-tiles * cost.tile_bits(self) // (8 * max(self.dram_bytes_per_cycle, 1)))

    @property
    def hop_cycles(self) -> int:
        """Cycles from device to device."""
        return math.ceil(self.hop_ns * self.clock_hz / 1e9)

    def link_cycles(self, vectors: int) -> int:
        """Cycles that so many native vectors take through the network port."""
        bits_per_cycle = self.link_gbit_per_s * 1e9 / self.clock_hz
        return math.ceil(vectors * self.native_dim * cost.HALF_BITS / bits_per_cycle)

    def streams_weights(self, residents: Sequence[Resident]) -> bool:
        """Whether weights stream from DRAM: those of a feed-forward network that do not all fit the MatrixRf, if this
        holds a row of tiles of each matrix in two buffers."""
        fits = sum(resident.tiles for resident in residents) <= self.mrf_tiles
        recurs = any(resident.is_recurrent for resident in residents)
        if self.dram_bytes_per_cycle == 0 or fits or recurs:
            return False
        return LEAST_BUFFERS * max(resident.row_tiles for resident in residents) <= self.mrf_tiles

    @property
    def mvm_cycles(self) -> int:
        """Stages of the MVM: from the last lanes of a row entering to its sum over lanes, tiles and engines."""
        lane_levels, engine_levels = (self.lanes - 1).bit_length(), (self.tile_engines - 1).bit_length()
        reduction = engine_levels * self.adder_cycles + self.reduction_extra_cycles
        return (
            self.read_cycles
            + self.multiply_cycles
            + lane_levels * self.adder_cycles
            + self.accumulate_cycles
            + (0 if self.shares_windows else reduction)
        )

    takes: ClassVar = (Recurrent, Dense, Conv)

    def verdict(self, layer: Layer, place: Place = NOWHERE) -> Verdict:
        """Recurrent layers with sigmoid, tanh and relu; dense and convolutional ones, pooling, and what is done to each
        element of their outputs."""
        if not isinstance(layer, Recurrent) and not self.feed_forward:
            return Verdict(False, "feed_forward=false leaves it to the host")
        if not isinstance(layer, Recurrent):
            why = layer_compiler.why_not(self, layer, place)
            return Verdict(not why, why)
        return next((Verdict(False, why) for why in map(_why_not, layer.cells) if why), Verdict(True))

    def compile(self, name: str, cell: Cell, samples: Samples, place: Place = NOWHERE) -> CompiledCell:
        """Quantise one direction of a layer and write its program."""
        compiled = compiler.compile_cell(self, name, cell, samples)
        return replace(compiled, source=place.feeds[0].source, leaves=place.leaves)

    def compile_layer(self, layer: Layer, place: Place) -> CompiledLayer:
        """Quantise a layer that keeps no state."""
        return layer_compiler.compile_layer(self, layer, place)

    def restore(self, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> Compiled:
        """The compiled part that `arrays` came from."""
        return restore(name, arrays)

    def is_made_for(self, compiled: Compiled, layer: Layer, place: Place) -> bool:
        """Whether a part of a program file has the sizes of the layer."""
        part = unit(compiled)
        if isinstance(layer, Recurrent) or isinstance(part, BrainwaveCell):
            sizes = {(cell.inputs, cell.hidden) for cell in getattr(layer, "cells", ())}
            return isinstance(part, BrainwaveCell) and (part.cell.inputs, part.cell.hidden) in sizes
        return part.shape == layer_compiler.layer_shape(self, layer, place)

    def plan(self, cells: Sequence[Compiled]) -> tuple[Loop, ...]:
        """Which parts run together, and on which device."""
        return plan(self, tuple(unit.resident for unit in units(cells)))

    def check(self, cells: Sequence[Compiled]) -> None:
        """All layers share the memories of the devices."""
        loops = self.plan(cells)
        for used in entries_used(loops).values():
            compiler.check_fit(self, "the layers together need", used, "fewer layers")
        for loop in loops:
            for program in loop.programs.values():
                check(program.assembled.program, self.limits)

    def multipliers_of(self, cells: Sequence[Compiled]) -> int:
        """Multipliers of all devices."""
        devices = {device for loop in self.plan(cells) for device in loop.programs}
        return len(devices) * self.multipliers

    def timeline(self, cells: Sequence[Compiled], activity: Activity) -> Timeline:
        """When every unit worked."""
        return timing.timeline(self, [(loop, loop.steps(activity)) for loop in self.plan(cells)])

    def cost(self, cells: Sequence[Compiled], activity: Activity, timeline: Timeline) -> Cost:
        """Energy, area and traffic."""
        return cost.cost(self, cells, activity, timeline)

    def listing(self, cells: Sequence[Compiled]) -> str:
        """The programs of all loops and devices, each under a comment for what it runs."""
        named = {unit.name: unit for unit in units(cells)}
        return "\n".join(loop.listing(named) for loop in self.plan(cells))

    @property
    def calibrates(self) -> bool:
        """Block floating point finds its exponents itself."""
        return False

    def figures(self, cells: Sequence[Compiled], activity: Activity) -> tuple[MachineFigure, ...]:
        """Utilisation, and the cycles of a step beside the bounds of the critical-path analysis."""
        return critical_path.figures(self, cells, activity)

    def bounds(self, cells: Sequence[Compiled]) -> tuple[MachineFigure, ...]:
        """Cycles of a step beside the bounds of the critical-path analysis."""
        return critical_path.bounds(self, cells)


def _why_not(cell: Cell) -> str:
    unknown = [name for name in cell.activations if name and name not in FUNCTIONS]
    if unknown:
        return f"no function unit for the activation {unknown[0]}"
    if cell.clip is not None:
        return "no clipping of pre-activations"
    if cell.couples_input_forget:
        return "input and forget gates are separate"
    return ""


BW_S10 = Brainwave(name="bw-s10")
BW_A10 = Brainwave(
    name="bw-a10", clock_hz=300e6, native_dim=128, lanes=16, tile_engines=8, mrf_tiles=512, mfu_lanes=32
)
BW_S5 = Brainwave(name="bw-s5", clock_hz=200e6, native_dim=100, lanes=10, tile_engines=6, mfu_lanes=20)

"""A core in simulation: memories loaded, inputs in, outputs and cycles out; and what the model says of the same run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltawave.errors import InputError
from deltawave.files import PathLike
from deltawave.hardware import timeline
from deltawave.kernels.cell import CellState, QuantisedCell
from deltawave.machines.deltarnn import semantics
from deltawave.machines.deltarnn.compiled import DeltaCell, delta_cell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.machine_edgedrnn import EdgeDRNN
from deltawave.machines.deltarnn.rtl.design import cores, images_of, legal_shape, stacked_shape
from deltawave.machines.deltarnn.rtl.images import streamed_columns
from deltawave.machines.deltarnn.rtl.record import CellStream, record
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.machines.deltarnn.rtl.top import Top, registers, settings_of
from deltawave.machines.program import Data, Program
from deltawave.numerics import round_shift
from deltawave.rtl.core import StreamSimulation
from deltawave.rtl.verilog import to_verilog

MODULE = "delta_core"
STRETCH_STEPS = 256
SLACK_CYCLES = 10_000
LEAST_SHARE = 1e-3
"""Of the cycles in which a stream moves, for all that is waited for it."""
Integers = NDArray[np.int64]
OnACore = QuantisedCell | DeltaCell | Sequence[DeltaCell]
"""A cell, or some that run one after the other, each fed by the one before."""


@dataclass(frozen=True, eq=False)
class RtlRun:
    """One stream: outputs int64 [steps, hidden] in units of the last place, step_cycles int64 [steps], and the cycles
    from the first in which an input was offered to the last in which an output was taken."""

    outputs: Integers
    step_cycles: Integers
    cycles: int

    def equals(self, other: "RtlRun") -> bool:
        """Whether all outputs and the cycles of all steps are the same."""
        return np.array_equal(self.outputs, other.outputs) and np.array_equal(
            self.step_cycles, other.step_cycles
        )


class CoreSimulation:
    """The core of a cell, or of cells that run one after the other on it, with its memories loaded. waves: a VCD file.
    Raises OptionError for parameters that have no RTL, ToolError without the tools."""

    def __init__(self, machine: DeltaMachine, cell: OnACore, *, waves: PathLike | None = None) -> None:
        self.machine, self.shape = machine, _shape(machine, cell)
        self.top = Top(self.shape)
        self.addresses = {r.name: r.offset for r in registers(self.shape, self.top.core)}
        self.simulation = StreamSimulation(to_verilog(self.top, MODULE), MODULE, waves)
        self.load()

    def load(self, cell: QuantisedCell | None = None) -> None:
        """Load the memories, from their beginnings, with those of a cell, which is no larger than the core's own, and
        set the registers for it; None: the core's own, and all registers keep their values. A new stream begins."""
        shape = self.shape if cell is None else legal_shape(self.machine, cell, MODULE)
        self.loaded = shape
        for register, value in settings_of(shape).items() if cell else ():
            self.write(register, value)
        self.write("rewind", 1)
        for image in images_of(shape):
            self.simulation.load(image.select, image.beats())
        if isinstance(self.machine, EdgeDRNN):
            words, counts, cycles, latency = streamed_columns(self.machine, shape)
            self.simulation.set_columns(words, counts, cycles, latency_cycles=latency)

    def write(self, register: str, value: int) -> None:
        """Set a register."""
        self.simulation.write_register(self.addresses[register], value)

    def read(self, register: str) -> int:
        """The value of a register."""
        return self.simulation.read_register(self.addresses[register])

    def begin_stream(self) -> None:
        """Forget all states, when the step under way is over."""
        self.write("clear", 1)

    def reset(self) -> None:
        """Reset the core. Its memories are as they were, the registers as they came: those of the core's own cell."""
        self.simulation.reset()
        self.loaded = self.shape
        self.begin_stream()

    def run(self, xs: ArrayLike, *, stalls: Mapping[str, ArrayLike] | None = None) -> RtlRun:
        """Steps of a stream, which goes on where the last one ended. xs: integers [steps, inputs], of the
        cell that was loaded last. stalls: patterns of x, h, column and w. Raises InputError, SimulationError."""
        values = np.asarray(xs)
        if values.ndim != 2 or values.shape[1] != self.loaded.cell.inputs:
            raise InputError(
                f"inputs are integers [steps, {self.loaded.cell.inputs}], got {list(values.shape)}"
            )
        beats = in_lanes(values, self.shape.input_rate, self.loaded.groups(0))
        rate, steps, groups_h = self.shape.hidden_rate, len(values), self.loaded.layers[-1].groups(1)
        run = self.simulation.run_steps(
            beats,
            steps * groups_h,
            steps=steps,
            h_lanes=rate,
            stalls=stalls,
            limit_cycles=_limit_cycles(self.machine, self.shape, steps, stalls or {}),
        )
        outputs = run.outputs.reshape(steps, groups_h * rate)[:, : self.loaded.layers[-1].cell.hidden]
        return RtlRun(outputs, run.step_cycles, run.cycles)

    def close(self) -> None:
        """End the simulation; the waves are complete then."""
        self.simulation.close()

    def __enter__(self) -> "CoreSimulation":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def simulate(
    machine: DeltaMachine,
    cell: OnACore,
    xs: ArrayLike,
    *,
    stalls: Mapping[str, ArrayLike] | None = None,
    waves: PathLike | None = None,
) -> RtlRun:
    """One stream through the RTL of a cell, or of cells one after the other. xs: integers [steps, inputs] in units of
    an input's last place.

    stalls: by stream (x, h, column, w), a pattern [period] of cycles in which no beat is offered, or none taken.
    Raises OptionError for parameters without RTL, InputError, ToolError, SimulationError.
    """
    with CoreSimulation(machine, cell, waves=waves) as core:
        return core.run(xs, stalls=stalls)


@dataclass(frozen=True, eq=False)
class CheckedStream:
    """A stream through a cell, in RTL and in the model."""

    rtl: RtlRun
    model: RtlRun

    @property
    def is_equal(self) -> bool:
        """Whether all outputs and the cycles of all steps are the same."""
        return self.rtl.equals(self.model)


def simulate_program(
    program: Program, data: Data, *, waves: PathLike | None = None
) -> Mapping[str, tuple[CheckedStream, ...]]:
    """Every core of a program, with the inputs that its first cell sees when the program runs the data: its streams, by
    the names of its cells with commas between. waves: a folder for a VCD file a core. Raises as `simulate`,
    UnsupportedError for streams that start from a state."""
    machine = program.machine
    assert isinstance(machine, DeltaMachine)
    recorded, found = record(program, data), {}
    for number, names in enumerate(cores(program)):
        cells = [delta_cell(program.cells[name]) for name in names]
        place = None if waves is None else Path(waves) / f"{number}.vcd"
        with CoreSimulation(machine, cells, waves=place) as core:
            streams = zip(*(recorded[name] for name in names), strict=True)
            found[", ".join(names)] = tuple(_checked(core, stream) for stream in streams)
    return found


def model(machine: DeltaMachine, cell: OnACore, xs: ArrayLike) -> RtlRun:
    """The same stream through the semantics and the timeline; `cycles`: of all steps."""
    values, cycles = np.asarray(xs, np.int32), np.zeros(len(np.asarray(xs)), np.int64)
    for number, layer in enumerate(_shape(machine, cell).layers):
        fed = as_input(layer, values) if number else values
        values, sent = semantics.run(layer.cell, CellState.initial(layer.cell), fed.astype(np.int32))
        cycles += model_cycles(machine, layer.cell, sent)
    return RtlRun(values.astype(np.int64), cycles, int(cycles.sum()))


def as_input(shape: CoreShape, states: NDArray[np.integer]) -> Integers:
    """States of the cell before as inputs of a core's cell: saturated, as everything that comes in."""
    return replace(shape.cell.activation, overflow="saturate").narrow(round_shift(states, shape.input_shift))


def _shape(machine: DeltaMachine, cell: OnACore) -> CoreShape:
    if isinstance(cell, QuantisedCell):
        return legal_shape(machine, cell, MODULE)
    return stacked_shape(machine, [cell] if isinstance(cell, DeltaCell) else cell, MODULE)


def model_cycles(machine: DeltaMachine, cell: QuantisedCell, sent: NDArray[np.bool_]) -> Integers:
    """Cycles of each step of a stream by what it sent, bool [steps, columns]."""
    graphs = machine.graphs(cell, sent)
    return timeline.simulate("", len(sent), graphs, stretch=STRETCH_STEPS, detail_steps=1).step_cycles


def expected(machine: DeltaMachine, shape: CoreShape, streams: Sequence[CellStream]) -> RtlRun:
    """What the RTL must give for a recorded stream through its cells."""
    cycles = sum(
        model_cycles(machine, layer.cell, stream.sent)
        for layer, stream in zip(shape.layers, streams, strict=True)
    )
    assert isinstance(cycles, np.ndarray)
    return RtlRun(streams[-1].outputs, cycles, int(cycles.sum()))


def _checked(core: CoreSimulation, streams: Sequence[CellStream]) -> CheckedStream:
    core.begin_stream()
    return CheckedStream(core.run(streams[0].xs), expected(core.machine, core.shape, streams))


def in_lanes(rows: NDArray[np.integer], lanes: int, groups: int) -> Integers:
    """Vectors [steps, elements], filled up with zeros, as beats [steps * groups, lanes]."""
    filled = np.pad(rows.astype(np.int64), ((0, 0), (0, groups * lanes - rows.shape[1])))
    return filled.reshape(-1, lanes)


def _limit_cycles(
    machine: DeltaMachine, shape: CoreShape, steps: int, stalls: Mapping[str, ArrayLike]
) -> int:
    """Far more than a run takes in which everything is sent in every step."""
    longest = sum(_longest_step(machine, layer.cell) for layer in shape.layers)
    moves = [1 - float(np.asarray(pattern, np.float64).mean()) for pattern in stalls.values()]
    slowest = 1 / max(min([1.0, *moves]), LEAST_SHARE)
    return SLACK_CYCLES + int(4 * slowest * steps * longest)


def _longest_step(machine: DeltaMachine, cell: QuantisedCell) -> int:
    """Cycles of a step in which everything is sent, and in which its inputs come and its outputs go."""
    everything = np.ones((1, cell.columns), np.bool_)
    return int(model_cycles(machine, cell, everything)[0]) + cell.inputs + cell.hidden

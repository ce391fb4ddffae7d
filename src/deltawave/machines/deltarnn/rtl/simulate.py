"""A core in simulation: memories loaded, inputs in, outputs and cycles out; and what the model says of the same run."""

from collections.abc import Mapping
from dataclasses import dataclass
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
from deltawave.machines.deltarnn.rtl.design import images_of, legal_shape
from deltawave.machines.deltarnn.rtl.images import streamed_columns
from deltawave.machines.deltarnn.rtl.record import CellStream, record
from deltawave.machines.deltarnn.rtl.top import Top, registers, settings_of
from deltawave.machines.program import Data, Program
from deltawave.rtl.core import StreamSimulation
from deltawave.rtl.verilog import to_verilog

MODULE = "delta_core"
STRETCH_STEPS = 256
SLACK_CYCLES = 10_000
LEAST_SHARE = 1e-3
"""Of the cycles in which a stream moves, for all that is waited for it."""
Integers = NDArray[np.int64]


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
    """The core of a cell with its memories loaded. waves: a VCD file. Raises OptionError for parameters that have no
    RTL, ToolError without the tools."""

    def __init__(
        self, machine: DeltaMachine, cell: QuantisedCell | DeltaCell, *, waves: PathLike | None = None
    ) -> None:
        self.cell = cell.cell if isinstance(cell, DeltaCell) else cell
        self.machine, self.shape = machine, legal_shape(machine, self.cell, MODULE)
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
        rate, steps, groups_h = self.shape.hidden_rate, len(values), self.loaded.groups(1)
        run = self.simulation.run_steps(
            beats,
            steps * groups_h,
            steps=steps,
            h_lanes=rate,
            stalls=stalls,
            limit_cycles=_limit_cycles(self.machine, self.cell, steps, stalls or {}),
        )
        outputs = run.outputs.reshape(steps, groups_h * rate)[:, : self.loaded.cell.hidden]
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
    cell: QuantisedCell | DeltaCell,
    xs: ArrayLike,
    *,
    stalls: Mapping[str, ArrayLike] | None = None,
    waves: PathLike | None = None,
) -> RtlRun:
    """One stream through the RTL of a cell. xs: integers [steps, inputs] in units of an input's last place.

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
    """Every cell of a program on its own core, with the inputs that it sees when the program runs the data: its
    streams, by the name of the cell. waves: a folder for a VCD file a cell. Raises as `simulate`, UnsupportedError
    for streams that start from a state."""
    machine = program.machine
    assert isinstance(machine, DeltaMachine)
    found = {}
    for number, (name, streams) in enumerate(record(program, data).items()):
        cell = delta_cell(program.cells[name]).cell
        place = None if waves is None else Path(waves) / f"{number}.vcd"
        with CoreSimulation(machine, cell, waves=place) as core:
            found[name] = tuple(_checked(core, stream) for stream in streams)
    return found


def model(machine: DeltaMachine, cell: QuantisedCell | DeltaCell, xs: ArrayLike) -> RtlRun:
    """The same stream through the semantics and the timeline; `cycles`: of all steps."""
    quantised = cell.cell if isinstance(cell, DeltaCell) else cell
    values = np.asarray(xs, np.int32)
    outputs, sent = semantics.run(quantised, CellState.initial(quantised), values)
    return RtlRun(
        outputs.astype(np.int64),
        step_cycles := model_cycles(machine, quantised, sent),
        int(step_cycles.sum()),
    )


def model_cycles(machine: DeltaMachine, cell: QuantisedCell, sent: NDArray[np.bool_]) -> Integers:
    """Cycles of each step of a stream by what it sent, bool [steps, columns]."""
    graphs = machine.graphs(cell, sent)
    return timeline.simulate("", len(sent), graphs, stretch=STRETCH_STEPS, detail_steps=1).step_cycles


def expected(machine: DeltaMachine, cell: QuantisedCell, stream: CellStream) -> RtlRun:
    """What the RTL must give for a recorded stream."""
    cycles = model_cycles(machine, cell, stream.sent)
    return RtlRun(stream.outputs, cycles, int(cycles.sum()))


def _checked(core: CoreSimulation, stream: CellStream) -> CheckedStream:
    core.begin_stream()
    return CheckedStream(core.run(stream.xs), expected(core.machine, core.cell, stream))


def in_lanes(rows: NDArray[np.integer], lanes: int, groups: int) -> Integers:
    """Vectors [steps, elements], filled up with zeros, as beats [steps * groups, lanes]."""
    filled = np.pad(rows.astype(np.int64), ((0, 0), (0, groups * lanes - rows.shape[1])))
    return filled.reshape(-1, lanes)


def _limit_cycles(
    machine: DeltaMachine, cell: QuantisedCell, steps: int, stalls: Mapping[str, ArrayLike]
) -> int:
    """Far more than a run takes in which everything is sent in every step."""
    longest = int(model_cycles(machine, cell, np.ones((1, cell.columns), np.bool_))[0])
    moves = [1 - float(np.asarray(pattern, np.float64).mean()) for pattern in stalls.values()]
    slowest = 1 / max(min([1.0, *moves]), LEAST_SHARE)
    return SLACK_CYCLES + int(4 * slowest * steps * (longest + cell.inputs + cell.hidden))

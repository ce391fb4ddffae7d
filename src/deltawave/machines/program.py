"""A network compiled for one machine, and how it is run.

What the machine takes runs in its exact arithmetic; the rest stays on the host, in ONNX Runtime. A session keeps
everything that must survive from call to call: the network's own state tensors and the machine's memories.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import InputError, UnsupportedError
from deltawave.hardware.cost import Cost
from deltawave.hardware.timeline import Timeline
from deltawave.machines.base import Activity, CompiledCell, Executor, Floats, Machine, Samples, Verdict
from deltawave.network import (
    Call,
    HostModel,
    HostSegment,
    MachineSegment,
    Network,
    Recurrent,
    Segment,
    Stream,
    as_streams,
    capture,
    partition,
)
from deltawave.network.streams import Item

Progress = Callable[[str, int, int], None]
"""Called as progress(what, done, total)."""
Outputs = Mapping[str, NDArray[np.generic]]
Data = Item | Sequence[Item]
"""An array, arrays by input name, or a list of these: see `as_streams`."""


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, eq=False)
class Program:
    """`cells`: the compiled directions of the layers taken, by name (`layer` or `layer/reverse`)."""

    network: Network
    machine: Machine
    verdicts: Mapping[str, Verdict]
    cells: Mapping[str, CompiledCell]

    @property
    def taken(self) -> tuple[Recurrent, ...]:
        """The layers that run on the machine."""
        return tuple(layer for layer in self.network.recurrent if self.verdicts[layer.name].takes)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Host parts and machine layers in execution order."""
        return partition(self.network, [layer.name for layer in self.taken])

    @cached_property
    def host(self) -> Mapping[int, HostModel]:
        """Runners of the host segments, by their position."""
        parts = enumerate(self.segments)
        return {position: HostModel.of(part) for position, part in parts if isinstance(part, HostSegment)}

    def session(self, *, plain: bool = False) -> "Session":
        """A fresh stream. `plain`: run the NumPy semantics instead of the kernels (the same bits)."""
        return Session(self, plain=plain)

    def run(self, data: Data, *, plain: bool = False, progress: Progress = quiet) -> "Run":
        """Run streams of calls (see `as_streams`): the exact outputs and what happened. Raises InputError."""
        streams = as_streams(self.network, data)
        session = self.session(plain=plain)
        outputs = []
        for done, stream in enumerate(streams):
            progress(self.machine.name, done, len(streams))
            session.reset()
            outputs.append(stacked([session.call(call) for call in stream]))
        progress(self.machine.name, len(streams), len(streams))
        return Run(self, tuple(streams), tuple(outputs), session.activity())

    def listing(self) -> str:
        """The program as text: the machine, then every compiled cell."""
        head = f"program {self.network.name} for {self.machine.name}"
        return "\n".join([head, *(cell.listing() for cell in self.cells.values())])


@dataclass(frozen=True, eq=False)
class Run:
    """`outputs`: by stream, each output stacked over the stream's calls. `activity`: over all streams, in order."""

    program: Program
    streams: tuple[Stream, ...]
    outputs: tuple[Outputs, ...]
    activity: Activity

    @cached_property
    def timeline(self) -> Timeline:
        """Which unit was busy when."""
        return self.program.machine.timeline(list(self.program.cells.values()), self.activity)

    @cached_property
    def cost(self) -> Cost:
        """Energy, area and traffic."""
        return self.program.machine.cost(list(self.program.cells.values()), self.activity, self.timeline)

    @property
    def steps(self) -> int:
        """Time steps of the longest-running layer."""
        return max(len(rows) for rows in self.activity.values())


def compile_network(
    network: Network, machine: Machine, *, calibration: Data | None = None, progress: Progress = quiet
) -> Program:
    """Compile what the machine takes; `calibration`: data as for `run`, from which number formats are picked.

    Raises UnsupportedError if the machine takes nothing, CapacityError if it does not fit, InputError for bad data.
    """
    verdicts = {layer.name: machine.verdict(layer) for layer in network.layers}
    taken = [layer for layer in network.recurrent if verdicts[layer.name].takes]
    if not taken:
        raise UnsupportedError(_nothing_taken(network, machine, verdicts))
    samples = {} if calibration is None else sampled(network, taken, calibration)
    cells: dict[str, CompiledCell] = {}
    for done, layer in enumerate(taken):
        progress(f"compile {layer.name}", done, len(taken))
        for name, cell in zip(cell_names(layer), layer.cells, strict=True):
            cells[name] = machine.compile(name, cell, samples.get(name, Samples(None, None)))
    machine.check(list(cells.values()))
    return Program(network, machine, verdicts, cells)


def cell_names(layer: Recurrent) -> tuple[str, ...]:
    """Names of a layer's cells: the layer's own, and `layer/reverse`."""
    return tuple(layer.name + ("/reverse" if cell.reverse else "") for cell in layer.cells)


def sampled(network: Network, layers: Sequence[Recurrent], data: Data) -> dict[str, Samples]:
    """What the float network's cells see and say on calibration data."""
    tensors = [name for layer in layers for name in (layer.x, layer.outputs[0]) if name]
    calls = [call for stream in capture(network, as_streams(network, data), tensors) for call in stream]
    samples = {}
    for layer in layers:
        x = np.concatenate([_sequence(layer, call[layer.x]) for call in calls])
        for direction, name in enumerate(cell_names(layer)):
            samples[name] = Samples(x, _said(layer, direction, calls))
    return samples


def _said(layer: Recurrent, direction: int, calls: Sequence[Outputs]) -> Floats | None:
    """A direction's h over all calls, [steps, hidden]; None if the graph does not name the sequence of outputs."""
    name = layer.outputs[0]
    if not name:
        return None
    ys = [call[name].swapaxes(0, 1).swapaxes(1, 2) if layer.batch_first else call[name] for call in calls]
    return np.concatenate([np.asarray(y[:, direction, 0], np.float32) for y in ys])


def stacked(calls: Iterable[Outputs]) -> Outputs:
    """The outputs of a stream's calls, each stacked along a new first axis."""
    rows = list(calls)
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _nothing_taken(network: Network, machine: Machine, verdicts: Mapping[str, Verdict]) -> str:
    if not network.recurrent:
        return f"{machine.name} takes recurrent layers and {network.name} has none; choose another machine"
    reasons = "; ".join(f"{layer.name}: {verdicts[layer.name].reason}" for layer in network.recurrent)
    return f"{machine.name} takes no layer of {network.name} ({reasons}); choose another machine or other parameters"


class Session:
    """One stream through a program: it keeps the network's states and the machine's memories between calls."""

    def __init__(self, program: Program, *, plain: bool = False) -> None:
        self._program = program
        self._executors = {name: cell.executor(plain=plain) for name, cell in program.cells.items()}
        self._rows: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in program.cells}
        self.reset()

    def reset(self) -> None:
        """Start a new stream: all state is zero again. What happened so far stays counted."""
        states = self._program.network.states
        self._states = {pair.input.name: np.zeros(pair.shape, pair.input.dtype) for pair in states}
        self._fresh = True

    def call(self, inputs: Call) -> Outputs:
        """One evaluation of the network: inputs by name -> outputs by name (the states are kept here)."""
        values: dict[str, NDArray[np.generic]] = {**inputs, **self._states}
        for position, segment in enumerate(self._program.segments):
            if isinstance(segment, HostSegment):
                values.update(self._program.host[position](values))
            else:
                self._run_layer(segment, values)
        network = self._program.network
        self._states = {
            pair.input.name: values.get(pair.output.name, self._states[pair.input.name])
            for pair in network.states  # the machine keeps a carried state; the host then never makes it
        }
        self._fresh = False
        return {tensor.name: values[tensor.name] for tensor in network.outputs}

    def step(self, frame: Data) -> Outputs:
        """One call on one frame: an array for the only input, or a dict of arrays by input name."""
        streams = as_streams(self._program.network, frame)
        if len(streams) != 1 or len(streams[0]) != 1:
            raise InputError(
                f"a step takes one frame; this data makes {sum(map(len, streams))} calls; use run()"
            )
        return self.call(streams[0][0])

    def activity(self) -> Activity:
        """What happened since the session was made, a row a step."""
        return {name: np.concatenate(rows) for name, rows in self._rows.items() if rows}

    def _run_layer(self, segment: MachineSegment, values: dict[str, NDArray[np.generic]]) -> None:
        layer = segment.layer
        assert isinstance(layer, Recurrent)
        x = _sequence(layer, values[layer.x])
        ran = [self._run_cell(layer, k, x, values) for k in range(len(layer.cells))]
        y = np.stack([h for h, _, _ in ran], axis=1)
        y_h, y_c = (np.stack([final[k] for final in ran])[:, None] for k in (1, 2))
        results = (y[:, :, None], y_h, y_c)
        if layer.batch_first:
            results = (y[None], y_h.swapaxes(0, 1), y_c.swapaxes(0, 1))
        values.update({name: value for name, value in zip(segment.outputs, results, strict=False) if name})

    def _run_cell(
        self, layer: Recurrent, direction: int, x: Floats, values: Mapping[str, NDArray[np.generic]]
    ) -> tuple[Floats, Floats, Floats]:
        name = cell_names(layer)[direction]
        executor: Executor = self._executors[name]
        if self._fresh or not layer.carried:
            executor.reset(_initial(layer, "h", direction, values), _initial(layer, "c", direction, values))
        reverse = layer.cells[direction].reverse
        h, happened = executor.run(x[::-1] if reverse else x)
        self._rows[name].append(happened)
        return (h[::-1] if reverse else h, *executor.final())


def _sequence(layer: Recurrent, x: NDArray[np.generic]) -> Floats:
    steps_first = x.swapaxes(0, 1) if layer.batch_first else x
    if steps_first.shape[1] != 1:
        raise InputError(
            f"{layer.name} got a batch of {steps_first.shape[1]}; machines run batch 1: pass the items one by one"
        )
    return np.ascontiguousarray(steps_first[:, 0], np.float32)


def _initial(
    layer: Recurrent, state: str, direction: int, values: Mapping[str, NDArray[np.generic]]
) -> Floats | None:
    name = layer.initial("h" if state == "h" else "c")
    if not name or layer.carried:
        return None
    tensor = values[name].swapaxes(0, 1) if layer.batch_first else values[name]
    return np.asarray(tensor[direction, 0], np.float32)

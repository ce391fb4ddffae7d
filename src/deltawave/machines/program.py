"""A network compiled for one machine, and how it is run.

What the machine takes runs in its exact arithmetic; the rest stays on the host, in ONNX Runtime. A session keeps
everything that must survive from call to call: the network's own state tensors and the machine's memories.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from deltawave.errors import UnsupportedError
from deltawave.files import PathLike
from deltawave.hardware.cost import Cost
from deltawave.hardware.timeline import Timeline
from deltawave.machines.base import Activity, Compiled, Floats, Machine, Samples, Verdict
from deltawave.machines.session import Outputs, Session, sequence_of
from deltawave.network import (
    HostModel,
    HostSegment,
    Network,
    Recurrent,
    Segment,
    Stream,
    as_streams,
    capture,
    partition,
)
from deltawave.network.flow import Flow, Place
from deltawave.network.layers import Conv, Dense, Layer, Opaque
from deltawave.network.streams import Item

Progress = Callable[[str, int, int], None]
"""Called as progress(what, done, total)."""
Data = Item | Sequence[Item]
"""An array, arrays by input name, or a list of these: see `as_streams`."""
MAY_RECUR = ("LSTM", "GRU", "RNN", "Scan", "Loop")
"""Operators that, left unread, explain why a network seems to have no recurrent layer."""
KINDS: Mapping[type[Layer], str] = {Recurrent: "recurrent", Dense: "dense", Conv: "convolutional"}
"""Layers with weights, in words."""


def quiet(what: str, done: int, total: int) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, eq=False)
class Program:
    """`cells`: what the layers taken were compiled to, by name (`layer`, or `layer/reverse` for a second direction).

    `calibrated`: whether number formats were picked from data.
    """

    network: Network
    machine: Machine
    verdicts: Mapping[str, Verdict]
    cells: Mapping[str, Compiled]
    calibrated: bool

    @cached_property
    def taken(self) -> tuple[Layer, ...]:
        """The layers that run on the machine."""
        return tuple(layer for layer in self.network.layers if self.verdicts[layer.name].takes)

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Host parts and machine layers in execution order."""
        return partition(self.network, [layer.name for layer in self.taken])

    @cached_property
    def host(self) -> Mapping[int, HostModel]:
        """Runners of the host segments, by their position."""
        parts = enumerate(self.segments)
        return {position: HostModel.of(part) for position, part in parts if isinstance(part, HostSegment)}

    def session(self, *, plain: bool = False, record: bool = True) -> Session:
        """A fresh stream. `plain`: run the NumPy semantics instead of the kernels (the same bits). `record`: keep
        what happened for `activity`; without it a session of any length needs no more memory."""
        return Session(self, plain=plain, record=record)

    def run(self, data: Data, *, plain: bool = False, progress: Progress = quiet) -> Run:
        """Run data (see `as_streams`): the exact outputs and what happened. Raises InputError."""
        return self.run_streams(as_streams(self.network, data), plain=plain, progress=progress)

    def run_streams(
        self, streams: Sequence[Stream], *, plain: bool = False, progress: Progress = quiet
    ) -> Run:
        """Run streams of calls that have the exact types and shapes, as `as_streams` makes them."""
        session = self.session(plain=plain)
        outputs = []
        for done, stream in enumerate(streams):
            progress(self.machine.name, done, len(streams))
            session.reset()
            outputs.append(stacked([session.call(call) for call in stream]))
        progress(self.machine.name, len(streams), len(streams))
        return Run(self, tuple(streams), tuple(outputs), session.activity())

    def save(self, path: PathLike) -> None:
        """Write a program file: `deltawave.load_program` reads it. Equal programs give equal files."""
        from deltawave.machines.program_file import save_program  # which reads programs, too

        save_program(self, path)

    def listing(self) -> str:
        """The program as text: the machine, then every compiled cell."""
        head = f"program {self.network.name} for {self.machine.name}"
        return f"{head}\n{self.machine.listing(list(self.cells.values()))}"


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
    looked_at = look(network, machine)
    verdicts = {name: verdict for name, (verdict, _) in looked_at.items()}
    taken = [layer for layer in network.layers if verdicts[layer.name].takes]
    if not any(layer.parameters for layer in taken):
        raise UnsupportedError(_nothing_taken(network, machine, verdicts))
    recurrent = [layer for layer in taken if isinstance(layer, Recurrent)]
    samples = {} if calibration is None else sampled(network, recurrent, calibration)
    cells: dict[str, Compiled] = {}
    for done, layer in enumerate(taken):
        progress("layers compiled", done, len(taken))
        cells.update(_compiled(machine, layer, samples, looked_at[layer.name][1]))
    progress("layers compiled", len(taken), len(taken))
    machine.check(list(cells.values()))
    return Program(network, machine, verdicts, cells, calibrated=calibration is not None)


def look(network: Network, machine: Machine) -> dict[str, tuple[Verdict, Place]]:
    """The machine's word on every layer in order, and where the layer stands among those taken."""
    flow, looked_at = Flow(network), dict[str, tuple[Verdict, Place]]()
    taken: set[str] = set()
    for layer in network.layers:
        place = flow.place(layer, taken)
        verdict = machine.verdict(layer, place)
        looked_at[layer.name] = verdict, place
        taken |= {layer.name} if verdict.takes else set()
    leaves = flow.leaves({name: looked_at[name][1] for name in taken})
    return {
        name: (verdict, replace(place, leaves=leaves.get(name, True)))
        for name, (verdict, place) in looked_at.items()
    }


def _compiled(
    machine: Machine, layer: Layer, samples: Mapping[str, Samples], place: Place
) -> Iterator[tuple[str, Compiled]]:
    if not isinstance(layer, Recurrent):
        yield layer.name, machine.compile_layer(layer, place)
        return
    for name, cell in zip(layer.cell_names, layer.cells, strict=True):
        yield name, machine.compile(name, cell, samples.get(name, Samples(None, None)), place)


def sampled(network: Network, layers: Sequence[Recurrent], data: Data) -> dict[str, Samples]:
    """What the float network's cells see and say on calibration data. Raises InputError."""
    streams = as_streams(network, data)
    if not layers:
        return {}
    tensors = [name for layer in layers for name in (layer.x, layer.outputs[0]) if name]
    calls = [call for stream in capture(network, streams, tensors) for call in stream]
    samples = {}
    for layer in layers:
        x = np.concatenate([sequence_of(layer, call[layer.x]) for call in calls])
        for direction, name in enumerate(layer.cell_names):
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
    alike = [layer for layer in network.layers if isinstance(layer, machine.takes) and layer.parameters]
    if not alike:
        unread = [layer for layer in network.layers if isinstance(layer, Opaque) and layer.kind in MAY_RECUR]
        hint = "".join(f" ({layer.kind} {layer.name}: {layer.why})" for layer in unread)
        kinds = " and ".join(KINDS[kind] for kind in machine.takes)
        return (
            f"{machine.name} takes {kinds} layers and {network.name} has none{hint}; choose another machine"
        )
    reasons = "; ".join(f"{layer.name}: {verdicts[layer.name].reason}" for layer in alike)
    return f"{machine.name} takes no layer of {network.name} ({reasons}); choose another machine or other parameters"

"""One stream through a program, call by call.

A session keeps everything that must survive from call to call: the network's own state tensors and the machine's
memories.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import InputError
from deltawave.machines.base import Activity, CompiledCell, CompiledLayer, Executor, Floats
from deltawave.network import Call, HostSegment, Layer, MachineSegment, Recurrent, as_streams
from deltawave.network.partition import activations
from deltawave.network.streams import Item

if TYPE_CHECKING:
    from deltawave.machines.program import Program

Outputs = Mapping[str, NDArray[np.generic]]


class Session:
    """One stream through a program: it keeps the network's states and the machine's memories between calls."""

    def __init__(self, program: Program, *, plain: bool = False, record: bool = True) -> None:
        self._program, self._record = program, record
        cells = program.cells.items()
        self._executors = {
            n: cell.executor(plain=plain) for n, cell in cells if isinstance(cell, CompiledCell)
        }
        self._layers = {
            name: cast(CompiledLayer, cell).layer_executor(plain=plain)
            for name, cell in cells
            if name not in self._executors
        }
        self._rows: dict[str, list[NDArray[np.bool_]]] = {name: [] for name in program.cells}
        self.reset()

    def reset(self) -> None:
        """Start a new stream: all state is zero again. What happened so far stays counted."""
        states = self._program.network.states
        self._states = {pair.input.name: np.zeros(pair.shape, pair.input.dtype) for pair in states}
        self._fresh = True

    def call(self, inputs: Call) -> Outputs:
        """One evaluation of the network: inputs by name -> outputs by name (the states are kept here).

        The inputs have the exact type and shape, batch one: `step` takes any data and checks it.
        """
        values: dict[str, NDArray[np.generic]] = {**inputs, **self._states}
        for position, segment in enumerate(self._program.segments):
            if isinstance(segment, HostSegment):
                values.update(self._program.host[position](values))
            else:
                self._run_layer(segment, values)
        network = self._program.network
        self._states = {
            pair.input.name: values.get(pair.output.name, self._states[pair.input.name]).copy()
            for pair in network.states  # the machine keeps a carried state; the host then never makes it
        }
        self._fresh = False
        return {tensor.name: values[tensor.name] for tensor in network.outputs}

    def step(self, frame: Item) -> Outputs:
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
        values.update(segment.constants)
        if isinstance(layer, Recurrent):
            self._run_recurrent(segment, layer, values)
        else:
            self._run_stateless(segment, layer, values)

    def _run_stateless(
        self, segment: MachineSegment, layer: Layer, values: dict[str, NDArray[np.generic]]
    ) -> None:
        tensors = [values[name] for name in activations(layer)]
        output, happened = self._layers[layer.name].run([np.asarray(x, np.float32) for x in tensors])
        if self._record:
            self._rows[layer.name].append(happened)
        values[segment.outputs[0]] = np.asarray(output, tensors[0].dtype)  # of a half or a double, too

    def _run_recurrent(
        self, segment: MachineSegment, layer: Recurrent, values: dict[str, NDArray[np.generic]]
    ) -> None:
        x = sequence_of(layer, values[layer.x])
        ran = [self._run_cell(layer, k, x, values) for k in range(len(layer.cells))]
        y = np.stack(ran, axis=1)
        results = [y[None] if layer.batch_first else y[:, :, None]]
        if any(segment.outputs[1:]):
            results += self._final_states(layer)
        values.update({name: value for name, value in zip(segment.outputs, results, strict=False) if name})

    def _final_states(self, layer: Recurrent) -> list[Floats]:
        """y_h and y_c as ONNX has them."""
        finals = zip(*(self._executors[name].final() for name in layer.cell_names), strict=True)
        batch_axis = 0 if layer.batch_first else 1
        return [np.expand_dims(np.stack(states), batch_axis) for states in finals]

    def _run_cell(
        self, layer: Recurrent, direction: int, x: Floats, values: Mapping[str, NDArray[np.generic]]
    ) -> Floats:
        name = layer.cell_names[direction]
        executor: Executor = self._executors[name]
        if self._fresh or not layer.carried:
            executor.reset(_initial(layer, "h", direction, values), _initial(layer, "c", direction, values))
        reverse = layer.cells[direction].reverse
        h, happened = executor.run(x[::-1] if reverse else x)
        if self._record:
            self._rows[name].append(happened)
        return h[::-1] if reverse else h


def sequence_of(layer: Recurrent, x: NDArray[np.generic]) -> Floats:
    """A layer's input tensor as [steps, inputs]. Raises InputError for a batch."""
    steps_first = x.swapaxes(0, 1) if layer.batch_first else x
    if steps_first.shape[1] != 1:
        raise InputError(
            f"{layer.name} got a batch of {steps_first.shape[1]}; machines run batch 1: pass the items one by one, "
            "or export the network with a batch of 1"
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

"""How much work a run was, and how much of it the machine took.

Work is the operations of the dense network: multiplications and additions of every layer that has weights.
"""

from dataclasses import dataclass
from math import prod

import onnx

from deltawave.machines.program import Program, Run
from deltawave.network.graph import Network
from deltawave.network.layers import Layer, Recurrent

Sizes = dict[str, list[int]]


@dataclass(frozen=True)
class Work:
    """Operations of the dense network over the run, where they were done."""

    machine: int
    host: int

    @property
    def machine_share(self) -> float:
        """Operations on the machine over all, 0 to 1."""
        return self.machine / max(self.machine + self.host, 1)


def work_of(run: Run) -> Work:
    """The work of a run. Free sizes are those of the first call, but for steps of recurrent layers taken."""
    taken = {layer.name for layer in run.program.taken}
    calls = sum(len(stream) for stream in run.streams)
    sizes = _sizes(run)
    machine = host = 0
    for layer in run.program.network.layers:
        if isinstance(layer, Recurrent) and layer.name in taken:
            machine += layer.operations * len(run.activity[layer.cell_names[0]])
        elif layer.name in taken:
            machine += layer.operations * _repeats(layer, sizes) * calls
        elif layer.operations:
            host += layer.operations * _repeats(layer, sizes) * calls
    return Work(machine, host)


def _repeats(layer: Layer, sizes: tuple[Sizes, Sizes]) -> int:
    """How often a call repeats the operations of a layer: along its axes of free size, or once a step."""
    declared, actual = sizes
    name = layer.inputs[0] if isinstance(layer, Recurrent) else layer.outputs[0]
    if name not in actual:
        return 1
    if isinstance(layer, Recurrent):
        return max(actual[name][1 if layer.batch_first else 0], 1)
    known = prod(size for size in declared.get(name, []) if size)
    return max(prod(actual[name]) // max(known, 1), 1)


def _sizes(run: Run) -> tuple[Sizes, Sizes]:
    """Sizes of all tensors as the network declares them (0 where free), and in the first call of the run."""
    model = onnx.ModelProto()
    model.CopyFrom(run.program.network.model)
    declared = _inferred(model)
    first = run.streams[0][0]
    for value in model.graph.input:
        if value.name in first:
            _fix_shape(value, first[value.name].shape)
    del model.graph.value_info[:]
    return declared, _inferred(model)


def _fix_shape(value: onnx.ValueInfoProto, shape: tuple[int, ...]) -> None:
    for dimension, size in zip(value.type.tensor_type.shape.dim, shape, strict=False):
        dimension.dim_value = size


def _inferred(model: onnx.ModelProto) -> Sizes:
    """Sizes by tensor name, 0 where free; what cannot be inferred is left out."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    return {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


def host_layers(program: Program) -> dict[str, str]:
    """Why each layer with weights that stays on the host is not taken, by name."""
    taken = {layer.name for layer in program.taken}
    left = [layer for layer in _with_weights(program.network) if layer.name not in taken]
    return {layer.name: program.verdicts[layer.name].reason + _uncounted(layer) for layer in left}


def _uncounted(layer: Layer) -> str:
    return "" if layer.operations else "; its operations are not known, and not in the work"


def _with_weights(network: Network) -> list[Layer]:
    return [layer for layer in network.layers if layer.parameters]

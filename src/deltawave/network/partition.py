"""Splits a network between a machine and the host."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import onnx
from onnx import helper, numpy_helper

from deltawave.errors import NetworkError
from deltawave.network.editing import IR_VERSION, Array
from deltawave.network.graph import Network
from deltawave.network.inference import infer
from deltawave.network.layers import Layer, Pointwise, Recurrent
from deltawave.network.onnx_types import reads


@dataclass(frozen=True, eq=False)
class HostSegment:
    """Nodes that run on the host together: `model` takes the tensors `inputs` and makes `outputs`."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layers: tuple[Layer, ...]
    model: onnx.ModelProto


@dataclass(frozen=True, eq=False)
class MachineSegment:
    """One layer that the machine runs.

    `inputs`: the tensors it is given; weights, and the state of a carried layer, are not among them.
    `outputs`: in the order of the layer's outputs, '' for those that nothing reads. `constants`: values of the inputs
    that are the same in every call, an initial state that is not zero for instance.
    """

    layer: Layer
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Array] = field(default_factory=dict)


Segment = HostSegment | MachineSegment


def partition(network: Network, taken: Collection[str]) -> tuple[Segment, ...]:
    """Segments in the order of execution; `taken` names the layers that the machine runs.

    A taken layer whose state is `carried` keeps it in the machine: nothing computes its initial state, and the output
    of a state that nothing but such layers would read is not made. Host nodes are gathered into as few segments as the
    order allows. Raises NetworkError for a name that is no layer.
    """
    layers = {layer.name: layer for layer in network.layers}
    unknown = sorted(set(taken) - set(layers))
    if unknown:
        raise NetworkError(f"the network has no layer {unknown[0]!r}; there are: {', '.join(layers)}")
    needs = needs_of(network, taken)
    outputs, nodes = demanded(network, needs, taken)
    groups = _groups(nodes, taken, needs, _given(network))
    segments: list[Segment] = []
    wanted = set(outputs)
    types = {value.name: value for value in infer(network.model)}
    for group in reversed(groups):
        if group[0].name in taken:
            segments.append(_machine_segment(network, group[0], layers[group[0].name], needs, wanted))
        else:
            segments.append(_host_segment(network, group, wanted, types, layers))
        wanted = wanted.union(*(needs[node.name] for node in group))
    return tuple(reversed(segments))


def needs_of(network: Network, taken: Collection[str]) -> dict[str, set[str]]:
    """The tensors without which each node cannot run, by its name."""
    layers = {layer.name: layer for layer in network.layers}
    return {
        node.name: _needs(node, layers[node.name], node.name in taken) for node in network.model.graph.node
    }


def _needs(node: onnx.NodeProto, layer: Layer, taken: bool) -> set[str]:
    """A machine has its weights already, and the state it carries."""
    if not taken:
        return reads(node)
    if not isinstance(layer, Recurrent):
        return {str(name) for name in activations(layer)}
    states = () if layer.carried else (layer.initial("h"), layer.initial("c"))
    return {layer.x, *states} - {""}


def activations(layer: Layer) -> tuple[str, ...]:
    """The tensors that a layer which is not recurrent works on: its inputs without weights."""
    if not isinstance(layer, Pointwise):
        return layer.inputs[:1]
    return layer.inputs if layer.constant is None else (layer.inputs[0 if not layer.constant_first else 1],)


def demanded(
    network: Network, needs: Mapping[str, set[str]], taken: Collection[str]
) -> tuple[set[str], list[onnx.NodeProto]]:
    """The outputs that must be made, and the nodes that they and the layers taken depend on.

    A state matters if a needed node reads it. A layer taken runs even if nothing but itself reads its state.
    """
    outputs = {tensor.name for tensor in network.outputs}
    while True:
        nodes, wanted = [], set(outputs)
        for node in reversed(network.model.graph.node):
            if node.name in taken or wanted & set(node.output):
                wanted |= needs[node.name]
                nodes.append(node)
        more = {state.output.name for state in network.states if state.input.name in wanted} - outputs
        if not more:
            return outputs, nodes[::-1]
        outputs |= more


def _given(network: Network) -> set[str]:
    graph = network.model.graph
    return {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}


def _groups(
    nodes: Iterable[onnx.NodeProto], taken: Collection[str], needs: Mapping[str, set[str]], ready: set[str]
) -> list[list[onnx.NodeProto]]:
    """All host nodes that can run, then every machine layer that can, and again."""
    pending, groups = list(nodes), list[list[onnx.NodeProto]]()
    while pending:
        host: list[onnx.NodeProto] = []
        for node in pending:
            if node.name not in taken and needs[node.name] <= ready:
                host.append(node)
                ready |= set(node.output)
        machine = [node for node in pending if node.name in taken and needs[node.name] <= ready]
        ready = ready.union(*(node.output for node in machine))
        groups += ([host] if host else []) + [[node] for node in machine]
        done = {node.name for node in host + machine}
        assert done, "the nodes of a canonical model are in order"
        pending = [node for node in pending if node.name not in done]
    return groups


def _machine_segment(
    network: Network, node: onnx.NodeProto, layer: Layer, needs: Mapping[str, set[str]], wanted: set[str]
) -> MachineSegment:
    inputs = tuple(dict.fromkeys(name for name in node.input if name in needs[node.name]))
    outputs = tuple(name if name in wanted else "" for name in node.output)
    stored = [tensor for tensor in network.model.graph.initializer if tensor.name in inputs]
    return MachineSegment(
        layer, inputs, outputs, {tensor.name: numpy_helper.to_array(tensor) for tensor in stored}
    )


def _host_segment(
    network: Network,
    group: list[onnx.NodeProto],
    wanted: set[str],
    types: Mapping[str, onnx.ValueInfoProto],
    layers: Mapping[str, Layer],
) -> HostSegment:
    made = [name for node in group for name in node.output if name]
    read = set[str]().union(*(reads(node) for node in group))
    stored = [tensor for tensor in network.model.graph.initializer if tensor.name in read]
    inputs = sorted(read - set(made) - {tensor.name for tensor in stored})
    outputs = [name for name in made if name in wanted]
    for name in inputs:
        if name not in types:
            raise NetworkError(
                f"the type of the tensor {name!r} is not known, so it cannot be handed to the host"
            )
    # ONNX Runtime infers the types of outputs itself
    results = [types.get(name) or onnx.ValueInfoProto(name=name) for name in outputs]
    graph = helper.make_graph(group, "host", [types[name] for name in inputs], results, stored)
    model = helper.make_model(graph, opset_imports=network.model.opset_import, ir_version=IR_VERSION)
    return HostSegment(tuple(inputs), tuple(outputs), tuple(layers[node.name] for node in group), model)

"""A model opened for rewriting: nodes in a list, constants by name.

A rewriting pass is a function that edits an `Editor` and says whether it changed anything. `model()` closes it to an
ONNX model of the same meaning. Passes edit the outermost graph; what subgraphs read of it is kept in step.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from deltawave.network.inference import infer
from deltawave.network.layers import REVERSE
from deltawave.network.limits import LIMITS, Limits
from deltawave.network.onnx_types import attributes, dims, in_order, reads, subgraphs

Array = NDArray[Any]
# dynamo writes IR version 14, ONNX Runtime 1.19 reads up to 10
IR_VERSION = 10
_SMALL = 1024  # constants up to this many elements take part in shape inference: shapes, axes, indices


class Editor:
    """The outermost graph of a model: `nodes` (in order), `inputs`, `outputs`, and the constants."""

    def __init__(self, model: onnx.ModelProto, limits: Limits = LIMITS) -> None:
        graph = model.graph
        self.room_bytes = limits.computed_bytes
        self.name = graph.name or "network"
        self.opsets = list(model.opset_import)
        self.opset = next(entry.version for entry in self.opsets if entry.domain in ("", "ai.onnx"))
        self.nodes = [_copy(node) for node in graph.node]
        self._stored = {tensor.name: tensor for tensor in graph.initializer}
        self._decoded: dict[str, Array] = {}
        # before IR version 4 every initializer was listed as an input too
        self.inputs = [value for value in graph.input if value.name not in self._stored]
        self.outputs = list(graph.output)
        self._names = Names(self._all_names())
        self._node_names = Names(node.name for node in self.nodes)
        self._name_nodes()

    def model(self) -> onnx.ModelProto:
        """The edited model."""
        used = self.names_read()
        stored = [tensor for name, tensor in self._stored.items() if name in used]
        graph = helper.make_graph(self.nodes, self.name, self.inputs, self.outputs, stored)
        return helper.make_model(
            graph, opset_imports=self.opsets, ir_version=IR_VERSION, producer_name="deltawave"
        )

    def constant(self, name: str) -> Array | None:
        """The value of a constant tensor, else None."""
        if name not in self._stored:
            return None
        if name not in self._decoded:
            self._decoded[name] = numpy_helper.to_array(self._stored[name])
        return self._decoded[name]

    def set_constant(self, name: str, value: Array) -> None:
        """Make the tensor a constant; whatever made it must go."""
        self._stored[name] = numpy_helper.from_array(np.ascontiguousarray(value).reshape(value.shape), name)
        self._decoded[name] = value
        self.room_bytes -= value.nbytes

    def new_constant(self, value: Array, like: str) -> str:
        """A new constant; its name begins with `like`."""
        name = self.new_name(like)
        self.set_constant(name, value)
        return name

    def new_name(self, like: str) -> str:
        """A tensor name that nothing has, beginning with `like`."""
        return self._names.new(like)

    def new_node_name(self, like: str) -> str:
        """A node name that nothing has, beginning with `like`."""
        return self._node_names.new(like)

    def names_read(self) -> set[str]:
        """Every tensor that a node or the outside reads."""
        return {value.name for value in self.outputs}.union(*(reads(node) for node in self.nodes))

    def makers(self) -> dict[str, onnx.NodeProto]:
        """The node that makes each tensor."""
        return {name: node for node in self.nodes for name in node.output if name}

    def readers(self) -> dict[str, list[onnx.NodeProto]]:
        """The nodes that read each tensor, subgraphs' reads included. Graph outputs are not among them."""
        found: dict[str, list[onnx.NodeProto]] = {}
        for node in self.nodes:
            for name in reads(node):
                found.setdefault(name, []).append(node)
        return found

    def output_names(self) -> set[str]:
        """Names of the graph's outputs."""
        return {value.name for value in self.outputs}

    def substitute(self, changes: Mapping[int, Sequence[onnx.NodeProto]]) -> None:
        """Put new nodes (or none) in the place of old ones, which are named by their `id`."""
        kept = [changes.get(id(node), [node]) for node in self.nodes]
        self.nodes = [node for nodes in kept for node in nodes]

    def drop(self, nodes: Iterable[onnx.NodeProto]) -> None:
        """Remove nodes."""
        self.substitute({id(node): [] for node in nodes})

    def rename_reads(self, names: Mapping[str, str]) -> None:
        """Let every node, subgraphs included, read other tensors: old name -> new name."""
        for node in self.nodes:
            rename_reads(node, names)

    def sort(self) -> None:
        """Put the nodes in an order in which they can run."""
        self.nodes = [self.nodes[index] for index in in_order(self.nodes)]

    def drop_dead(self) -> bool:
        """Remove nodes whose results nothing reads."""
        wanted, kept = self.output_names(), []
        for node in reversed(self.nodes):
            if wanted & set(node.output):
                wanted |= reads(node)
                kept.append(node)
        changed = len(kept) != len(self.nodes)
        self.nodes = kept[::-1]
        return changed

    def infer_shapes(self) -> dict[str, onnx.ValueInfoProto]:
        """Types and shapes of all tensors as far as ONNX infers them. Raises NetworkError where they contradict."""
        values = infer(self._light_model())
        return {value.name: value for value in values}

    def _light_model(self) -> onnx.ModelProto:
        """The model with large constants as inputs: inference needs their shapes only, and copies what it is given."""
        used = self.names_read()
        small, large = [], []
        for name in used & set(self._stored):
            tensor = self._stored[name]
            if np.prod(tensor.dims, dtype=float) <= _SMALL:
                small.append(tensor)
            else:
                large.append(helper.make_tensor_value_info(name, tensor.data_type, list(tensor.dims)))
        # what a file says of its outputs is not believed
        outputs = [
            helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, None)
            for value in self.outputs
        ]
        graph = helper.make_graph(self.nodes, self.name, [*self.inputs, *large], outputs, small)
        return helper.make_model(graph, opset_imports=self.opsets, ir_version=IR_VERSION)

    def _all_names(self) -> Iterator[str]:
        """Every tensor name, those inside subgraphs included."""
        yield from (value.name for value in [*self.inputs, *self.outputs])
        yield from self._stored
        waiting = list(self.nodes)
        while waiting:
            node = waiting.pop()
            yield from [*node.input, *node.output]
            for graph in subgraphs(node):
                yield from (value.name for value in [*graph.input, *graph.initializer])
                waiting.extend(graph.node)

    def _name_nodes(self) -> None:
        """Every node gets a name of its own, which is not that of another's reversed cell."""
        seen: set[str] = set()
        for node in self.nodes:
            if not node.name or node.name in seen:
                node.name = self.new_node_name(node.name or node.op_type.lower())
            if node.name.endswith(REVERSE):
                node.name = self.new_node_name(f"{node.name}_")
            seen.add(node.name)


class Names:
    """Names taken so far."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = set(taken)
        self._numbers: Counter[str] = Counter()

    def new(self, wish: str) -> str:
        """The wish itself, or with a number after it; it is taken from now on."""
        name = wish
        while name in self._taken:
            self._numbers[wish] += 1
            name = f"{wish}_{self._numbers[wish] + 1}"
        self._taken.add(name)
        return name


def rename_reads(node: onnx.NodeProto, names: Mapping[str, str]) -> None:
    """Let a node and its subgraphs read other tensors: old name -> new name."""
    for index, name in enumerate(node.input):
        if name in names:
            node.input[index] = names[name]
    for graph in subgraphs(node):
        for inner in graph.node:
            rename_reads(inner, names)
        made = {name for inner in graph.node for name in inner.output}
        for value in graph.output:
            if value.name in names and value.name not in made:
                graph.node.append(helper.make_node("Identity", [names[value.name]], [value.name]))


def axes_of(node: onnx.NodeProto, editor: Editor, position: int = 1) -> list[int] | None:
    """The `axes` of a node, an attribute in old opsets and an input in new ones; None if not constant or not given."""
    if "axes" in attributes(node):
        return [int(axis) for axis in attributes(node)["axes"]]
    value = editor.constant(node.input[position]) if len(node.input) > position else None
    return None if value is None else [int(axis) for axis in value.reshape(-1)]


def static_shape(value: onnx.ValueInfoProto | None) -> list[int] | None:
    """The shape if every size is known."""
    shape = None if value is None else dims(value)
    if shape is None or not all(isinstance(size, int) for size in shape):
        return None
    return [int(size) for size in shape]


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy

"""Inlines the functions a model defines for itself, as PyTorch's exporter writes them."""

from collections.abc import Iterable, Iterator

import onnx
import onnx.inliner

from deltawave.errors import NetworkError
from deltawave.network.limits import Limits
from deltawave.network.onnx_types import subgraphs

_Key = tuple[str, str]


def inline_functions(model: onnx.ModelProto, limits: Limits) -> onnx.ModelProto:
    """The model without local functions. Raises NetworkError if one calls itself, or if they unfold without bound."""
    if not model.functions:
        return model
    bodies = {(function.domain, function.name): function.node for function in model.functions}
    _unfolded(model.graph.node, bodies, {}, (), limits)
    try:
        return onnx.inliner.inline_local_functions(model)
    except Exception as error:  # raised by the extension module with types of its own
        raise NetworkError(f"the model's functions cannot be inlined: {error}") from error


def _unfolded(
    nodes: Iterable[onnx.NodeProto],
    bodies: dict[_Key, Iterable[onnx.NodeProto]],
    costs: dict[_Key, tuple[int, int]],
    path: tuple[_Key, ...],
    limits: Limits,
) -> tuple[int, int]:
    """How many nodes, and of how many bytes, these become."""
    count = size = 0
    for node in _nested(nodes, 0, limits):
        key = (node.domain, node.op_type)
        if key in path or len(path) > limits.nesting:
            raise NetworkError(f"the function {node.op_type} calls itself, or functions nest too deep")
        if key in bodies and key not in costs:
            costs[key] = _unfolded(bodies[key], bodies, costs, (*path, key), limits)
        nodes_more, bytes_more = costs.get(key) or (1, node.ByteSize())
        count, size = count + nodes_more, size + bytes_more
        if count > limits.nodes or size > limits.tensor_bytes:
            raise NetworkError(f"the functions unfold to more than {limits.nodes} nodes (Limits.nodes)")
    return count, size


def _nested(nodes: Iterable[onnx.NodeProto], depth: int, limits: Limits) -> Iterator[onnx.NodeProto]:
    if depth > limits.nesting:
        raise NetworkError(f"graphs nest deeper than {limits.nesting} levels (Limits.nesting)")
    for node in nodes:
        yield node
        for graph in subgraphs(node):
            yield from _nested(graph.node, depth + 1, limits)

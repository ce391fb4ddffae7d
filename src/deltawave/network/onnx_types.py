"""Small questions about ONNX protobufs: element types, names and attributes of nodes, graphs inside graphs."""

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
import onnx
from onnx import helper

from deltawave.errors import NetworkError

# of operators that quantisers write, spelled out before anything runs them
QONNX_DOMAINS = {"qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas"}
# sizes of the element types ONNX Runtime computes with; strings have none
BITS = {
    onnx.TensorProto.FLOAT: 32,
    onnx.TensorProto.DOUBLE: 64,
    onnx.TensorProto.FLOAT16: 16,
    onnx.TensorProto.BFLOAT16: 16,
    onnx.TensorProto.INT8: 8,
    onnx.TensorProto.INT16: 16,
    onnx.TensorProto.INT32: 32,
    onnx.TensorProto.INT64: 64,
    onnx.TensorProto.UINT8: 8,
    onnx.TensorProto.UINT16: 16,
    onnx.TensorProto.UINT32: 32,
    onnx.TensorProto.UINT64: 64,
    onnx.TensorProto.BOOL: 8,
    onnx.TensorProto.INT4: 4,
    onnx.TensorProto.UINT4: 4,
}


def dtype_name(name: str, element: int) -> str:
    """The NumPy name of a tensor's element type: 'float32'. Raises NetworkError for one that we do not compute with."""
    if element not in BITS:
        raise NetworkError(f"{name} has element type {element}, which is not supported; use float32")
    return str(np.dtype(helper.tensor_dtype_to_np_dtype(element)).name)


def label(node: onnx.NodeProto) -> str:
    """How messages name a node: its name, else its first output, and the operator."""
    name = node.name or next(iter(node.output), "")
    return f"{name} ({node.op_type})"


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Attributes by name, strings as str."""
    return {attribute.name: _value(attribute) for attribute in node.attribute}


def _value(attribute: onnx.AttributeProto) -> Any:
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list) and value and isinstance(value[0], bytes):
        return [item.decode(errors="replace") for item in value]
    return value


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """Graphs in the attributes of a node: branches and loop bodies."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def reads(node: onnx.NodeProto) -> set[str]:
    """Every tensor of the surrounding graph that a node reads, those its subgraphs read included."""
    names = {name for name in node.input if name}
    for graph in subgraphs(node):
        names |= free_names(graph)
    return names


def free_names(graph: onnx.GraphProto) -> set[str]:
    """Tensors that a subgraph takes from outside."""
    inside = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    outside = {value.name for value in graph.output}
    for node in graph.node:
        outside |= reads(node)
        inside |= set(node.output)
    return outside - inside


def in_order(nodes: Sequence[onnx.NodeProto]) -> list[int]:
    """Positions of the nodes in an order in which each comes after what it reads; unchanged if they are so already.

    Raises NetworkError for a cycle.
    """
    maker = {name: index for index, node in enumerate(nodes) for name in node.output if name}
    waits = {
        index: {maker[name] for name in reads(node) if name in maker} for index, node in enumerate(nodes)
    }
    if all(earlier < index for index, before in waits.items() for earlier in before):
        return list(range(len(nodes)))
    try:
        return list(TopologicalSorter(waits).static_order())
    except CycleError as error:
        raise NetworkError(f"the graph has a cycle through {label(nodes[error.args[1][0]])}") from error


def dims(value: onnx.ValueInfoProto) -> list[int | str] | None:
    """The declared shape: sizes, names of free sizes ('' where unnamed); None if not even the rank is known."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return [dim.dim_value if dim.HasField("dim_value") else str(dim.dim_param) for dim in tensor.shape.dim]

"""The rules a model must keep before any library works on it.

ONNX's own checker and ONNX Runtime trust declared sizes and names more than a stranger's file deserves, so sizes, names
and order are checked here first. Nodes out of order are put in order.
"""

from collections import Counter
from collections.abc import Iterator
from math import prod

import onnx
from onnx import helper

from deltawave.errors import NetworkError
from deltawave.network.functions import inline_functions
from deltawave.network.inference import infer
from deltawave.network.limits import Limits
from deltawave.network.onnx_types import BITS, QONNX_DOMAINS, dims, in_order, label, reads, subgraphs

OLDEST_OPSET = 7
STANDARD = {"", "ai.onnx"}
DOMAINS = {*STANDARD, *QONNX_DOMAINS, "ai.onnx.ml", "com.microsoft"}


def check_model(model: onnx.ModelProto, limits: Limits) -> onnx.ModelProto:
    """The model, functions inlined and nodes in order. Raises NetworkError naming the broken rule, node or tensor."""
    _opset(model)
    model = inline_functions(model, limits)
    _check_tensors(model, limits)
    _check_nodes(model, limits)
    _check_interface(model.graph, limits)
    _order(model.graph, frozenset())
    _complete_outputs(model)
    try:
        onnx.checker.check_model(model)
    except Exception as error:  # the checker raises types of its own extension module
        raise NetworkError(f"the model breaks a rule of ONNX: {first_line(error)}") from error
    return model


def first_line(error: BaseException) -> str:
    """The first line of another library's message that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def all_graphs(model: onnx.ModelProto, limits: Limits) -> Iterator[onnx.GraphProto]:
    """The graph, and the graphs within it. Raises NetworkError where they nest deeper than `limits.nesting`."""
    waiting = [(model.graph, 0)]
    while waiting:
        graph, depth = waiting.pop()
        if depth > limits.nesting:
            raise NetworkError(f"graphs nest deeper than {limits.nesting} levels (Limits.nesting)")
        yield graph
        waiting += [(inner, depth + 1) for node in graph.node for inner in subgraphs(node)]


def all_tensors(model: onnx.ModelProto, limits: Limits) -> Iterator[onnx.TensorProto]:
    """Every stored tensor: initializers and attributes, in subgraphs too."""
    for graph in all_graphs(model, limits):
        yield from graph.initializer
        for attribute in (attribute for node in graph.node for attribute in node.attribute):
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def element_count(tensor: onnx.TensorProto, limits: Limits) -> int:
    """Number of elements, refusing absurd shapes and unknown types."""
    shape = list(tensor.dims)
    if any(size < 0 for size in shape):
        raise NetworkError(f"tensor {tensor.name} has the shape {shape}; sizes cannot be negative")
    if tensor.data_type not in BITS and tensor.data_type != onnx.TensorProto.STRING:
        raise NetworkError(
            f"tensor {tensor.name} has element type {tensor.data_type}, which is not supported"
        )
    if prod(shape) * BITS.get(tensor.data_type, 64) > 8 * limits.tensor_bytes:
        raise NetworkError(
            f"tensor {tensor.name} of shape {shape} needs more than {limits.tensor_bytes} bytes (Limits.tensor_bytes)"
        )
    return prod(shape)


def stored_bytes(tensor: onnx.TensorProto, count: int) -> int:
    """Size of `count` elements of the tensor's type as raw data."""
    return -(-count * BITS.get(tensor.data_type, 0) // 8)


def _opset(model: onnx.ModelProto) -> int:
    """The one version of the ONNX operators that the model uses."""
    versions = [entry.version for entry in model.opset_import if entry.domain in STANDARD]
    newest = onnx.defs.onnx_opset_version()
    if len(versions) != 1:
        raise NetworkError(f"the model declares {len(versions)} versions of the ONNX operators, not one")
    if not OLDEST_OPSET <= versions[0] <= newest:
        raise NetworkError(
            f"the model uses opset {versions[0]}, opsets {OLDEST_OPSET} to {newest} are read; export it again"
        )
    return int(versions[0])


def _check_tensors(model: onnx.ModelProto, limits: Limits) -> None:
    total = 0
    for tensor in all_tensors(model, limits):
        count = element_count(tensor, limits)
        total += stored_bytes(tensor, count)
        if total > limits.tensor_bytes:
            raise NetworkError(
                f"the tensors need more than {limits.tensor_bytes} bytes (Limits.tensor_bytes)"
            )
        _check_stored(tensor, count)


def _check_stored(tensor: onnx.TensorProto, count: int) -> None:
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        raise NetworkError(f"tensor {tensor.name} lies in another file")
    size = stored_bytes(tensor, count)
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) != size:
            raise NetworkError(
                f"tensor {tensor.name} of shape {list(tensor.dims)} needs {size} bytes,"
                f" {len(tensor.raw_data)} are stored"
            )
        return
    field = helper.tensor_dtype_to_field(tensor.data_type)
    needed = size if BITS.get(tensor.data_type) == 4 else count
    stored = len(getattr(tensor, field))
    if stored != needed:
        raise NetworkError(
            f"tensor {tensor.name} of shape {list(tensor.dims)} needs {needed} values, {stored} are stored"
        )


def _check_nodes(model: onnx.ModelProto, limits: Limits) -> None:
    count, opset = 0, _opset(model)
    for graph in all_graphs(model, limits):
        count += len(graph.node)
        if count > limits.nodes:
            raise NetworkError(f"the model has more than {limits.nodes} nodes (Limits.nodes)")
        if graph.sparse_initializer:
            raise NetworkError(f"tensor {graph.sparse_initializer[0].values.name} is sparse; store it dense")
        for node in graph.node:
            if node.domain not in DOMAINS:
                raise NetworkError(f"{label(node)} is of the domain {node.domain!r}, which is not known")
            # operators of other domains ONNX Runtime must know
            if node.domain in STANDARD and not onnx.defs.has(node.op_type, opset):
                raise NetworkError(f"{label(node)}: there is no such operator in opset {opset}")
            if any(attribute.ref_attr_name for attribute in node.attribute):
                raise NetworkError(f"{label(node)} refers to an attribute of a function, but is in none")


def _check_interface(graph: onnx.GraphProto, limits: Limits) -> None:
    if not graph.output:
        raise NetworkError("the model has no outputs")
    for value in [*graph.input, *graph.output]:
        if not value.type.HasField("tensor_type"):
            raise NetworkError(
                f"{value.name} is not a tensor; sequences, maps and optionals are not supported"
            )
        sizes = [size for size in dims(value) or [] if isinstance(size, int)]
        if any(size < 0 for size in sizes) or prod(sizes) > limits.tensor_bytes:
            raise NetworkError(
                f"{value.name} has the shape {dims(value)}; at most {limits.tensor_bytes} values are taken"
            )


def _complete_outputs(model: onnx.ModelProto) -> None:
    """Give outputs that are declared without a shape the shape that is inferred."""
    bare = [value for value in model.graph.output if dims(value) is None]
    found = {value.name: value for value in infer(model)} if bare else {}
    for value in bare:
        if value.name in found:
            value.type.CopyFrom(found[value.name].type)


def _order(graph: onnx.GraphProto, outer: frozenset[str]) -> None:
    """Sort the nodes of a graph and the graphs within; refuse cycles and names defined twice or never."""
    given = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    _check_unique(graph, given)
    made = {name for node in graph.node for name in node.output if name}
    known = outer | given | made
    for node in graph.node:
        for name in reads(node) - known:
            raise NetworkError(f"{label(node)} reads {name!r}, which nothing makes")
        for inner in subgraphs(node):
            _order(inner, known)
    for value in graph.output:
        if value.name not in known:
            raise NetworkError(f"the output {value.name!r} is made by no node")
    _sort(graph)


def _check_unique(graph: onnx.GraphProto, given: set[str]) -> None:
    made = [name for node in graph.node for name in node.output if name]
    counts = Counter(made) + Counter(value.name for value in graph.input)
    counts += Counter(name for name in made if name in given)
    for names in (counts, Counter(tensor.name for tensor in graph.initializer)):
        for name, count in names.items():
            if count > 1:
                raise NetworkError(f"the tensor {name!r} is defined more than once")
    outputs = Counter(value.name for value in graph.output)
    for name, count in outputs.items():
        if count > 1:
            raise NetworkError(f"the output {name!r} is listed {count} times")


def _sort(graph: onnx.GraphProto) -> None:
    nodes = list(graph.node)
    order = in_order(nodes)
    if order == sorted(order):
        return
    copies = [onnx.NodeProto.FromString(nodes[index].SerializeToString()) for index in order]
    del graph.node[:]
    graph.node.extend(copies)

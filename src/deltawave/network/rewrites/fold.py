"""Computes what does not depend on the input."""

import numpy as np
import onnx
from onnx import numpy_helper

from deltawave.network.editing import Array, Editor
from deltawave.network.evaluate import evaluate
from deltawave.network.onnx_types import attributes, dims

_LITERALS: dict[str, type[np.generic]] = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def fold(editor: Editor) -> bool:
    """Nodes whose inputs are all constant become constants, unless they make an output of the graph."""
    outputs, done = editor.output_names(), []
    for node in editor.nodes:
        results = None if outputs & set(node.output) else _results(editor, node)
        if results is not None:
            for name, result in zip(node.output, results, strict=False):
                editor.set_constant(name, result)
            done.append(node)
    editor.drop(done)
    return bool(done)


def fold_shapes(editor: Editor) -> bool:
    """Shape and Size of tensors whose shape is known become constants, and the known sizes picked from other shapes."""
    wanted = [node for node in editor.nodes if node.op_type in ("Shape", "Size") and node.input]
    if not wanted:
        return False
    shapes, outputs = editor.infer_shapes(), editor.output_names()
    sizes = {node.output[0]: dims(shapes[node.input[0]]) for node in wanted if node.input[0] in shapes}
    done = []
    for node in editor.nodes:
        if outputs & set(node.output) or not node.input:
            continue
        found = _counted(editor, node, sizes) if node in wanted else _picked(editor, node, sizes)
        if found is not None:
            editor.set_constant(node.output[0], found)
            done.append(node)
    editor.drop(done)
    return bool(done)


def _counted(editor: Editor, node: onnx.NodeProto, sizes: dict[str, list[int | str] | None]) -> Array | None:
    """Shape or Size of a tensor whose every size is known."""
    shape = sizes.get(node.output[0])
    if shape is None or not all(isinstance(size, int) for size in shape):
        return None
    # a broadcast view has the shape of a large tensor without its memory
    results = evaluate(node, [np.broadcast_to(np.int8(0), [int(size) for size in shape])], editor.room_bytes)
    return results[0] if results else None


def _picked(editor: Editor, node: onnx.NodeProto, sizes: dict[str, list[int | str] | None]) -> Array | None:
    """Gather or Slice of a shape, where what it picks is known: found by picking from positions instead."""
    shape = sizes.get(node.input[0])
    rest = [editor.constant(name) for name in node.input[1:]]
    if node.op_type not in ("Gather", "Slice") or shape is None or any(value is None for value in rest):
        return None
    results = evaluate(node, [np.arange(len(shape)), *rest], editor.room_bytes)
    if not results:
        return None
    found = [shape[position] for position in results[0].flat]
    known = [size for size in found if isinstance(size, int)]
    return np.array(known, np.int64).reshape(results[0].shape) if len(known) == len(found) else None


def _results(editor: Editor, node: onnx.NodeProto) -> list[Array] | None:
    if node.op_type == "Constant":
        return _literal(node)
    if node.op_type == "DequantizeLinear":
        return None  # see `values`: what quantised weights are is known, and the node stays
    inputs = [editor.constant(name) if name else None for name in node.input]
    missing = any(name and value is None for name, value in zip(node.input, inputs, strict=True))
    return None if missing or not inputs else evaluate(node, inputs, editor.room_bytes)


def _literal(node: onnx.NodeProto) -> list[Array] | None:
    for name, value in attributes(node).items():
        if name == "value":
            return [numpy_helper.to_array(value)]
        if name in _LITERALS:
            return [np.array(value, _LITERALS[name])]
    return None

"""Computes what does not depend on the input."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from deltawave.network.editing import Editor, static_shape
from deltawave.network.evaluate import evaluate
from deltawave.network.onnx_types import attributes

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
    """Shape and Size of tensors whose shape is known become constants."""
    wanted = [node for node in editor.nodes if node.op_type in ("Shape", "Size") and node.input]
    if not wanted:
        return False
    shapes, done = editor.infer_shapes(), []
    for node in wanted:
        shape = static_shape(shapes.get(node.input[0]))
        if shape is None or node.output[0] in editor.output_names():
            continue
        # a broadcast view has the shape of a large tensor without its memory
        results = evaluate(node, [np.broadcast_to(np.int8(0), shape)], editor.room_bytes)
        if results is not None:
            editor.set_constant(node.output[0], results[0])
            done.append(node)
    editor.drop(done)
    return bool(done)


def _results(editor: Editor, node: onnx.NodeProto) -> list[NDArray[Any]] | None:
    if node.op_type == "Constant":
        return _literal(node)
    inputs = [editor.constant(name) if name else None for name in node.input]
    missing = any(name and value is None for name, value in zip(node.input, inputs, strict=True))
    return None if missing or not inputs else evaluate(node, inputs, editor.room_bytes)


def _literal(node: onnx.NodeProto) -> list[NDArray[Any]] | None:
    for name, value in attributes(node).items():
        if name == "value":
            return [numpy_helper.to_array(value)]
        if name in _LITERALS:
            return [np.array(value, _LITERALS[name])]
    return None

"""Lets recurrent nodes of other float types compute in float32, the only type in which ONNX Runtime has them all."""

import numpy as np
import onnx
from onnx import TensorProto, helper

from deltawave.network.editing import Editor

_OTHERS = (TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16)
_LENGTHS = 4  # the one input that is not of the float type


def in_single_precision(editor: Editor) -> bool:
    """Casts around every LSTM, GRU and RNN of another float type; constants are converted."""
    recurrent = [node for node in editor.nodes if node.op_type in ("LSTM", "GRU", "RNN")]
    if not recurrent:
        return False
    shapes, changes = editor.infer_shapes(), {}
    for node in recurrent:
        element = shapes[node.input[0]].type.tensor_type.elem_type if node.input[0] in shapes else 0
        if element in _OTHERS:
            changes[id(node)] = _cast(editor, node, element)
    editor.substitute(changes)
    return bool(changes)


def _cast(editor: Editor, node: onnx.NodeProto, element: int) -> list[onnx.NodeProto]:
    single = onnx.NodeProto()
    single.CopyFrom(node)
    before, after = [], []
    for position, name in enumerate(node.input):
        if not name or position == _LENGTHS:
            continue
        constant = editor.constant(name)
        if constant is not None:
            with np.errstate(over="ignore"):
                single.input[position] = editor.new_constant(constant.astype(np.float32), f"{name}_float32")
        else:
            single.input[position] = editor.new_name(f"{name}_float32")
            before.append(_cast_node(editor, name, single.input[position], TensorProto.FLOAT))
    for position, name in enumerate(node.output):
        if name:
            single.output[position] = editor.new_name(f"{name}_float32")
            after.append(_cast_node(editor, single.output[position], name, element))
    return [*before, single, *after]


def _cast_node(editor: Editor, source: str, result: str, element: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [source], [result], name=editor.new_node_name("cast"), to=element)

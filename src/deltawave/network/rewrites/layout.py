"""Writes recurrent nodes with the batch first (layout = 1), which ONNX Runtime does not run, with the steps first."""

import onnx
from onnx import helper

from deltawave.network.editing import Editor
from deltawave.network.onnx_types import attributes

_SWAP = [1, 0, 2]
_BATCH_FIRST = [2, 0, 1, 3]  # of y: [steps, directions, batch, hidden] -> [batch, steps, directions, hidden]


def steps_first(editor: Editor) -> bool:
    """Transposes around every recurrent node with layout = 1."""
    found = [
        node
        for node in editor.nodes
        if attributes(node).get("layout", 0) and node.op_type in ("LSTM", "GRU", "RNN")
    ]
    editor.substitute({id(node): _turned(editor, node) for node in found})
    return bool(found)


def _turned(editor: Editor, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    turned = onnx.NodeProto()
    turned.CopyFrom(node)
    del turned.attribute[:]
    turned.attribute.extend(attribute for attribute in node.attribute if attribute.name != "layout")
    before, after = [], []
    for position in (0, 5, 6):
        if position < len(node.input) and node.input[position]:
            turned.input[position] = editor.new_name(f"{node.input[position]}_steps_first")
            before.append(_transpose(editor, node.input[position], turned.input[position], _SWAP))
    for position, name in enumerate(node.output):
        if name:
            turned.output[position] = editor.new_name(f"{name}_steps_first")
            order = _SWAP if position else _BATCH_FIRST
            after.append(_transpose(editor, turned.output[position], name, order))
    return [*before, turned, *after]


def _transpose(editor: Editor, source: str, result: str, order: list[int]) -> onnx.NodeProto:
    return helper.make_node(
        "Transpose", [source], [result], name=editor.new_node_name("transpose"), perm=order
    )

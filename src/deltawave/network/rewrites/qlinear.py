"""Writes QLinearConv and QLinearMatMul as dequantise - compute - quantise: the same bits, with readable weights."""

import numpy as np
import onnx
from onnx import helper

from deltawave.network.editing import Editor

_AXIS_SINCE = 13  # the opset from which DequantizeLinear takes a scale for each channel


def spell_out_quantised(editor: Editor) -> bool:
    """QLinear nodes with constant scales are spelled out. ONNX Runtime joins them to the same integer kernels again."""
    found = [node for node in editor.nodes if node.op_type in ("QLinearConv", "QLinearMatMul")]
    changes = {id(node): _spelled(editor, node) for node in found}
    editor.substitute({key: nodes for key, nodes in changes.items() if nodes})
    return any(changes.values())


def _spelled(editor: Editor, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    scales = [editor.constant(node.input[position]) for position in (1, 4)]
    if any(scale is None for scale in scales):
        return []
    x_scale, w_scale = (np.asarray(scale) for scale in scales)
    if (
        w_scale.size > 1 and (editor.opset < _AXIS_SINCE or node.op_type == "QLinearMatMul")
    ) or x_scale.size > 1:
        return []
    x, w, y = (editor.new_name(f"{node.name}_{part}") for part in "xwy")
    nodes = [_dequantise(editor, node.input[0:3], x, None), _dequantise(editor, node.input[3:6], w, w_scale)]
    inputs = [x, w]
    if len(node.input) > 8 and node.input[8]:
        bias = editor.new_name(f"{node.name}_b")
        scale = editor.new_constant(np.asarray(x_scale.reshape(-1)[0] * w_scale), f"{node.name}_b_scale")
        zero = editor.new_constant(np.zeros(w_scale.shape, np.int32), f"{node.name}_b_zero")
        nodes.append(_dequantise(editor, [node.input[8], scale, zero], bias, w_scale))
        inputs.append(bias)
    kind = node.op_type.removeprefix("QLinear")
    name = editor.new_node_name(f"{node.name}_{kind.lower()}")
    nodes.append(helper.make_node(kind, inputs, [y], name=name))
    nodes[-1].attribute.extend(node.attribute)
    quantised = ["QuantizeLinear", [y, node.input[6], node.input[7]], list(node.output)]
    return [*nodes, helper.make_node(*quantised, name=node.name)]


def _dequantise(
    editor: Editor, inputs: "list[str]", result: str, scale: "np.ndarray | None"
) -> onnx.NodeProto:
    axis = {"axis": 0} if scale is not None and scale.size > 1 else {}
    name = editor.new_node_name(f"{result}_dequantise")
    return helper.make_node("DequantizeLinear", list(inputs), [result], name=name, **axis)

"""Removes nodes that hand their input on unchanged."""

import numpy as np
import onnx

from deltawave.network.editing import Editor, static_shape
from deltawave.network.onnx_types import attributes, reads, subgraphs

SHAPERS = ("Reshape", "Expand", "Slice", "Transpose")


def remove_identities(editor: Editor) -> bool:
    """Identity, Dropout as at inference, Cast to the same type, x + 0, x * 1, slices and reshapes to the same go."""
    shapes = editor.infer_shapes()
    changed = False
    for node in list(editor.nodes):
        source = _handed_on(editor, node, shapes)
        if source and _bypass(editor, node, source):
            changed = True
    return changed


def _handed_on(editor: Editor, node: onnx.NodeProto, shapes: dict[str, onnx.ValueInfoProto]) -> str:
    """Which input comes out unchanged: its name, or ''."""
    if node.op_type == "Identity":
        return str(node.input[0])
    if node.op_type == "Dropout" and _dropout_is_idle(editor, node):
        return str(node.input[0])
    if node.op_type == "Cast" and node.input[0] in shapes:
        same = shapes[node.input[0]].type.tensor_type.elem_type == attributes(node)["to"]
        return str(node.input[0]) if same else ""
    if node.op_type in ("Concat", "Split") and len(node.input) == 1 == len(node.output):
        return str(node.input[0])
    if node.op_type in SHAPERS:
        return str(node.input[0]) if _same_elements(editor, node, shapes) else ""
    neutral = {"Add": 0, "Sub": 0, "Mul": 1, "Div": 1}.get(node.op_type)
    return "" if neutral is None else _neutral(editor, node, neutral, shapes)


def _same_elements(editor: Editor, node: onnx.NodeProto, shapes: dict[str, onnx.ValueInfoProto]) -> bool:
    """Whether every element stays at its place: a reshape to the same shape, a slice of everything, ..."""
    before, after = static_shape(shapes.get(node.input[0])), static_shape(shapes.get(node.output[0]))
    if before is None or before != after:
        return False
    if node.op_type == "Transpose":
        return list(attributes(node).get("perm", [])) == list(range(len(before)))
    steps = editor.constant(node.input[4]) if len(node.input) > 4 else np.ones(1)
    return node.op_type != "Slice" or (steps is not None and bool((steps > 0).all()))


def _dropout_is_idle(editor: Editor, node: onnx.NodeProto) -> bool:
    if len(node.output) > 1 and node.output[1]:
        return False
    if len(node.input) < 3 or not node.input[2]:
        return True
    training = editor.constant(node.input[2])
    return training is not None and not training.any()


def _neutral(
    editor: Editor, node: onnx.NodeProto, neutral: int, shapes: dict[str, onnx.ValueInfoProto]
) -> str:
    """x + 0, x - 0, x * 1, x / 1, where the constant does not broaden x."""
    pairs = [(0, 1)] if node.op_type in ("Sub", "Div") else [(0, 1), (1, 0)]
    for kept, other in pairs:
        constant, shape = editor.constant(node.input[other]), shapes.get(node.input[kept])
        if constant is None or shape is None or not (constant == neutral).all():
            continue
        if constant.ndim <= len(shape.type.tensor_type.shape.dim) and _fits(
            constant.shape, static_shape(shape)
        ):
            return str(node.input[kept])
    return ""


def _fits(constant: tuple[int, ...], shape: list[int] | None) -> bool:
    if all(size == 1 for size in constant):
        return True
    return shape is not None and np.broadcast_shapes(constant, tuple(shape)) == tuple(shape)


def _bypass(editor: Editor, node: onnx.NodeProto, source: str) -> bool:
    """Take the node out: readers read `source`; an output of the graph is made by the source's maker directly."""
    name = node.output[0]
    if name not in editor.output_names():
        editor.rename_reads(name, source)
        editor.drop([node])
        return True
    maker = editor.makers().get(source)
    if maker is None or source in editor.output_names() or _read_inside(editor, source):
        return False
    editor.drop([node])
    editor.rename_reads(source, name)
    maker.output[list(maker.output).index(source)] = name
    return True


def _read_inside(editor: Editor, name: str) -> bool:
    return any(name in reads(node) - set(node.input) for node in editor.nodes if list(subgraphs(node)))

"""Removes nodes that hand their input on unchanged."""

import numpy as np
import onnx

from deltawave.network.editing import Editor, static_shape
from deltawave.network.onnx_types import attributes

SHAPERS = ("Reshape", "Expand", "Slice", "Transpose")


def remove_identities(editor: Editor) -> bool:
    """Identity, Dropout as at inference, Cast to the same type, x + 0, x * 1, slices and reshapes to the same go."""
    shapes, makers, outputs = editor.infer_shapes(), editor.makers(), editor.output_names()
    names: dict[str, str] = {}
    done = []
    for node in editor.nodes:
        source = _newest(names, _handed_on(editor, node, shapes))
        result = node.output[0] if node.output else ""
        if not source:
            continue
        if result not in outputs:
            names[result] = source
        elif source in makers and source not in outputs:
            # an output keeps its name: what made the source makes it directly
            maker = makers[result] = makers[source]
            maker.output[list(maker.output).index(source)] = result
            names[source] = result
        else:
            continue
        done.append(node)
    editor.drop(done)
    editor.rename_reads({name: _newest(names, name) for name in names})
    return bool(done)


def _newest(names: dict[str, str], name: str) -> str:
    """What a tensor is called now. Names passed on the way are brought up to date, so long chains stay cheap."""
    passed = []
    while name in names:
        passed.append(name)
        name = names[name]
    names.update(dict.fromkeys(passed, name))
    return name


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

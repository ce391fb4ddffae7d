"""Takes the branch of an If whose condition is known."""

import onnx
from onnx import helper, numpy_helper

from deltawave.network.editing import Editor, rename_reads
from deltawave.network.onnx_types import attributes


def inline_ifs(editor: Editor) -> bool:
    """An If with a constant condition becomes the nodes of the branch taken."""
    known = [node for node in editor.nodes if node.op_type == "If" and _condition(editor, node) is not None]
    editor.substitute({id(node): _opened(editor, node) for node in known})
    return bool(known)


def _condition(editor: Editor, node: onnx.NodeProto) -> bool | None:
    value = editor.constant(node.input[0])
    return None if value is None or value.size != 1 else bool(value.reshape(()))


def _opened(editor: Editor, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The nodes of the branch taken, under names that nothing else has; its outputs get the names of the If's."""
    branch = attributes(node)["then_branch" if _condition(editor, node) else "else_branch"]
    inner = [_copy(entry) for entry in branch.node]
    made = [name for entry in inner for name in entry.output if name] + [
        entry.name for entry in branch.initializer
    ]
    names = {name: editor.new_name(name) for name in made}
    for tensor in branch.initializer:
        editor.set_constant(names[tensor.name], numpy_helper.to_array(tensor))
    for entry in inner:
        entry.name = editor.new_node_name(entry.name or entry.op_type.lower())
        rename_reads(entry, names)
        entry.output[:] = [names.get(name, name) for name in entry.output]
    for result, given in zip(branch.output, node.output, strict=True):
        source = names.get(result.name, result.name)
        if given:
            name = editor.new_node_name(node.name)
            inner.append(helper.make_node("Identity", [source], [given], name=name))
    return inner


def _copy(node: onnx.NodeProto) -> onnx.NodeProto:
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    return copy

"""Turns a Scan whose body is a written-out cell into the LSTM, GRU or RNN node it means."""

from dataclasses import dataclass

import onnx
from onnx import helper, numpy_helper

from deltawave.network.editing import IR_VERSION, Editor
from deltawave.network.onnx_types import attributes, dims, free_names
from deltawave.network.rewrites.cells import find_cells
from deltawave.network.rewrites.cells.affine import Reader
from deltawave.network.rewrites.cells.match import Match, cell_node, reshape
from deltawave.network.rewrites.simplify import simplify

_OLD_FORM = 9  # before it, Scan had a batch axis and sequence lengths


def recognise_scans(editor: Editor) -> bool:
    """Every Scan that steps through one sequence with one cell, and hands out nothing but its state, becomes a node."""
    changes = {}
    for node in editor.nodes:
        found = _cell_of(editor, node) if node.op_type == "Scan" and editor.opset >= _OLD_FORM else None
        if found is not None and not _counts(editor, node, found):
            changes[id(node)] = _as_node(editor, node, found)
    editor.substitute(changes)
    return bool(changes)


@dataclass(frozen=True, eq=False)
class _Stepped:
    """A cell in a Scan. h, c: positions among the states; shape: of a state; reverse: whether it steps backwards."""

    match: Match
    h: int
    c: int | None
    states: int
    shape: list[int]
    reverse: bool


def _cell_of(editor: Editor, node: onnx.NodeProto) -> _Stepped | None:
    flags = attributes(node)
    states, reverse = len(node.input) - flags["num_scan_inputs"], flags.get("scan_input_directions", [0])[0]
    sequences = len(node.output) - states
    same_way = all(way == reverse for way in flags.get("scan_output_directions", [0] * sequences))
    axes = [*flags.get("scan_input_axes", []), *flags.get("scan_output_axes", [])]
    if flags["num_scan_inputs"] != 1 or any(axes) or not same_way:
        return None
    inner = _opened(editor, node, flags["body"], states)
    return None if inner is None else _match(inner, states, bool(reverse))


def _opened(editor: Editor, node: onnx.NodeProto, body: onnx.GraphProto, states: int) -> Editor | None:
    """The body as a graph of its own; None if it reads more than constants from outside."""
    captured = {name: editor.constant(name) for name in free_names(body)}
    if any(value is None for value in captured.values()):
        return None
    shapes = editor.infer_shapes()
    inputs = []
    for position, (inside, outside) in enumerate(zip(body.input, node.input, strict=True)):
        sizes = dims(shapes[outside]) if outside in shapes else None
        if not sizes and position >= states:
            return None
        element = sizes if position < states or sizes is None else sizes[1:]
        kind = shapes[outside].type.tensor_type.elem_type if outside in shapes else 0
        inputs.append(helper.make_tensor_value_info(inside.name, kind, element) if kind else inside)
    stored = [numpy_helper.from_array(value, name) for name, value in captured.items() if value is not None]
    graph = helper.make_graph(body.node, "body", inputs, body.output, [*body.initializer, *stored])
    inner = Editor(helper.make_model(graph, opset_imports=editor.opsets, ir_version=IR_VERSION))
    simplify(inner)
    return inner


def _match(inner: Editor, states: int, reverse: bool) -> _Stepped | None:
    before, after = [value.name for value in inner.inputs], [value.name for value in inner.outputs]
    matches = find_cells(inner, dict(zip(before[:states], after, strict=False)))
    if len(matches) != 1:
        return None
    match, reader = matches[0], Reader(inner)
    steps = {name: (before[position], reader.root(name)) for position, name in enumerate(after[:states])}
    h = [position for position, name in enumerate(after[:states]) if steps[name] == (match.h, match.h_new)]
    c = [position for position, name in enumerate(after[:states]) if steps[name] == (match.c, match.c_new)]
    hands_out_h = all(reader.root(name) == match.h_new for name in after[states:])
    if len(h) != 1 or len(c) != bool(match.c) or match.x != (before[states],) or not hands_out_h:
        return None
    sizes = dims(reader.shapes[match.h_new]) or []
    shape = [size if isinstance(size, int) else -1 for size in sizes]
    return _Stepped(match, h[0], c[0] if c else None, states, shape, reverse)


def _as_node(editor: Editor, node: onnx.NodeProto, found: _Stepped) -> list[onnx.NodeProto]:
    match, nodes = found.match, list[onnx.NodeProto]()
    x = node.input[found.states]
    if len(found.shape) != 2:
        x = reshape(editor, nodes, x, [0, -1, match.w.shape[1]])
    h = reshape(editor, nodes, node.input[found.h], [1, -1, match.hidden])
    c = "" if found.c is None else reshape(editor, nodes, node.input[found.c], [1, -1, match.hidden])
    y, y_h, y_c = (editor.new_name(f"{node.name}_{part}") for part in ("y", "y_h", "y_c"))
    direction = "reverse" if found.reverse else "forward"
    nodes.append(cell_node(editor, match, x, h, c, [y, y_h, y_c] if c else [y, y_h], direction=direction))
    for position, name in enumerate(node.output):
        if name and position == found.h:
            reshape(editor, nodes, y_h, found.shape, name)
        elif name and position == found.c:
            reshape(editor, nodes, y_c, found.shape, name)
        elif name and position >= found.states:
            reshape(editor, nodes, y, [0, *found.shape], name)
    return nodes


def _counts(editor: Editor, node: onnx.NodeProto, found: _Stepped) -> bool:
    """Whether someone reads a state beside h and c, a step counter for instance."""
    used = editor.names_read()
    others = set(range(found.states)) - {found.h, found.c}
    return any(node.output[position] in used for position in others)

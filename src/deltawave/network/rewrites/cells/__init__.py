"""Recognises recurrent cells written out as products, gates and sums, and puts one node in their place."""

from collections.abc import Mapping

import onnx
from onnx import helper

from deltawave.network.editing import Editor
from deltawave.network.onnx_types import dims
from deltawave.network.rewrites.cells.affine import NotAffine, Reader
from deltawave.network.rewrites.cells.gru import match_gru
from deltawave.network.rewrites.cells.lstm import match_lstm
from deltawave.network.rewrites.cells.match import Match, cell_node, reshape
from deltawave.network.rewrites.cells.rnn import match_rnn
from deltawave.network.states import ReturnPaths


def recognise_cells(editor: Editor, declared: Mapping[str, str]) -> bool:
    """Written-out LSTM, GRU and RNN cells become nodes of one step. `declared`: state inputs and their outputs."""
    reader, matches = Reader(editor), find_cells(editor, declared)
    changes: dict[int, list[onnx.NodeProto]] = {}
    for match in matches:
        made = [reader.makers[name] for name in (match.h_new, match.c_new) if name]
        changes.update({id(node): [] for node in made})
        changes[id(made[0])] = _nodes(editor, reader, match)
    editor.substitute(changes)
    editor.sort()
    return bool(matches)


def find_cells(editor: Editor, declared: Mapping[str, str]) -> list[Match]:
    """The cells in the graph, in order."""
    reader, paths = Reader(editor), ReturnPaths(editor, declared)

    def choose(candidates: list[str], h_new: str) -> str:
        # an LSTM treats x and h alike: where both fit, the one that comes back is h
        return next((name for name in candidates if paths.comes_back(name, h_new)), candidates[-1])

    found = []
    for node in editor.nodes:
        try:
            match = match_lstm(reader, node, choose) or match_gru(reader, node)
            found.append(match or match_rnn(reader, node, paths.comes_back))
        except NotAffine:
            continue
    return [match for match in found if match is not None]


def _nodes(editor: Editor, reader: Reader, match: Match) -> list[onnx.NodeProto]:
    """Reshape the vectors to one step of a batch, run the node, reshape its state back."""
    nodes: list[onnx.NodeProto] = []
    x = _join(editor, reader, nodes, match.x)
    h = reshape(editor, nodes, match.h, [1, -1, match.hidden])
    c = reshape(editor, nodes, match.c, [1, -1, match.hidden]) if match.c else ""
    y_h, y_c = (editor.new_name(f"{name}_last") for name in (match.h_new, match.c_new))
    node = cell_node(editor, match, x, h, c, ["", y_h, y_c] if match.c else ["", y_h])
    nodes.append(node)
    for last, result in ((y_h, match.h_new), (y_c, match.c_new)):
        if result:
            # at most one size is free: rows are compared before
            sizes = dims(reader.shapes[result]) or []
            reshape(editor, nodes, last, [size if isinstance(size, int) else -1 for size in sizes], result)
    return nodes


def _join(editor: Editor, reader: Reader, nodes: list[onnx.NodeProto], parts: tuple[str, ...]) -> str:
    steps = [reshape(editor, nodes, part, [1, -1, reader.width(part)]) for part in parts]
    if len(steps) == 1:
        return steps[0]
    joined = editor.new_name(f"{parts[0]}_joined")
    nodes.append(helper.make_node("Concat", steps, [joined], name=editor.new_node_name("concat"), axis=2))
    return joined

"""Finds streaming state by proof: an output that comes back, element by element, to where a recurrent layer starts.

Every element of every input gets a number, and so does every element of a final state. The numbers flow through the
nodes that only move elements. An input and an output are a state if each element of the output is an element of some
final state, and the input's element at the same place starts that same element.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import onnx
from numpy.typing import NDArray

from deltawave.network.editing import Editor
from deltawave.network.evaluate import MOVES, evaluate
from deltawave.network.layers import Layer, Recurrent
from deltawave.network.onnx_types import dims

Numbers = NDArray[np.int64]
_MOST_BYTES = 1 << 24  # of one tensor of numbers
_MOST_TRACES = 200  # of one graph


@dataclass(frozen=True)
class Found:
    """State pairs (input name, output name), and the layers whose whole state they carry."""

    pairs: tuple[tuple[str, str], ...]
    carried: frozenset[str]


def find_states(editor: Editor, layers: Iterable[Layer], declared: Mapping[str, str]) -> Found:
    """Pairs proven here, after those declared."""
    recurrent = [layer for layer in layers if isinstance(layer, Recurrent)]
    trace = _Trace(editor, editor.infer_shapes(), recurrent, {})
    pairs = dict(declared)
    for value in editor.inputs if recurrent else []:
        free = [entry.name for entry in editor.outputs if entry.name not in pairs.values()]
        proven = [name for name in free if trace.returns(value.name, name)]
        if value.name not in pairs and proven:
            # outputs that are proven for one input are equal, as y and y_h of a single step; the state comes last
            pairs[value.name] = proven[-1]
    carried = frozenset(layer.name for layer in recurrent if trace.carries(layer, pairs))
    return Found(tuple(pairs.items()), carried)


class ReturnPaths:
    """Answers whether one tensor comes back as another at the next call."""

    def __init__(self, editor: Editor, declared: Mapping[str, str]) -> None:
        self._editor, self._declared, self._shapes = editor, declared, editor.infer_shapes()
        self._inputs = _Trace(editor, self._shapes, [], {})
        self._left = _MOST_TRACES

    def comes_back(self, before: str, after: str) -> bool:
        """Whether every element of `after` reaches an output whose input brings it back to its place in `before`."""
        if before not in self._inputs.numbers or not self._left:
            return False
        self._left -= 1
        trace = _Trace(self._editor, self._shapes, [], {after: before})
        back: dict[int, int] = {}
        for source in (value.name for value in self._editor.inputs):
            for result in (value.name for value in self._editor.outputs):
                if self._declared.get(source, result) == result:
                    back.update(trace.proven(source, result))
        return trace.starts.keys() <= set(back.values()) and bool(back)


class _Trace:
    """Numbered elements: `numbers` by tensor; `starts`: for each element of a final state the one it started from.

    `ends`: tensors to be taken for final states, and where they started.
    """

    def __init__(
        self,
        editor: Editor,
        shapes: Mapping[str, onnx.ValueInfoProto],
        recurrent: list[Recurrent],
        ends: Mapping[str, str],
    ) -> None:
        self._editor, self._shapes, self._count = editor, shapes, 0
        self.numbers: dict[str, Numbers] = {}
        self.starts: dict[int, int] = {}
        layers = {layer.name: layer for layer in recurrent}
        for value in editor.inputs:
            self._number_input(value)
        for node in editor.nodes:
            if node.name in layers:
                self._number_state(node, layers[node.name])
            elif ends.keys() & set(node.output):
                self._number_end(node, ends)
            elif node.op_type in MOVES:
                self._move(node)

    def returns(self, source: str, result: str) -> bool:
        """Whether `result`, fed back as `source`, is wholly a state that goes on unchanged."""
        before = self.numbers.get(source)
        return before is not None and len(self.proven(source, result)) == before.size

    def proven(self, source: str, result: str) -> dict[int, int]:
        """Elements of `source` that the element of `result` at their place started from: number before -> after."""
        pairs = _pairs(self.numbers.get(source), self.numbers.get(result))
        return {before: after for before, after in pairs if self.starts.get(after) == before}

    def carries(self, layer: Recurrent, pairs: Mapping[str, str]) -> bool:
        """Whether the pairs bring all of a layer's final state back as its initial one."""
        back: dict[int, int] = {}
        for source, result in pairs.items():
            back.update(_pairs(self.numbers.get(source), self.numbers.get(result)))
        states = [(_final(layer, "h"), layer.initial("h"))]
        if layer.cells[0].kind == "lstm":
            states.append((_final(layer, "c"), layer.initial("c")))
        return all(self._carries(last, first, back) for last, first in states)

    def _carries(self, last: str, first: str, back: Mapping[int, int]) -> bool:
        pairs = _pairs(self.numbers.get(first), self.numbers.get(last))
        return bool(pairs) and all(back.get(before) == after for before, after in pairs)

    def _fresh(self, shape: tuple[int, ...]) -> Numbers:
        size = prod(shape)
        self._count += size
        return np.arange(self._count - size, self._count, dtype=np.int64).reshape(shape)

    def _number_input(self, value: onnx.ValueInfoProto) -> None:
        shape = _stream_shape(value)
        if shape is not None:
            self.numbers[value.name] = self._fresh(shape)

    def _number_end(self, node: onnx.NodeProto, ends: Mapping[str, str]) -> None:
        for name in set(node.output) & ends.keys():
            before = self.numbers.get(ends[name])
            if before is not None:
                self.numbers[name] = self._fresh(before.shape)
                self.starts.update((last, first) for first, last in _pairs(before, self.numbers[name]))

    def _number_state(self, node: onnx.NodeProto, layer: Recurrent) -> None:
        hidden, directions = layer.cells[0].hidden, len(layer.cells)
        shape = (1, directions, hidden) if layer.batch_first else (directions, 1, hidden)
        for position, (last, first) in enumerate(
            ((_final(layer, "h"), layer.initial("h")), (_final(layer, "c"), layer.initial("c"))), start=1
        ):
            self.numbers[last] = self._fresh(shape)
            if position < len(node.output) and node.output[position]:
                self.numbers[node.output[position]] = self.numbers[last]
            self.starts.update(
                (after, before) for before, after in _pairs(self.numbers.get(first), self.numbers[last])
            )
        if node.output and node.output[0]:
            self._number_sequence(node.output[0], layer)

    def _number_sequence(self, name: str, layer: Recurrent) -> None:
        """y of a single step is the final state; of more steps, only the last (first of a reversed cell) is."""
        sizes = dims(self._shapes[layer.x]) if layer.x in self._shapes else None
        steps = sizes[int(layer.batch_first)] if sizes and len(sizes) == 3 else ""
        hidden, directions = layer.cells[0].hidden, len(layer.cells)
        if not isinstance(steps, int) or not 0 < steps * directions * hidden * 8 <= _MOST_BYTES:
            return
        y, last = self._fresh((steps, directions, 1, hidden)), self.numbers[_final(layer, "h")]
        for direction, cell in enumerate(layer.cells):
            y[0 if cell.reverse else -1, direction, 0] = last.reshape(directions, hidden)[direction]
        self.numbers[name] = y.transpose(2, 0, 1, 3) if layer.batch_first else y

    def _move(self, node: onnx.NodeProto) -> None:
        moved = len(node.input) if node.op_type == "Concat" else 1
        data = [self.numbers.get(name) for name in node.input[:moved]]
        if moved > 1 and any(value is not None for value in data):
            data = [
                self._nowhere(name) if value is None else value
                for name, value in zip(node.input, data, strict=True)
            ]
        rest = [self._editor.constant(name) for name in node.input[moved:]]
        absent = [
            name for name, value in zip(node.input, [*data, *rest], strict=True) if name and value is None
        ]
        if not absent:
            results = evaluate(node, [*data, *rest], _MOST_BYTES) or []
            self.numbers.update(zip(node.output, results, strict=False))

    def _nowhere(self, name: str) -> Numbers | None:
        """Elements of which nothing is known."""
        shape = _stream_shape(self._shapes.get(name))
        return None if shape is None else np.full(shape, -1, np.int64)


def _stream_shape(value: onnx.ValueInfoProto | None) -> tuple[int, ...] | None:
    """The shape for one stream: a free size of a state is the batch, and a stream has one. None if it is too large."""
    sizes = None if value is None else dims(value)
    shape = None if sizes is None else tuple(size if isinstance(size, int) else 1 for size in sizes)
    return shape if shape is not None and 0 < prod(shape) * 8 <= _MOST_BYTES else None


def _pairs(before: Numbers | None, after: Numbers | None) -> list[tuple[int, int]]:
    """Numbers at the same place; none if the shapes differ."""
    if before is None or after is None or before.shape != after.shape:
        return []
    return list(zip(before.reshape(-1).tolist(), after.reshape(-1).tolist(), strict=True))


def _final(layer: Layer, state: str) -> str:
    """A key beside the tensor names for a layer's final state, which the graph may leave unnamed."""
    return f"\0{layer.name}\0{state}"

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

from deltawave.errors import NetworkError
from deltawave.network.editing import Editor
from deltawave.network.evaluate import MOVES, evaluate
from deltawave.network.layers import Layer, Recurrent
from deltawave.network.onnx_types import dims

Numbers = NDArray[np.int64]
Shapes = Mapping[str, onnx.ValueInfoProto]
_ROOM_BYTES = 1 << 26  # for the numbers of a graph; what has no room is not followed
_MOST_WORK = 400_000  # nodes looked at to find the ways back
_NOWHERE = -1  # the number of an element of which nothing is known


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
    for source in (value.name for value in editor.inputs if value.name not in pairs):
        free = [value.name for value in editor.outputs if value.name not in pairs.values()]
        proven = [name for name in free if trace.returns(source, name)]
        if proven:
            # outputs that are proven for one input are equal, as y and y_h of a single step; the state comes last
            pairs[source] = proven[-1]
    carried = frozenset(layer.name for layer in recurrent if trace.carries(layer, pairs))
    return Found(tuple(pairs.items()), carried)


class ReturnPaths:
    """Answers whether one tensor comes back as another at the next call."""

    def __init__(self, editor: Editor, declared: Mapping[str, str]) -> None:
        self._editor, self._declared, self._shapes = editor, declared, editor.infer_shapes()
        self._inputs = _Trace(editor, self._shapes, [], {})
        self._left = _MOST_WORK // max(len(editor.nodes), 1)

    def comes_back(self, before: str, after: str) -> bool:
        """Whether every element of `after` reaches an output whose input brings it back to its place in `before`.

        The only input of a network is no state, if it is not declared to be one: nothing would be left to work on.
        """
        if len(self._editor.inputs) == 1 and not self._declared:
            return False
        if before not in self._inputs.numbers or not self._left:
            return False
        self._left -= 1
        trace = _Trace(self._editor, self._shapes, [], {after: before})
        results = [value.name for value in self._editor.outputs]
        sources = [value.name for value in self._editor.inputs]
        pairs = [(s, r) for s in sources for r in results if self._declared.get(s, r) == r]
        return trace.all_come_back(after, pairs)


class _Trace:
    """Numbered elements: `numbers` by tensor. `ends`: tensors taken for final states, and where they started."""

    def __init__(
        self, editor: Editor, shapes: Shapes, recurrent: list[Recurrent], ends: Mapping[str, str]
    ) -> None:
        self._editor, self._shapes, self._count, self._room = editor, shapes, 0, _ROOM_BYTES
        self.numbers: dict[str, Numbers] = {}
        started: list[tuple[Numbers, Numbers]] = []
        layers = {layer.name: layer for layer in recurrent}
        for value in editor.inputs:
            self._number(value.name, _stream_shape(value))
        for node in editor.nodes:
            if node.name in layers:
                started += self._number_states(node, layers[node.name])
            elif ends.keys() & set(node.output):
                started += [self._number_end(name, ends[name]) for name in node.output if name in ends]
            elif node.op_type in MOVES:
                self._move(node)
        # by number: the one it started from; the last place is that of _NOWHERE
        self._starts = np.full(self._count + 1, _NOWHERE - 1)
        for last, first in started:
            self._starts[last] = first

    def returns(self, source: str, result: str) -> bool:
        """Whether `result`, fed back as `source`, is wholly a state that goes on unchanged."""
        before, after = self.numbers.get(source), self.numbers.get(result)
        if before is None or after is None or before.shape != after.shape:
            return False
        return bool((self._starts[after] == before).all())

    def all_come_back(self, end: str, pairs: Iterable[tuple[str, str]]) -> bool:
        """Whether each element of an end is an element of some output whose input starts it."""
        last = self.numbers.get(end)
        if last is None:
            return False
        back = self._back(pairs, proven_only=True)
        return bool((back[self._starts[last]] == last).all())

    def carries(self, layer: Recurrent, pairs: Mapping[str, str]) -> bool:
        """Whether the pairs bring all of a layer's final state back as its initial one."""
        back = self._back(pairs.items(), proven_only=False)
        states = [(_final(layer, "h"), layer.initial("h"))]
        if layer.cells[0].kind == "lstm":
            states.append((_final(layer, "c"), layer.initial("c")))
        return all(self._carries(last, first, back) for last, first in states)

    def _carries(self, last: str, first: str, back: Numbers) -> bool:
        before, after = self.numbers.get(first), self.numbers.get(last)
        if before is None or after is None or before.shape != after.shape:
            return False
        return bool((back[before] == after).all())

    def _back(self, pairs: Iterable[tuple[str, str]], *, proven_only: bool) -> Numbers:
        """By number of an input's element: the number it is followed by."""
        back = np.full(self._count + 1, _NOWHERE - 1)
        for source, result in pairs:
            before, after = self.numbers.get(source), self.numbers.get(result)
            if before is not None and after is not None and before.shape == after.shape:
                kept = (self._starts[after] == before) if proven_only else np.full(before.shape, True)
                back[before[kept]] = after[kept]
        return back

    def _number(self, name: str, shape: tuple[int, ...] | None) -> None:
        """New numbers for a tensor, if there is room."""
        size = 0 if shape is None else prod(shape)
        if not shape or not 0 < size * 8 <= self._room:
            return
        self.numbers[name] = np.arange(self._count, self._count + size, dtype=np.int64).reshape(shape)
        self._count, self._room = self._count + size, self._room - size * 8

    def _number_end(self, name: str, start: str) -> tuple[Numbers, Numbers]:
        before = self.numbers.get(start)
        self._number(name, None if before is None else before.shape)
        if before is None or name not in self.numbers:
            return _nothing(), _nothing()
        return self.numbers[name], before

    def _number_states(self, node: onnx.NodeProto, layer: Recurrent) -> list[tuple[Numbers, Numbers]]:
        """Number the final states, and y where it is known to hold them; returns (last, first) of each state."""
        hidden, directions = layer.cells[0].hidden, len(layer.cells)
        shape = (1, directions, hidden) if layer.batch_first else (directions, 1, hidden)
        started = []
        finals = [(_final(layer, "h"), layer.initial("h")), (_final(layer, "c"), layer.initial("c"))]
        for position, (last, first) in enumerate(finals, start=1):
            self._number(last, shape)
            before, after = self.numbers.get(first), self.numbers.get(last)
            if after is not None and position < len(node.output) and node.output[position]:
                self.numbers[node.output[position]] = after
            if before is not None and after is not None and before.shape == after.shape:
                started.append((after, before))
        if node.output and node.output[0]:
            self._number_sequence(node.output[0], layer)
        return started

    def _number_sequence(self, name: str, layer: Recurrent) -> None:
        """y of a single step is the final state; of more steps, only the last (first of a reversed cell) is."""
        sizes = dims(self._shapes[layer.x]) if layer.x in self._shapes else None
        steps = sizes[int(layer.batch_first)] if sizes and len(sizes) == 3 else ""
        last, directions, hidden = (
            self.numbers.get(_final(layer, "h")),
            len(layer.cells),
            layer.cells[0].hidden,
        )
        if last is None or not isinstance(steps, int):
            return
        self._number(name, (steps, directions, 1, hidden))
        y = self.numbers.get(name)
        if y is None:
            return
        for direction, cell in enumerate(layer.cells):
            y[0 if cell.reverse else -1, direction, 0] = last.reshape(directions, hidden)[direction]
        self.numbers[name] = y.transpose(2, 0, 1, 3) if layer.batch_first else y

    def _move(self, node: onnx.NodeProto) -> None:
        moved = len(node.input) if node.op_type == "Concat" else 1
        data = [self.numbers.get(name) for name in node.input[:moved]]
        if moved > 1 and any(value is not None for value in data):
            data = [self.numbers.get(name, self._nowhere(name)) for name in node.input]
        rest = [self._editor.constant(name) for name in node.input[moved:]]
        if any(value is None for name, value in zip(node.input, [*data, *rest], strict=True) if name):
            return
        try:
            results = evaluate(node, [*data, *rest], self._room) or []
        except NetworkError:  # there is no room
            return
        self._room -= sum(result.nbytes for result in results)
        self.numbers.update(zip(node.output, results, strict=False))

    def _nowhere(self, name: str) -> Numbers | None:
        """Elements of which nothing is known, of a tensor's shape."""
        shape = _stream_shape(self._shapes.get(name))
        fits = shape is not None and prod(shape) * 8 <= self._room
        return np.full(shape, _NOWHERE) if shape is not None and fits else None


def _stream_shape(value: onnx.ValueInfoProto | None) -> tuple[int, ...] | None:
    """The shape for one stream: a free size of a state is the batch, and a stream has one."""
    sizes = None if value is None else dims(value)
    shape = tuple(size if isinstance(size, int) else 1 for size in sizes or [])
    return None if sizes is None or min(shape, default=0) < 0 else shape


def _nothing() -> Numbers:
    return np.empty(0, np.int64)


def _final(layer: Layer, state: str) -> str:
    """A key beside the tensor names for a layer's final state, which the graph may leave unnamed."""
    return f"\0{layer.name}\0{state}"

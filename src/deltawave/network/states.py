"""Finds streaming state by proof: an output that comes back, element by element, to where a recurrent layer starts.

Every element of every input gets a number, and so does every element of a recurrent layer's final state. The numbers flow
through the nodes that only move elements. An input and an output are a state if each element of the output is
an element of some final state, and the input's element at the same place starts that same element.
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
from deltawave.network.onnx_types import attributes, dims

Numbers = NDArray[np.int64]
_MOST_BYTES = 1 << 26  # of one tensor of numbers


@dataclass(frozen=True)
class Found:
    """State pairs (input name, output name), and the layers whose whole state they carry."""

    pairs: tuple[tuple[str, str], ...]
    carried: frozenset[str]


def find_states(editor: Editor, layers: Iterable[Layer], declared: Mapping[str, str]) -> Found:
    """Pairs proven here, after those declared."""
    recurrent = [layer for layer in layers if isinstance(layer, Recurrent)]
    trace = _Trace(editor, recurrent)
    pairs = dict(declared)
    for value in editor.inputs:
        proven = [
            o.name
            for o in editor.outputs
            if o.name not in pairs.values() and trace.returns(value.name, o.name)
        ]
        if value.name not in pairs and len(proven) == 1:
            pairs[value.name] = proven[0]
    carried = frozenset(layer.name for layer in recurrent if trace.carries(layer, pairs))
    return Found(tuple(pairs.items()), carried)


class _Trace:
    """Numbered elements: `numbers` by tensor, and for each final element the initial one."""

    def __init__(self, editor: Editor, recurrent: list[Recurrent]) -> None:
        self.editor = editor
        self.numbers: dict[str, Numbers] = {}
        self.count = 0
        self.starts: dict[int, int] = {}
        by_name = {layer.name: layer for layer in recurrent}
        for value in editor.inputs:
            self._number_input(value)
        shapes = editor.infer_shapes() if recurrent else {}
        for node in editor.nodes:
            if node.name in by_name:
                self._number_state(node, by_name[node.name], shapes)
            elif node.op_type in MOVES or node.op_type == "Cast":
                self._move(node, shapes)

    def returns(self, source: str, result: str) -> bool:
        """Whether `result`, fed back as `source`, is a recurrent state that goes on unchanged."""
        before, after = self.numbers.get(source), self.numbers.get(result)
        if before is None or after is None or before.shape != after.shape:
            return False
        return all(self.starts.get(int(a)) == int(b) for a, b in zip(after.flat, before.flat, strict=True))

    def carries(self, layer: Recurrent, pairs: Mapping[str, str]) -> bool:
        """Whether the pairs bring all of a layer's final state back as its initial one."""
        back: dict[int, int] = {}
        for source, result in pairs.items():
            before, after = self.numbers.get(source), self.numbers.get(result)
            if before is not None and after is not None and before.shape == after.shape:
                back.update(zip(before.flat, after.flat, strict=True))
        states = ("h", "c") if layer.cells[0].kind == "lstm" else ("h",)
        return all(self._carries(layer, state, back) for state in states)

    def _carries(self, layer: Recurrent, state: str, back: dict[int, int]) -> bool:
        first = self.numbers.get(layer.initial("h" if state == "h" else "c"))
        last = self.numbers.get(_final(layer.name, state))
        if first is None or last is None or first.size != last.size:
            return False
        return all(back.get(int(a)) == int(b) for a, b in zip(first.flat, last.flat, strict=True))

    def _fresh(self, shape: Iterable[int]) -> Numbers:
        size = prod(shape := tuple(shape))
        self.count += size
        return np.arange(self.count - size, self.count, dtype=np.int64).reshape(shape)

    def _number_input(self, value: onnx.ValueInfoProto) -> None:
        sizes = dims(value)
        # a free size of a state is the batch, and a stream has one
        shape = None if sizes is None else [size if isinstance(size, int) else 1 for size in sizes]
        if shape is not None and prod(shape) * 8 <= _MOST_BYTES:
            self.numbers[value.name] = self._fresh(shape)

    def _number_state(
        self, node: onnx.NodeProto, layer: Recurrent, shapes: Mapping[str, onnx.ValueInfoProto]
    ) -> None:
        final = (len(layer.cells), 1, layer.cells[0].hidden)
        if layer.batch_first:
            final = (final[1], final[0], final[2])
        for position, state in ((1, "h"), (2, "c")):
            last = self.numbers[_final(layer.name, state)] = self._fresh(final)
            if position < len(node.output) and node.output[position]:
                self.numbers[node.output[position]] = last
            first = self.numbers.get(layer.initial("h" if state == "h" else "c"))
            if first is not None and first.shape == last.shape:
                self.starts.update(zip(last.flat, first.flat, strict=True))
        self._number_sequence(node, layer, shapes)

    def _number_sequence(
        self, node: onnx.NodeProto, layer: Recurrent, shapes: Mapping[str, onnx.ValueInfoProto]
    ) -> None:
        """y of a single step is the final state; of more steps, only the last (first of a reversed cell) is."""
        sizes = dims(shapes[layer.x]) if layer.x in shapes else None
        steps = sizes[1 if layer.batch_first else 0] if sizes and len(sizes) == 3 else ""
        if not (node.output and node.output[0]) or not isinstance(steps, int):
            return
        hidden, directions = layer.cells[0].hidden, len(layer.cells)
        if not 0 < steps * directions * hidden * 8 <= _MOST_BYTES:
            return
        y, last = self._fresh((steps, directions, 1, hidden)), self.numbers[_final(layer.name, "h")]
        for d, cell in enumerate(layer.cells):
            y[0 if cell.reverse else -1, d, 0] = last.reshape(directions, hidden)[d]
        self.numbers[node.output[0]] = y.transpose(2, 0, 1, 3) if layer.batch_first else y

    def _move(self, node: onnx.NodeProto, shapes: Mapping[str, onnx.ValueInfoProto]) -> None:
        if node.op_type == "Cast":
            self._cast(node, shapes)
            return
        moved = len(node.input) if node.op_type == "Concat" else 1
        if any(name not in self.numbers for name in node.input[:moved]):
            return
        rest = [self.editor.constant(name) if name else None for name in node.input[moved:]]
        if any(name and value is None for name, value in zip(node.input[moved:], rest, strict=True)):
            return
        results = evaluate(node, [self.numbers[name] for name in node.input[:moved]] + rest, _MOST_BYTES)
        for name, result in zip(node.output, results or [], strict=False):
            self.numbers[name] = result

    def _cast(self, node: onnx.NodeProto, shapes: Mapping[str, onnx.ValueInfoProto]) -> None:
        source = shapes.get(node.input[0])
        if source is not None and source.type.tensor_type.elem_type == attributes(node)["to"]:
            if node.input[0] in self.numbers:
                self.numbers[node.output[0]] = self.numbers[node.input[0]]


def _final(layer: str, state: str) -> str:
    """A key beside the tensor names for a layer's final state, which the graph may leave unnamed."""
    return f"\0{layer}\0{state}"

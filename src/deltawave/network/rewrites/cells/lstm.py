"""Recognises h' = o * tanh(c'), c' = f * c + i * g, however its gates are computed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
import onnx

from deltawave.network.rewrites.cells.affine import Affine, Matrix, NotAffine, Reader
from deltawave.network.rewrites.cells.match import Function, Gate, Match, gate, operands, same_rows, stacked

# given candidates and the new state, which of them is the state before
ChooseState = Callable[[list[str], str], str]


@dataclass(frozen=True, eq=False)
class _Reading:
    """One way to read the two equations. c, c_new: the cell state before and after."""

    i: Gate
    f: Gate
    g: Gate
    o: Gate
    output: Function
    c: str
    c_new: str

    def affines(self, reader: Reader, hidden: int) -> tuple[list[Affine], list[Matrix]]:
        """What goes into the gates, and how each of them sees the cell state; in ONNX's order i o f c."""
        sights = [(self.i, self.c), (self.o, self.c_new), (self.f, self.c), (self.g, "")]
        cells = (self.c, self.c_new)
        read = [_peephole(reader.affine(gate.source, cells), seen, hidden) for gate, seen in sights]
        affines = [affine for affine, _ in read]
        # what is left of the cell state in a gate is no peephole of an LSTM
        if any(affine.plain or len(affine.bias) != hidden for affine in affines):
            raise NotAffine
        return affines, [peephole for _, peephole in read]


def match_lstm(reader: Reader, node: onnx.NodeProto, choose: ChooseState) -> Match | None:
    """The cell whose h' this Mul makes, if it is one."""
    if node.op_type != "Mul":
        return None
    readings = _readings(reader, node.output[0])
    matches = (_match(reader, reading, node.output[0], choose) for reading in readings)
    return next((match for match in matches if match is not None), None)


def _readings(reader: Reader, h_new: str) -> Iterator[_Reading]:
    for o_name, squashed in operands(reader, h_new, "Mul"):
        o, output = gate(reader, o_name), gate(reader, squashed)
        if o is not None and output is not None:
            for f, c, i, g in _updates(reader, output.source):
                if i.function == f.function == o.function:
                    yield _Reading(i, f, g, o, output.function, c, reader.root(output.source))


def _updates(reader: Reader, c_new: str) -> Iterator[tuple[Gate, str, Gate, Gate]]:
    """The ways to read c' as f * c + i * g."""
    for kept, added in operands(reader, c_new, "Add"):
        pairs = product(operands(reader, kept, "Mul"), operands(reader, added, "Mul"))
        for (f_name, c), (i_name, g_name) in pairs:
            f, i, g = gate(reader, f_name), gate(reader, i_name), gate(reader, g_name)
            if f is not None and i is not None and g is not None:
                yield f, reader.root(c), i, g


def _match(reader: Reader, reading: _Reading, h_new: str, choose: ChooseState) -> Match | None:
    hidden = reader.width(h_new)
    affines, peepholes = reading.affines(reader, hidden)
    sources = list(dict.fromkeys(name for affine in affines for name in affine.matrices))
    candidates = [name for name in sources if reader.width(name) == hidden]
    if len(sources) < 2 or not candidates:
        return None
    h = choose(candidates, h_new)
    x = [name for name in sources if name != h]
    if not same_rows(reader, [h_new, h, reading.c, reading.c_new, *x]):
        return None
    bias = np.concatenate([affine.bias for affine in affines])
    return Match(
        kind="LSTM",
        x=tuple(x),
        h=h,
        c=reading.c,
        h_new=h_new,
        c_new=reading.c_new,
        w=stacked(affines, x, [reader.width(name) for name in x]),
        r=stacked(affines, [h], [hidden]),
        b=np.concatenate([bias, np.zeros_like(bias)]),
        functions=(reading.i.function, reading.g.function, reading.output),
        p=np.concatenate(peepholes[:3]) if np.any(peepholes) else None,
    )


def _peephole(affine: Affine, seen: str, hidden: int) -> tuple[Affine, Matrix]:
    """The gate without its view of the cell state `seen`, and that view as a vector."""
    matrix = affine.matrices.get(seen)
    if matrix is None:
        return affine, np.zeros(hidden, np.float32)
    if matrix.shape != (hidden, hidden) or (matrix != np.diag(np.diag(matrix))).any():
        raise NotAffine
    return affine.without(seen), np.diag(matrix)

"""Recognises h' = o * tanh(c'), c' = f * c + i * g, however its gates are computed."""

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import onnx

from deltawave.network.rewrites.cells.affine import Affine, NotAffine, Reader
from deltawave.network.rewrites.cells.match import Function, Gate, Match, gate, operands, same_rows, stacked

# given candidates and the new state, which of them is the state before
ChooseState = Callable[[list[str], str], str]


def match_lstm(reader: Reader, node: onnx.NodeProto, choose: ChooseState) -> Match | None:
    """The cell whose h' this Mul makes, if it is one."""
    if node.op_type != "Mul":
        return None
    h_new = node.output[0]
    for o_name, squashed in operands(reader, h_new, "Mul"):
        o, output = gate(reader, o_name), gate(reader, squashed)
        if o is None or output is None:
            continue
        for f, c, i, g in _updates(reader, output.source):
            found = _match(
                reader, (i, o, f, g), output.function, (c, reader.root(output.source)), h_new, choose
            )
            if found is not None:
                return found
    return None


def _updates(reader: Reader, c_new: str) -> Iterator[tuple[Gate, str, Gate, Gate]]:
    """The ways to read c' as f * c + i * g."""
    for kept, added in operands(reader, c_new, "Add"):
        for (f_name, c), (i_name, g_name) in product(
            operands(reader, kept, "Mul"), operands(reader, added, "Mul")
        ):
            f, i, g = gate(reader, f_name), gate(reader, i_name), gate(reader, g_name)
            if f is not None and i is not None and g is not None and f.function == i.function:
                yield f, reader.root(c), i, g


def _match(
    reader: Reader,
    gates: tuple[Gate, ...],
    output: Function,
    cells: tuple[str, str],
    h_new: str,
    choose: ChooseState,
) -> Match | None:
    """`gates` in ONNX's order i o f c; `cells`: c before and after."""
    i, o, _, g = gates
    if o.function != i.function:
        return None
    hidden = reader.width(h_new)
    affines, peepholes = zip(
        *(_peephole(reader.affine(entry.source, cells), cells, hidden) for entry in gates), strict=True
    )
    sources = list(dict.fromkeys(name for affine in affines for name in affine.matrices))
    if any(affine.plain for affine in affines) or any(len(affine.bias) != hidden for affine in affines):
        return None
    candidates = [name for name in sources if reader.width(name) == hidden]
    if len(sources) < 2 or not candidates or peepholes[3].any():
        return None
    h = choose(candidates, h_new)
    x = [name for name in sources if name != h]
    if not same_rows(reader, [h_new, h, *cells, *x]):
        return None
    bias = np.concatenate([affine.bias for affine in affines])
    return Match(
        kind="LSTM",
        x=tuple(x),
        h=h,
        c=cells[0],
        h_new=h_new,
        c_new=cells[1],
        w=stacked(affines, x, [reader.width(name) for name in x]),
        r=stacked(affines, [h], [hidden]),
        b=np.concatenate([bias, np.zeros_like(bias)]),
        functions=(i.function, g.function, output),
        p=np.concatenate(peepholes[:3]) if np.any(peepholes) else None,
    )


def _peephole(affine: Affine, cells: tuple[str, str], hidden: int) -> tuple[Affine, np.ndarray]:
    """The gate without its view of c, and that view as a vector. o sees c', the others c; who sees both is no LSTM."""
    seen = [name for name in cells if name in affine.matrices]
    if not seen:
        return affine, np.zeros(hidden, np.float32)
    matrix = affine.matrices[seen[0]]
    if len(seen) > 1 or (matrix != np.diag(np.diag(matrix))).any():
        raise NotAffine
    return affine.without(seen[0]), np.diag(matrix)

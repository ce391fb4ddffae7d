"""Recognises h' = u * h + (1 - u) * c with c = tanh(W x + r * (R h)) or tanh(W x + R (r * h))."""

from collections.abc import Iterator

import numpy as np
import onnx

from deltawave.network.rewrites.cells.affine import ONE, Affine, Reader
from deltawave.network.rewrites.cells.match import Gate, Match, gate, operands, same_rows, stacked


def match_gru(reader: Reader, node: onnx.NodeProto) -> Match | None:
    """The cell whose h' this Add makes, if it is one."""
    if node.op_type != "Add":
        return None
    h_new = node.output[0]
    for u, h, c, swapped in _blends(reader, h_new):
        if swapped and u.function.name != "Sigmoid":
            continue
        update = reader.affine(u.source)
        # 1 - sigmoid(a) = sigmoid(-a)
        found = _match(reader, update.scaled(-ONE) if swapped else update, u, h, c, h_new)
        if found is not None:
            return found
    return None


def _blends(reader: Reader, h_new: str) -> Iterator[tuple[Gate, str, Gate, bool]]:
    """The ways to read h' as a blend: (u, h, c, swapped); swapped where u weighs c, not h."""
    for left, right in operands(reader, h_new, "Add"):
        for factor, difference in operands(reader, right, "Mul"):
            yield from _around(reader, left, factor, difference)
        for (u_name, old), (rest, new) in _pairs(reader, left, right):
            if _is_complement(reader, rest, u_name):
                yield from _named(reader, u_name, old, new)


def _around(
    reader: Reader, base: str, factor: str, difference: str
) -> Iterator[tuple[Gate, str, Gate, bool]]:
    """base + u * (other - base)"""
    node = reader.maker(difference)
    if node is not None and node.op_type == "Sub" and reader.root(node.input[1]) == reader.root(base):
        yield from _named(reader, factor, node.input[0], base)


def _pairs(reader: Reader, left: str, right: str) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    for first in operands(reader, left, "Mul"):
        for second in operands(reader, right, "Mul"):
            yield first, second


def _is_complement(reader: Reader, name: str, of: str) -> bool:
    """Whether a tensor is 1 - of."""
    node = reader.maker(name)
    if node is None or node.op_type != "Sub" or reader.root(node.input[1]) != reader.root(of):
        return False
    one = reader.values.get(node.input[0])
    return one is not None and bool((one == 1).all())


def _named(reader: Reader, u_name: str, weighted: str, other: str) -> Iterator[tuple[Gate, str, Gate, bool]]:
    u, fresh, old = gate(reader, u_name), gate(reader, other), gate(reader, weighted)
    if u is not None and fresh is not None:
        yield u, reader.root(weighted), fresh, False
    if u is not None and old is not None:
        yield u, reader.root(other), old, True


def _match(reader: Reader, update: Affine, u: Gate, h: str, c: Gate, h_new: str) -> Match | None:
    candidate = reader.affine(c.source)
    for reset_product in candidate.matrices:
        for r_name, inner in operands(reader, reset_product, "Mul"):
            r = gate(reader, r_name)
            if r is None or r.function != u.function:
                continue
            before = reader.root(inner) == h and reset_product not in candidate.plain
            recurrent = (
                Affine({h: candidate.matrices[reset_product]}, np.zeros_like(candidate.bias))
                if before
                else None
            )
            if recurrent is None and _is_identity(candidate.matrices[reset_product]):
                recurrent = reader.affine(inner)
            if recurrent is not None and set(recurrent.matrices) == {h}:
                gates = (update, reader.affine(r.source), candidate.without(reset_product), recurrent)
                return _assembled(reader, gates, (u, c), h, h_new, reset_after=not before)
    return None


def _is_identity(matrix: np.ndarray) -> bool:
    return matrix.shape[0] == matrix.shape[1] and bool((matrix == np.eye(len(matrix))).all())


def _assembled(
    reader: Reader,
    affines: tuple[Affine, ...],
    gates: tuple[Gate, Gate],
    h: str,
    h_new: str,
    *,
    reset_after: bool,
) -> Match | None:
    """`affines`: z, r, the candidate's input part, its recurrent part; h may not enter the input part."""
    update, reset, fresh, recurrent = affines
    hidden = reader.width(h_new)
    x = [name for name in dict.fromkeys([*update.matrices, *reset.matrices, *fresh.matrices]) if name != h]
    fits = all(len(affine.bias) == hidden and not affine.plain for affine in affines)
    if not fits or not x or h in fresh.matrices or not same_rows(reader, [h_new, h, *x]):
        return None
    gates_h = (update, reset, recurrent)
    bias_x = np.concatenate([update.bias, reset.bias, fresh.bias])
    bias_h = np.concatenate([np.zeros(2 * hidden, np.float32), recurrent.bias])
    return Match(
        kind="GRU",
        x=tuple(x),
        h=h,
        h_new=h_new,
        w=stacked([update, reset, fresh], x, [reader.width(name) for name in x]),
        r=stacked(gates_h, [h], [hidden]),
        b=np.concatenate([bias_x, bias_h]),
        functions=(gates[0].function, gates[1].function),
        reset_after=reset_after,
    )

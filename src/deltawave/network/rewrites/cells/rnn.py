"""Recognises h' = tanh(W x + R h) where h' is known to come back as h: a dense layer of two inputs looks the same."""

from collections.abc import Callable

import numpy as np
import onnx

from deltawave.network.rewrites.cells.affine import Reader
from deltawave.network.rewrites.cells.match import Match, gate, same_rows, stacked

# whether the second tensor comes back as the first at the next step
ComesBack = Callable[[str, str], bool]


def match_rnn(reader: Reader, node: onnx.NodeProto, comes_back: ComesBack) -> Match | None:
    """The cell whose h' this activation makes, if it is one."""
    h_new = node.output[0] if node.output else ""
    activation = gate(reader, h_new)
    if activation is None or reader.maker(h_new) is not node:
        return None
    affine, hidden = reader.affine(activation.source), reader.width(h_new)
    states = [name for name in affine.matrices if reader.width(name) == hidden and comes_back(name, h_new)]
    x = [name for name in affine.matrices if name not in states]
    if len(states) != 1 or not x or affine.plain or not same_rows(reader, [h_new, *affine.matrices]):
        return None
    return Match(
        kind="RNN",
        x=tuple(x),
        h=states[0],
        h_new=h_new,
        w=stacked([affine], x, [reader.width(name) for name in x]),
        r=stacked([affine], states, [hidden]),
        b=np.concatenate([affine.bias, np.zeros_like(affine.bias)]),
        functions=(activation.function,),
    )

"""LSTM, GRU and RNN nodes as `Recurrent` layers: gates reordered, conventions named, shapes checked."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import onnx

from deltawave.errors import NetworkError
from deltawave.network.layers import Cell, Floats, Layer, Recurrent
from deltawave.network.onnx_types import attributes, dims, label
from deltawave.network.typed_layers.common import Shapes, given, opaque, weights
from deltawave.network.values import Values

Kind = Literal["gru", "lstm", "rnn"]
KINDS: dict[str, Kind] = {"GRU": "gru", "LSTM": "lstm", "RNN": "rnn"}
# where each of our gates stands in ONNX's order: GRU z r h, LSTM i o f c; peepholes i o f
_GATES: dict[Kind, tuple[int, ...]] = {"gru": (1, 0, 2), "lstm": (0, 2, 3, 1), "rnn": (0,)}
_PEEPHOLES = (0, 2, 1)
_DEFAULTS: dict[Kind, list[str]] = {
    "gru": ["Sigmoid", "Tanh"],
    "lstm": ["Sigmoid", "Tanh", "Tanh"],
    "rnn": ["Tanh"],
}
# activation -> our name, and its parameters' defaults
_ACTIVATIONS: dict[str, tuple[str, dict[str, float]]] = {
    "sigmoid": ("sigmoid", {}),
    "tanh": ("tanh", {}),
    "relu": ("relu", {}),
    "softsign": ("softsign", {}),
    "softplus": ("softplus", {}),
    "affine": ("affine", {"alpha": 1.0, "beta": 0.0}),
    "leakyrelu": ("leaky_relu", {"alpha": 0.01}),
    "thresholdedrelu": ("thresholded_relu", {"alpha": 1.0}),
    "scaledtanh": ("scaled_tanh", {"alpha": 1.0, "beta": 1.0}),
    "hardsigmoid": ("hard_sigmoid", {"alpha": 0.2, "beta": 0.5}),
    "elu": ("elu", {"alpha": 1.0}),
}


def recurrent_layer(values: Values, node: onnx.NodeProto, shapes: Shapes) -> Layer:
    """A `Recurrent` layer; opaque where its weights or sequence lengths are not those of a fixed cell."""
    w, r, b, p = (weights(values, node, position) for position in (1, 2, 3, 7))
    if w is None or r is None or (given(node, 3) and b is None):
        return opaque(node, shapes, "its weights are not constant")
    if given(node, 4):
        return opaque(node, shapes, "it has sequence_lens: a machine steps through whole sequences")
    if given(node, 7) and p is None:
        return opaque(node, shapes, "its peepholes are not constant")
    cells = tuple(_cells(node, w, r, b, p, _input_size(shapes.get(node.input[0]))))
    return Recurrent(
        name=node.name,
        kind=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        parameters=sum(array.size for array in (w, r, b, p) if array is not None),
        operations=2 * (w.size + r.size),
        shape=f"{cells[0].inputs} -> {cells[0].hidden}" + (" x 2" if len(cells) == 2 else ""),
        cells=cells,
        batch_first=bool(attributes(node).get("layout", 0)),
    )


def _cells(
    node: onnx.NodeProto, w: Floats, r: Floats, b: Floats | None, p: Floats | None, inputs: int | None
) -> Iterator[Cell]:
    kind, flags = KINDS[node.op_type], attributes(node)
    reverse = _directions(node, flags)
    gates, directions = len(_GATES[kind]), len(reverse)
    hidden = r.shape[-1] if r.ndim == 3 else 0
    rows = gates * hidden
    _check(node, "R", r, (directions, rows, hidden))
    _check(node, "W", w, (directions, rows, inputs or w.shape[-1]))
    if flags.get("hidden_size", hidden) != hidden:
        raise NetworkError(f"{label(node)}: hidden_size is {flags['hidden_size']}, R has {hidden} columns")
    b = np.zeros((directions, 2 * rows), np.float32) if b is None else b
    _check(node, "B", b, (directions, 2 * rows))
    if p is not None:
        _check(node, "P", p, (directions, 3 * hidden))
    activations = _activations(node, kind, directions, flags)
    for d in range(directions):
        yield Cell(
            kind=kind,
            weights_x=_reorder(w[d], _GATES[kind]),
            weights_h=_reorder(r[d], _GATES[kind]),
            bias_x=_reorder(b[d, :rows], _GATES[kind]),
            bias_h=_reorder(b[d, rows:], _GATES[kind]),
            activations=activations[d],
            reset="after" if kind != "gru" or flags.get("linear_before_reset", 0) else "before",
            reverse=reverse[d],
            peepholes=None if p is None else _reorder(p[d], _PEEPHOLES).reshape(3, hidden),
            clip=flags.get("clip"),
            couples_input_forget=bool(flags.get("input_forget", 0)),
        )


def _input_size(x: onnx.ValueInfoProto | None) -> int | None:
    """Length of the vectors that come in, if it is known."""
    sizes = (None if x is None else dims(x)) or [""]
    return sizes[-1] if isinstance(sizes[-1], int) else None


def _directions(node: onnx.NodeProto, flags: dict[str, Any]) -> list[bool]:
    direction = flags.get("direction", "forward")
    known = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}
    if direction not in known:
        raise NetworkError(f"{label(node)}: direction {direction!r} is none of {', '.join(known)}")
    return known[direction]


def _check(node: onnx.NodeProto, letter: str, value: Floats, shape: tuple[int, ...]) -> None:
    if value.shape != shape or 0 in shape:
        raise NetworkError(f"{label(node)}: {letter} has the shape {list(value.shape)}, not {list(shape)}")


def _reorder(rows: Floats, order: tuple[int, ...]) -> Floats:
    gates = rows.reshape(len(order), -1, *rows.shape[1:])
    return np.ascontiguousarray(gates[list(order)]).reshape(rows.shape)


def _activations(
    node: onnx.NodeProto, kind: Kind, directions: int, flags: dict[str, Any]
) -> list[tuple[str, str, str]]:
    """(gate, candidate, output) of each direction; '' where a kind has none."""
    functions = flags.get("activations") or _DEFAULTS[kind] * directions
    each = len(_DEFAULTS[kind])
    if len(functions) != each * directions:
        raise NetworkError(f"{label(node)}: {len(functions)} activations, {each * directions} are needed")
    given_values = {key: iter(flags.get(f"activation_{key}", [])) for key in ("alpha", "beta")}
    names = [_activation(node, function, given_values) for function in functions]
    groups = [names[start : start + each] for start in range(0, len(names), each)]
    return [
        (group[0], group[1], group[2] if each == 3 else "") if each > 1 else ("", group[0], "")
        for group in groups
    ]


def _activation(node: onnx.NodeProto, function: str, values: dict[str, Iterator[float]]) -> str:
    """Our name; parameters that are not the defaults follow in brackets: 'hard_sigmoid(0.25, 0.5)'."""
    if function.lower() not in _ACTIVATIONS:
        raise NetworkError(f"{label(node)}: the activation {function!r} is unknown")
    name, defaults = _ACTIVATIONS[function.lower()]
    # parameters are listed only for the functions that take them, in order
    chosen = [next(values[key], default) for key, default in defaults.items()]
    plain = np.allclose(chosen, list(defaults.values()), rtol=1e-6, atol=0)
    return name if plain else f"{name}({', '.join(f'{value:.7g}' for value in chosen)})"

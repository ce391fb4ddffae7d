"""Recurrent layers in plain float64, one step after the other: what the typed cells say, computed."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deltawave.network import Call, Cell, HostModel, HostSegment, MachineSegment, Network, Recurrent, Segment

Floats = NDArray[np.float64]

_ACTIVATIONS: dict[str, Callable[..., Floats]] = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "softplus": lambda x: np.logaddexp(0, x),
    "affine": lambda x, alpha=1.0, beta=0.0: alpha * x + beta,
    "leaky_relu": lambda x, alpha=0.01: np.where(x < 0, alpha * x, x),
    "thresholded_relu": lambda x, alpha=1.0: np.where(x > alpha, x, 0),
    "scaled_tanh": lambda x, alpha=1.0, beta=1.0: alpha * np.tanh(beta * x),
    "hard_sigmoid": lambda x, alpha=0.2, beta=0.5: np.clip(alpha * x + beta, 0, 1),
    "elu": lambda x, alpha=1.0: np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x),
}


def activation(name: str) -> Callable[[Floats], Floats]:
    """The function of a name like 'tanh' or 'hard_sigmoid(0.25, 0.5)'."""
    word, *values = re.split(r"[(,)]", name)
    parameters = [float(value) for value in values if value.strip()]
    return lambda x: _ACTIVATIONS[word](x, *parameters)


def run_layer(
    layer: Recurrent, x: Floats, h0: Floats | None = None, c0: Floats | None = None
) -> tuple[Floats, Floats, Floats]:
    """x [steps, batch, inputs]; h0, c0 [directions, batch, hidden] -> y, y_h, y_c as the layer's outputs."""
    ys, hs, cs = [], [], []
    for direction, cell in enumerate(layer.cells):
        zeros = np.zeros((x.shape[1], cell.hidden))
        h = zeros if h0 is None else h0[direction]
        c = zeros if c0 is None else c0[direction]
        y, h, c = run_cell(cell, x, h, c)
        ys, hs, cs = [*ys, y], [*hs, h], [*cs, c]
    return np.stack(ys, axis=1), np.stack(hs), np.stack(cs)


def run_cell(cell: Cell, x: Floats, h: Floats, c: Floats) -> tuple[Floats, Floats, Floats]:
    """y [steps, batch, hidden] in the order of the input, and the last h and c."""
    steps = range(len(x))[::-1] if cell.reverse else range(len(x))
    y = np.empty((*x.shape[:2], cell.hidden))
    step = {"gru": _gru, "lstm": _lstm, "rnn": _rnn}[cell.kind]
    for t in steps:
        h, c = step(cell, x[t], h, c)
        y[t] = h
    return y, h, c


def _gates(cell: Cell, vector: Floats, weights: Any, bias: Any) -> list[Floats]:
    products = vector @ weights.T.astype(np.float64) + bias
    return np.split(products, len(weights) // cell.hidden, axis=-1)


def _clip(cell: Cell, value: Floats) -> Floats:
    return value if cell.clip is None else np.clip(value, -cell.clip, cell.clip)


def _gru(cell: Cell, x: Floats, h: Floats, c: Floats) -> tuple[Floats, Floats]:
    gate, candidate = (activation(name) for name in cell.activations[:2])
    rx, ux, cx = _gates(cell, x, cell.weights_x, cell.bias_x)
    rh, uh, ch = _gates(cell, h, cell.weights_h, cell.bias_h)
    r, u = gate(_clip(cell, rx + rh)), gate(_clip(cell, ux + uh))
    ch = _gates(cell, r * h, cell.weights_h, cell.bias_h)[2] if cell.reset == "before" else r * ch
    return (1 - u) * candidate(_clip(cell, cx + ch)) + u * h, c


def _lstm(cell: Cell, x: Floats, h: Floats, c: Floats) -> tuple[Floats, Floats]:
    gate, candidate, output = (activation(name) for name in cell.activations)
    x_part, h_part = (
        _gates(cell, x, cell.weights_x, cell.bias_x),
        _gates(cell, h, cell.weights_h, cell.bias_h),
    )
    i, f, g, o = (a + b for a, b in zip(x_part, h_part, strict=True))
    see_i, see_f, see_o = np.zeros((3, cell.hidden)) if cell.peepholes is None else cell.peepholes
    i = gate(_clip(cell, i + see_i * c))
    f = 1 - i if cell.couples_input_forget else gate(_clip(cell, f + see_f * c))
    c = f * c + i * candidate(_clip(cell, g))
    return gate(_clip(cell, o + see_o * c)) * output(c), c


def _rnn(cell: Cell, x: Floats, h: Floats, c: Floats) -> tuple[Floats, Floats]:
    (pre_x,), (pre_h,) = (
        _gates(cell, x, cell.weights_x, cell.bias_x),
        _gates(cell, h, cell.weights_h, cell.bias_h),
    )
    return activation(cell.activations[1])(_clip(cell, pre_x + pre_h)), c


class TwinMachine:
    """Runs a partitioned network call by call: host segments on the host, recurrent layers on the twin."""

    def __init__(self, network: Network, segments: tuple[Segment, ...]) -> None:
        self._network = network
        self._steps = [(s, HostModel.of(s) if isinstance(s, HostSegment) else None) for s in segments]
        self._tensors = {pair.input.name: np.zeros(pair.shape, pair.input.dtype) for pair in network.states}
        self._carried: dict[str, tuple[Floats, Floats]] = {}

    def __call__(self, call: Call) -> Mapping[str, NDArray[Any]]:
        tensors: dict[str, NDArray[Any]] = {**self._tensors, **call}
        for segment, host in self._steps:
            if isinstance(segment, MachineSegment):
                tensors.update(self._machine(segment, tensors))
            elif host is not None:
                tensors.update(host(tensors))
        for pair in self._network.states:
            if pair.output.name in tensors:
                self._tensors[pair.input.name] = tensors[pair.output.name]
        return {tensor.name: tensors[tensor.name] for tensor in self._network.outputs}

    def _machine(
        self, segment: MachineSegment, tensors: Mapping[str, NDArray[Any]]
    ) -> dict[str, NDArray[Any]]:
        layer = segment.layer
        assert isinstance(layer, Recurrent)
        given = {**tensors, **segment.constants}
        states = [given.get(layer.initial("h")), given.get(layer.initial("c"))]
        if layer.carried:
            states = list(self._carried.get(layer.name, (None, None)))
        y, h, c = run_layer(layer, given[layer.x].astype(np.float64), *states)
        self._carried[layer.name] = (h, c)
        results = zip(segment.outputs, (y, h, c), strict=False)
        return {name: value.astype(np.float32) for name, value in results if name}

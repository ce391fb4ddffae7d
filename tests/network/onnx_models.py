"""Small ONNX models, built node by node."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

Shape = Sequence[int | str]
node = helper.make_node


def value(name: str, shape: Shape, element: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, element, shape)


def constants(**arrays: ArrayLike) -> list[onnx.TensorProto]:
    return [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    stored: Sequence[onnx.TensorProto] = (),
    *,
    opset: int = 14,
) -> onnx.ModelProto:
    graph = helper.make_graph(list(nodes), "net", list(inputs), list(outputs), list(stored))
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def floats(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def weights(
    rng: np.random.Generator, kind: str, inputs: int, hidden: int, directions: int = 1
) -> dict[str, np.ndarray]:
    """W, R and B of a recurrent node."""
    rows = GATES[kind] * hidden
    return {
        "W": 0.5 * floats(rng, directions, rows, inputs),
        "R": 0.5 * floats(rng, directions, rows, hidden),
        "B": floats(rng, directions, 2 * rows),
    }


def streaming(kind: str, inputs: int = 3, hidden: int = 4, seed: int = 0) -> onnx.ModelProto:
    """One recurrent node over T steps of a batch of one; its state goes in and out."""
    stored = weights(np.random.default_rng(seed), kind, inputs, hidden)
    states = ["h", "c"] if kind == "LSTM" else ["h"]
    read = ["x", "W", "R", "B", "", *states]
    made = ["y", *(f"{state}_new" for state in states)]
    state_shape = [1, 1, hidden]
    return model(
        [node(kind, read, made, name="cell", hidden_size=hidden)],
        [value("x", ["T", 1, inputs]), *(value(state, state_shape) for state in states)],
        [value("y", ["T", 1, 1, hidden]), *(value(name, state_shape) for name in made[1:])],
        constants(**stored),
    )


def sequence(kind: str, inputs: int = 3, hidden: int = 4, seed: int = 0, **flags: Any) -> onnx.ModelProto:
    """One recurrent node over T steps of N sequences, from zero state."""
    directions = 2 if flags.get("direction") == "bidirectional" else 1
    stored = weights(np.random.default_rng(seed), kind, inputs, hidden, directions)
    return model(
        [node(kind, ["x", "W", "R", "B"], ["y"], name="cell", hidden_size=hidden, **flags)],
        [value("x", ["T", "N", inputs])],
        [value("y", ["T", directions, "N", hidden])],
        constants(**stored),
    )

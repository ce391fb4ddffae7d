"""What the recognition of a written-out cell finds, and the node it becomes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from deltawave.network.editing import Editor
from deltawave.network.onnx_types import attributes
from deltawave.network.rewrites.cells.affine import Affine, Reader

Matrix = NDArray[Any]
# activations that ONNX's recurrent nodes know, with the defaults of their operators
_FUNCTIONS: dict[str, dict[str, float]] = {
    "Sigmoid": {},
    "Tanh": {},
    "Relu": {},
    "Softsign": {},
    "Softplus": {},
    "HardSigmoid": {"alpha": 0.2, "beta": 0.5},
    "LeakyRelu": {"alpha": 0.01},
    "Elu": {"alpha": 1.0},
}


@dataclass(frozen=True)
class Function:
    """An activation with its parameters."""

    name: str
    alpha: float | None = None
    beta: float | None = None


@dataclass(frozen=True, eq=False)
class Gate:
    """An activation node: its function, and the tensor it is applied to."""

    function: Function
    source: str


@dataclass(frozen=True, eq=False)
class Match:
    """A cell: gates stacked in ONNX's order.

    w: [gates * hidden, inputs]; r: [gates * hidden, hidden]; b: [2 * gates * hidden]; p: [3 * hidden].
    x: the tensors that make up the input vector; h, c: the state before; h_new, c_new: the state after.
    """

    kind: str
    x: tuple[str, ...]
    h: str
    h_new: str
    w: Matrix
    r: Matrix
    b: Matrix
    functions: tuple[Function, ...]
    c: str = ""
    c_new: str = ""
    p: Matrix | None = None
    reset_after: bool = False

    @property
    def hidden(self) -> int:
        """Size of the state."""
        return int(self.r.shape[1])


def gate(reader: Reader, name: str) -> Gate | None:
    """The activation that makes a tensor, if one does."""
    node = reader.maker(name)
    if node is None or node.op_type not in _FUNCTIONS:
        return None
    values = {**_FUNCTIONS[node.op_type], **attributes(node)}
    return Gate(Function(node.op_type, values.get("alpha"), values.get("beta")), str(node.input[0]))


def operands(reader: Reader, name: str, operator: str) -> list[tuple[str, str]]:
    """Both orders of the inputs of the Add or Mul that makes a tensor; nothing if another operator makes it."""
    node = reader.maker(name)
    if node is None or node.op_type != operator:
        return []
    left, right = node.input
    return [(left, right), (right, left)]


def stacked(gates: Sequence[Affine], sources: Sequence[str], widths: Sequence[int]) -> Matrix:
    """Matrices of the sources side by side, those of the gates below each other; zero where a gate lacks a source."""
    return np.concatenate(
        [
            np.concatenate(
                [
                    affine.matrices.get(name, np.zeros((len(affine.bias), n), np.float32))
                    for name, n in zip(sources, widths, strict=True)
                ],
                axis=1,
            )
            for affine in gates
        ]
    )


def same_rows(reader: Reader, names: Sequence[str]) -> bool:
    """Whether all tensors hold the same number of vectors, of which one size at most is free."""
    rows = {reader.rows(name) for name in names}
    return len(rows) == 1 and sum(isinstance(size, str) for size in next(iter(rows))) < 2


def cell_node(
    editor: Editor, match: Match, x: str, h: str, c: str, outputs: Sequence[str], **flags: str
) -> onnx.NodeProto:
    """The ONNX node of a match. x: [steps, batch, inputs]; h, c: [1, batch, hidden]; outputs: y, y_h, y_c."""
    name = editor.new_node_name(match.kind.lower())
    stored = [
        editor.new_constant(value[None].astype(np.float32), f"{name}_{letter}")
        for letter, value in _weights(match)
    ]
    inputs = [x, *stored[:3], "", h]
    if match.kind == "LSTM":
        inputs += [c, *stored[3:]]
    given: dict[str, Any] = {
        "hidden_size": match.hidden,
        "activations": [function.name for function in match.functions],
        **flags,
    }
    for key in ("alpha", "beta"):
        values = [
            getattr(function, key) for function in match.functions if getattr(function, key) is not None
        ]
        if values:
            given[f"activation_{key}"] = values
    if match.kind == "GRU":
        given["linear_before_reset"] = int(match.reset_after)
    return helper.make_node(match.kind, inputs, list(outputs), name=name, **given)


def reshape(
    editor: Editor, nodes: list[onnx.NodeProto], source: str, shape: Sequence[int], result: str = ""
) -> str:
    """Append a Reshape; returns the name of its output."""
    result = result or editor.new_name(f"{source}_step")
    wanted = editor.new_constant(np.array(shape, np.int64), f"{result}_shape")
    nodes.append(
        helper.make_node("Reshape", [source, wanted], [result], name=editor.new_node_name("reshape"))
    )
    return result


def _weights(match: Match) -> list[tuple[str, Matrix]]:
    weights = [("W", match.w), ("R", match.r), ("B", match.b)]
    return weights if match.p is None else [*weights, ("P", match.p)]

"""A trained cell as ONNX: one GRU or LSTM node, from a state that comes in to one that goes out, and a dense layer.

Sizes: frames ['T', 1, inputs], states [1, 1, hidden], logits ['T', 1, classes]. The weights are the 8-bit ones of
the training.
"""

import numpy as np
import onnx
import torch
from delta_cells import DeltaCell, q1_7
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# ONNX's order of the gates, as places in ours: GRU z, r, h of r, u, c; LSTM i, o, f, c of i, f, g, o
GATE_PLACES = {"GRU": (1, 0, 2), "LSTM": (0, 3, 1, 2)}
OPSET, IR_VERSION = 17, 10

Floats = NDArray[np.float32]


def digits_model(cell: DeltaCell) -> onnx.ModelProto:
    """The checked model of a trained cell."""
    operator = "GRU" if cell.gates == 3 else "LSTM"
    states = ["h"] if operator == "GRU" else ["h", "c"]
    hidden, (classes, inputs) = cell.hidden, (cell.readout.out_features, cell.weights_x.shape[1])
    graph = helper.make_graph(
        _nodes(operator, states, hidden),
        f"digits_{operator.lower()}",
        [_tensor("frames", ["T", 1, inputs]), *(_tensor(f"{state}0", [1, 1, hidden]) for state in states)],
        [_tensor("logits", ["T", 1, classes]), *(_tensor(f"{state}N", [1, 1, hidden]) for state in states)],
        [numpy_helper.from_array(array, name) for name, array in _weights(cell, operator).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def _nodes(operator: str, states: list[str], hidden: int) -> list[onnx.NodeProto]:
    inputs = ["frames", "W", "R", "B", "", *(f"{state}0" for state in states)]
    outputs = ["steps", *(f"{state}N" for state in states)]
    convention = {"linear_before_reset": 1} if operator == "GRU" else {}
    return [
        helper.make_node(operator, inputs, outputs, operator.lower(), hidden_size=hidden, **convention),
        helper.make_node("Squeeze", ["steps", "direction"], ["states"], "squeeze"),
        helper.make_node("MatMul", ["states", "dense_weights"], ["products"], "dense"),
        helper.make_node("Add", ["products", "dense_bias"], ["logits"], "dense_bias"),
    ]


def _weights(cell: DeltaCell, operator: str) -> dict[str, NDArray[np.generic]]:
    bias = _in_onnx_order(cell.bias, operator)
    return {
        "W": _in_onnx_order(cell.weights_x, operator),
        "R": _in_onnx_order(cell.weights_h, operator),
        "B": np.concatenate([bias, np.zeros_like(bias)], axis=1),
        "direction": np.array([1], np.int64),
        "dense_weights": np.ascontiguousarray(cell.readout.weight.detach().numpy().T),
        "dense_bias": cell.readout.bias.detach().numpy(),
    }


def _in_onnx_order(parameter: torch.Tensor, operator: str) -> Floats:
    """Rows [gates * hidden, ...] -> [1, gates * hidden, ...] with the gates in ONNX's order."""
    gates = np.split(q1_7(parameter.detach()).numpy(), len(GATE_PLACES[operator]))
    return np.concatenate([gates[place] for place in GATE_PLACES[operator]])[np.newaxis]


def _tensor(name: str, shape: list[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

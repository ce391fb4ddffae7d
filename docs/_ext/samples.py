"""Layers and one-node models that the tables of supported operators ask machines about."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper, numpy_helper

from deltawave.network.layers import Cell, Recurrent

# name, shape of the data, shapes of the weights, attributes
OPERATORS = (
    ("GRU", (3, 1, 4), ((1, 12, 4), (1, 12, 4)), {"hidden_size": 4}),
    ("LSTM", (3, 1, 4), ((1, 16, 4), (1, 16, 4)), {"hidden_size": 4}),
    ("RNN", (3, 1, 4), ((1, 4, 4), (1, 4, 4)), {"hidden_size": 4}),
    ("Gemm", (1, 4), ((4, 5),), {}),
    ("MatMul", (1, 4), ((4, 5),), {}),
    ("Conv", (1, 4, 8, 8), ((6, 4, 3, 3),), {}),
    ("MaxPool", (1, 4, 8, 8), (), {"kernel_shape": [2, 2]}),
    ("AveragePool", (1, 4, 8, 8), (), {"kernel_shape": [2, 2]}),
    ("GlobalMaxPool", (1, 4, 8, 8), (), {}),
    ("GlobalAveragePool", (1, 4, 8, 8), (), {}),
)


def operator_models() -> Iterator[onnx.ModelProto]:
    """A model of one node, its weights all one, for each of the operators."""
    for operator, data, shapes, attributes in OPERATORS:
        yield _model(operator, data, shapes, attributes)


def recurrent_layers() -> Iterator[tuple[str, Recurrent]]:
    """Recurrent layers and what is special about each."""
    for what, cell in recurrent_cells().items():
        yield what, _layer(cell)
    gru = _cell("gru", 3, ("sigmoid", "tanh", ""))
    yield "GRU, backwards or both directions", _layer(gru, replace(gru, reverse=True))


def recurrent_cells() -> dict[str, Cell]:
    """Cells by what is special about them."""
    gru = _cell("gru", 3, ("sigmoid", "tanh", ""))
    lstm = _cell("lstm", 4, ("sigmoid", "tanh", "tanh"))
    rnn = _cell("rnn", 1, ("", "tanh", ""))
    return {
        "GRU, reset after the product (PyTorch)": gru,
        "GRU, reset before the product (ONNX's default)": replace(gru, reset="before"),
        "GRU, ReLU candidate": replace(gru, activations=("sigmoid", "relu", "")),
        "GRU, clipped pre-activations": replace(gru, clip=3.0),
        "LSTM": lstm,
        "LSTM, hard sigmoid gates": replace(lstm, activations=("hard_sigmoid", "tanh", "tanh")),
        "LSTM, softsign": replace(lstm, activations=("sigmoid", "softsign", "softsign")),
        "LSTM, peepholes": replace(lstm, peepholes=np.ones((3, 4), np.float32)),
        "LSTM, coupled input and forget gates": replace(lstm, couples_input_forget=True),
        "RNN, tanh": rnn,
        "RNN, ReLU": replace(rnn, activations=("", "relu", "")),
    }


def _cell(kind: str, gates: int, activations: tuple[str, str, str]) -> Cell:
    weights = np.ones((4 * gates, 4), np.float32)
    bias = weights[:, 0]
    return Cell(
        kind=kind, weights_x=weights, weights_h=weights, bias_x=bias, bias_h=bias, activations=activations
    )


def _layer(*cells: Cell) -> Recurrent:
    return Recurrent(name="layer", kind=cells[0].kind.upper(), inputs=("x",), outputs=("y",), cells=cells)


def _model(
    operator: str, data: Sequence[int], shapes: Sequence[Sequence[int]], attributes: dict[str, object]
) -> onnx.ModelProto:
    weights = [numpy_helper.from_array(np.ones(shape, np.float32), f"w{n}") for n, shape in enumerate(shapes)]
    node = helper.make_node(operator, ["x", *(w.name for w in weights)], ["y"], name=operator, **attributes)
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, data)
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = helper.make_graph([node], operator, [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return onnx.shape_inference.infer_shapes(model)

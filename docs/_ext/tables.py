"""Markdown tables made from the code."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper, numpy_helper

from deltawave.cli.command_machines import parameters as parameter_rows
from deltawave.cli.command_machines import summary
from deltawave.hardware import constants as energies
from deltawave.machines import families, machine, machines
from deltawave.machines.claims import Claim, rows
from deltawave.network import load
from deltawave.network.layers import Cell, Recurrent
from deltawave.report.tables import digits

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


def machine_list() -> str:
    """Every machine in one line."""
    listed = [(f"`{m.name}`", f"{m.clock_hz / 1e6:g} MHz", summary(m)) for m in machines().values()]
    return markdown(("machine", "clock", "what it is"), listed)


def parameters(name: str) -> str:
    """Every parameter of a machine."""
    shown = [
        (f"`{row['option']}`", _value(row["default"]), row["unit"], row["doc"], row["source"])
        for row in parameter_rows(machine(name))
    ]
    return markdown(("parameter", "value", "unit", "meaning", "source"), shown)


def claims(family: str) -> str:
    """Published figures beside ours."""
    published: tuple[Claim, ...] = families()[family].CLAIMS
    shown = [
        (
            row["machine"],
            row["name"],
            digits(row["reported"]),
            "none" if row["ours"] is None else digits(row["ours"]),
            "" if row["deviation"] is None else f"{100 * row['deviation']:+.1f} %",
            row["unit"],
            row["certainty"],
            row["source"],
            row.get("reason", ""),
        )
        for row in rows(published)
    ]
    headings = ("machine", "claim", "reported", "ours", "deviation", "unit", "certainty", "source", "reason")
    return markdown(headings, shown)


def constants() -> str:
    """The constants that energy and area are made of."""
    found = [(name, value) for name, value in vars(energies).items() if isinstance(value, energies.Constant)]
    shown = [
        (name, digits(c.value), c.unit, f"{c.node_nm} nm", digits(c.scaled), c.source, c.certainty)
        for name, c in found
    ]
    headings = ("constant", "published", "unit", "at", f"at {energies.NODE_NM} nm", "source", "certainty")
    return markdown(headings, shown)


def recurrent_support() -> str:
    """What each machine says of recurrent layers, asked one by one."""
    known = list(machines().values())
    shown = [(what, *(_verdict(m.verdict(layer)) for m in known)) for what, layer in _layers()]
    return markdown(("layer", *(f"`{m.name}`" for m in known)), shown)


def operators() -> str:
    """Operators that become layers with weights, each tried in a graph of its own."""
    shown = []
    for operator in OPERATORS:
        (layer,) = load(_model(*operator)).layers
        takes = [f"`{m.name}`" for m in machines().values() if m.verdict(layer).takes]
        shown.append(
            (f"`{layer.kind}`", f"`{type(layer).__name__}`", layer.shape, ", ".join(takes) or "host")
        )
    return markdown(("operator", "layer", "example", "runs on"), shown)


def markdown(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; bars in its cells are escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |" for line in lines
    )


def _value(value: object) -> str:
    if value is None or value == {}:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,g}" if isinstance(value, float) else str(value)


def _verdict(verdict: object) -> str:
    if verdict.takes:
        return f"extension: {verdict.reason}" if verdict.reason else "yes"
    return f"host: {verdict.reason}"


def _model(
    op: str, data: tuple[int, ...], shapes: Sequence[tuple[int, ...]], attributes: dict
) -> onnx.ModelProto:
    """One node with weights of one."""
    weights = [numpy_helper.from_array(np.ones(shape, np.float32), f"w{n}") for n, shape in enumerate(shapes)]
    node = helper.make_node(op, ["x", *(w.name for w in weights)], ["y"], name=op, **attributes)
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, data)
    y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    return onnx.shape_inference.infer_shapes(
        helper.make_model(
            helper.make_graph([node], op, [x], [y], weights), opset_imports=[helper.make_opsetid("", 17)]
        )
    )


def _layers() -> Iterable[tuple[str, Recurrent]]:
    gru, lstm, rnn = (
        _cell("gru", 3, "tanh", ""),
        _cell("lstm", 4, "tanh", "tanh"),
        _cell("rnn", 1, "tanh", ""),
    )
    variants = {
        "GRU, reset after the product (PyTorch)": gru,
        "GRU, reset before the product (ONNX default)": replace(gru, reset="before"),
        "GRU, ReLU candidate": replace(gru, activations=("sigmoid", "relu", "")),
        "LSTM": lstm,
        "LSTM, peepholes": replace(lstm, peepholes=np.ones((3, 4), np.float32)),
        "LSTM, coupled input and forget gate": replace(lstm, couples_input_forget=True),
        "RNN, tanh": rnn,
        "RNN, ReLU": replace(rnn, activations=("", "relu", "")),
        "any, hard sigmoid": replace(lstm, activations=("hard_sigmoid", "tanh", "tanh")),
        "any, clipped pre-activations": replace(lstm, clip=3.0),
    }
    for what, cell in variants.items():
        yield what, _layer(cell)
    yield "any, backwards or both directions", _layer(gru, replace(gru, reverse=True))


def _cell(kind: str, gates: int, candidate: str, output: str) -> Cell:
    weights = np.ones((4 * gates, 4), np.float32)
    gate = "sigmoid" if gates > 1 else ""
    biases = dict.fromkeys(("bias_x", "bias_h"), weights[:, 0])
    activations = (gate, candidate, output)
    return Cell(kind=kind, weights_x=weights, weights_h=weights, activations=activations, **biases)


def _layer(*cells: Cell) -> Recurrent:
    return Recurrent(name="layer", kind=cells[0].kind.upper(), inputs=("x",), outputs=("y",), cells=cells)

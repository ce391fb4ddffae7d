"""Everything that is timed: ours and the float and 8-bit runtimes, each as a whole sequence and step by step.

A contender is a pair of functions without arguments that run all steps of a layer. Rivals get their state back from
every step and hand it to the next, as a stream does.
"""

import logging
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from shapes import Layer, inputs_with, random_cell, threshold_for

from deltawave.kernels.native import NativeCell

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Contender:
    """`sequence` runs all steps in one call, `stream` one step per call."""

    name: str
    sequence: Callable[[], object]
    stream: Callable[[], object]
    sparsity: float = 0.0


def ours_dense(layer: Layer, threads: int) -> Contender:
    """All weights read in each step: 8-bit weights x 16-bit values."""
    return _ours(
        "dense", NativeCell(random_cell(layer), mode="dense", threads=threads), inputs_with(layer, 0.1)
    )


def ours_delta(layer: Layer, threads: int, sparsity: float) -> Contender:
    """Inputs of which this share stays still, and the state threshold that keeps as many states still."""
    xs = inputs_with(layer, 1 - sparsity)
    cell = random_cell(layer, threshold_for(layer, xs, 1 - sparsity))
    return _ours(f"delta {sparsity:.0%}", NativeCell(cell, threads=threads), xs)


def _ours(name: str, cell: NativeCell, xs: NDArray[np.int16]) -> Contender:
    def stream() -> None:
        x, step = cell.x, cell.step
        for row in rows:
            x[:] = row
            step()

    rows = list(xs)
    _, sent = cell.run(xs)
    assert sent is not None
    return Contender(name, lambda: cell.run(xs, sent=False), stream, 1 - float(sent[len(xs) // 3 :].mean()))


def ort_float(layer: Layer, threads: int) -> Contender:
    """ONNX Runtime's own LSTM and GRU operators, float32."""
    return _ort("ORT fp32", layer, threads, _operator_model, quantised=False)


def ort_int8(layer: Layer, threads: int) -> Contender:
    """8-bit weights, values quantised as they come. LSTM: DynamicQuantizeLSTM. GRU: ONNX Runtime has no 8-bit GRU
    operator, so the cell is written with MatMul (in a Scan over the sequence) and quantised to MatMulInteger."""
    build = _operator_model if layer.kind == "lstm" else _gru_of_products
    return _ort("ORT int8", layer, threads, build, quantised=True)


def torch_float(layer: Layer, threads: int) -> Contender:
    """PyTorch's LSTM and GRU, float32."""
    return _torch("PyTorch fp32", layer, threads, quantised=False)


def torch_int8(layer: Layer, threads: int) -> Contender:
    """The same through PyTorch's dynamic quantisation."""
    return _torch("PyTorch int8", layer, threads, quantised=True)


def _weights(layer: Layer) -> tuple[Floats, Floats]:
    rng = np.random.default_rng(0)
    gates, limit = 4 if layer.kind == "lstm" else 3, 1 / np.sqrt(layer.hidden)
    size = (gates * layer.hidden, layer.hidden)
    return rng.uniform(-limit, limit, size).astype(np.float32), rng.uniform(-limit, limit, size).astype(
        np.float32
    )


def _float_inputs(layer: Layer) -> Floats:
    return (inputs_with(layer, 0.1) / 256.0).astype(np.float32)


def _tensor(name: str, *shape: int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _model(graph: onnx.GraphProto) -> onnx.ModelProto:
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def _operator_model(layer: Layer, steps: int) -> onnx.ModelProto:
    """One LSTM or GRU node: X [steps, 1, inputs] and the states -> Y and the states."""
    w, r = (weights[None] for weights in _weights(layer))
    states = ["h", "c"] if layer.kind == "lstm" else ["h"]
    size = (1, 1, layer.hidden)
    node = helper.make_node(
        layer.kind.upper(),
        ["X", "W", "R", "", "", *(f"{s}_in" for s in states)],
        ["Y", *(f"{s}_out" for s in states)],
        hidden_size=layer.hidden,
        **({} if layer.kind == "lstm" else {"linear_before_reset": 1}),
    )
    inputs = [_tensor("X", steps, 1, layer.hidden), *(_tensor(f"{s}_in", *size) for s in states)]
    outputs = [_tensor("Y", steps, *size), *(_tensor(f"{s}_out", *size) for s in states)]
    return _model(
        helper.make_graph(
            [node],
            "layer",
            inputs,
            outputs,
            [numpy_helper.from_array(w, "W"), numpy_helper.from_array(r, "R")],
        )
    )


def _gru_update(x: str, h: str, out: str) -> list[onnx.NodeProto]:
    """h' from the input's products x [1, 3 hidden] and the state h [1, hidden]."""
    make = helper.make_node
    return [
        make("MatMul", [h, "R"], ["rh"]),
        make("Split", [x, "thirds"], ["xz", "xr", "xn"], axis=1),
        make("Split", ["rh", "thirds"], ["hz", "hr", "hn"], axis=1),
        make("Add", ["xz", "hz"], ["z_sum"]),
        make("Sigmoid", ["z_sum"], ["z"]),
        make("Add", ["xr", "hr"], ["r_sum"]),
        make("Sigmoid", ["r_sum"], ["r"]),
        make("Mul", ["r", "hn"], ["r_hn"]),
        make("Add", ["xn", "r_hn"], ["n_sum"]),
        make("Tanh", ["n_sum"], ["n"]),
        make("Sub", [h, "n"], ["h_n"]),
        make("Mul", ["z", "h_n"], ["z_h_n"]),
        make("Add", ["n", "z_h_n"], [out]),
    ]


def _gru_of_products(layer: Layer, steps: int) -> onnx.ModelProto:
    """The input's products for all steps at once, then a Scan over them (or one update for one step)."""
    n = layer.hidden
    w, r = (
        numpy_helper.from_array(weights.T.copy(), name)
        for weights, name in zip(_weights(layer), "WR", strict=True)
    )
    thirds = numpy_helper.from_array(np.array([n] * 3, np.int64), "thirds")
    product = helper.make_node("MatMul", ["X", "W"], ["wx"])
    inputs, outputs = [_tensor("X", steps, n), _tensor("h_in", 1, n)], [_tensor("h_out", 1, n)]
    if steps == 1:
        nodes = [product, *_gru_update("wx", "h_in", "h_out")]
        return _model(helper.make_graph(nodes, "layer", inputs, outputs, [w, r, thirds]))
    update = [*_gru_update("x", "h", "h_next"), helper.make_node("Identity", ["h_next"], ["y"])]
    step_inputs, step_outputs = (
        [_tensor("h", 1, n), _tensor("x", 1, 3 * n)],
        [_tensor("h_next", 1, n), _tensor("y", 1, n)],
    )
    body = helper.make_graph(update, "step", step_inputs, step_outputs, [r, thirds])
    rows = helper.make_node("Unsqueeze", ["wx", "axis"], ["rows"])
    scan = helper.make_node("Scan", ["h_in", "rows"], ["h_out", "Y"], num_scan_inputs=1, body=body)
    axis = numpy_helper.from_array(np.array([1], np.int64), "axis")
    return _model(
        helper.make_graph(
            [product, rows, scan], "layer", inputs, [*outputs, _tensor("Y", steps, 1, n)], [w, axis]
        )
    )


def _ort(
    name: str, layer: Layer, threads: int, build: Callable[[Layer, int], onnx.ModelProto], *, quantised: bool
) -> Contender:
    return ort_contender(name, build, layer, _float_inputs(layer), threads, quantised=quantised)


def ort_contender(
    name: str,
    build: Callable[[Any, int], onnx.ModelProto],
    layer: object,
    xs: Floats,
    threads: int,
    *,
    quantised: bool,
) -> Contender:
    """ONNX Runtime on what `build(layer, steps)` makes: inputs X and *_in, outputs Y and *_out. xs: [steps, inputs]."""
    whole = _session(build(layer, len(xs)), threads, quantised=quantised)
    single = _session(build(layer, 1), threads, quantised=quantised)
    whole_feed = _feeds(whole, xs)
    feed = _feeds(single, xs[:1])
    states = [i.name for i in single.get_inputs() if i.name != "X"]
    outputs = [f"{s.removesuffix('_in')}_out" for s in states]
    rows = [row.reshape(feed["X"].shape) for row in xs]

    def stream() -> None:
        for row in rows:
            feed["X"] = row
            feed.update(zip(states, single.run(outputs, feed), strict=True))

    return Contender(name, lambda: whole.run(None, whole_feed), stream)


def _session(model: onnx.ModelProto, threads: int, *, quantised: bool) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save(model, path)
        if quantised:
            logging.disable(logging.WARNING)
            quantize_dynamic(path, path, weight_type=QuantType.QInt8, extra_options={"EnableSubgraph": True})
            logging.disable(logging.NOTSET)
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _feeds(session: onnxruntime.InferenceSession, xs: Floats) -> dict[str, Floats]:
    shapes = {i.name: i.shape for i in session.get_inputs()}
    feeds = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    feeds["X"] = xs.reshape(shapes["X"])
    return feeds


def _torch(name: str, layer: Layer, threads: int, *, quantised: bool) -> Contender:
    module = getattr(torch.nn, layer.kind.upper())(layer.hidden, layer.hidden).eval()
    return torch_contender(name, module, _float_inputs(layer), threads, quantised=quantised)


def torch_contender(
    name: str, layer: torch.nn.Module, inputs: Floats, threads: int, *, quantised: bool
) -> Contender:
    """PyTorch's layer as it is, or dynamically quantised to 8 bits. inputs: [steps, inputs]."""
    module = torch.nn.ModuleDict({"rnn": layer})
    if quantised:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = torch.ao.quantization.quantize_dynamic(
                module, {torch.nn.LSTM, torch.nn.GRU}, torch.qint8
            )
    rnn, xs = module["rnn"], torch.from_numpy(np.ascontiguousarray(inputs)).unsqueeze(1)
    rows = list(xs.split(1))

    def sequence() -> None:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            rnn(xs)

    def stream() -> None:
        torch.set_num_threads(threads)
        with torch.inference_mode():
            state = None
            for row in rows:
                _, state = rnn(row, state)

    return Contender(name, sequence, stream)

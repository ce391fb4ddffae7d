"""The recurrent layers of the real networks on real input: exact integers here against the float and 8-bit runtimes.

    python benchmarks/real_speed.py [--case GRU_L]... [--threads 1 2] [--rounds 5]

Ours are the layers as EdgeDRNN has them (8-bit weights, Q8.8 values): `dense` reads every weight in every step, `delta`
those of values that moved by 1/8. All take turns in each round, and ratios are medians over rounds.
"""

import argparse
import os
import statistics
from dataclasses import dataclass

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported; its products here are small

import numpy as np
import onnx
import torch
from contenders import Contender, ort_contender, torch_contender
from deepbench import Timing
from onnx import TensorProto, helper, numpy_helper
from real_cases import CASES

import deltawave as dw
from deltawave.kernels.native import NativeCell
from deltawave.machines.deltarnn.compiled import DeltaCell
from deltawave.network import Cell, as_streams, capture

MOST_STEPS = 100
ONNX_ORDER = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
"""Our gate rows (i f g o, r u c) in ONNX's order (i o f c, z r h)."""
RECURRENT = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}


@dataclass(frozen=True, eq=False)
class RealLayer:
    """One direction of a layer, and a sequence that it really sees, float32 [steps, inputs]."""

    name: str
    cell: Cell
    xs: np.ndarray
    compiled: dict[str, DeltaCell]


def main() -> None:
    """Print a line a layer, form and thread count."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--case", action="append", choices=sorted(CASES), help="only this network; may be repeated"
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--least-ms", type=float, default=5.0, help="measure each at least so long in a round"
    )
    options = parser.parse_args()
    timing = Timing(options.rounds, options.least_ms / 1e3, "wall")
    for name in options.case or CASES:
        for layer in layers_of(name):
            for threads in options.threads:
                for form in ("sequence", "stream"):
                    print(line(layer, form, threads, timing), flush=True)


def layers_of(name: str) -> list[RealLayer]:
    """The recurrent layers of a case, with their input in its first stream."""
    case = CASES[name]()
    network = dw.load(case.model)
    machine = dw.machine("edgedrnn-minized")
    moved = machine.with_options({"theta_input": 0.125, "theta_hidden": 0.125})
    programs = {
        mode: dw.compile(network, m, calibration=case.calibration)
        for mode, m in (("dense", machine), ("delta", moved))
    }
    stream = as_streams(network, case.data)[0][:MOST_STEPS]
    layers = []
    for layer in network.recurrent:
        calls = capture(network, [stream], [layer.x])[0]
        xs = np.concatenate([call[layer.x][:, 0] for call in calls])[:MOST_STEPS]
        for cell_name, cell in zip(layer.cell_names, layer.cells, strict=True):
            compiled = {mode: program.cells[cell_name] for mode, program in programs.items()}
            layers.append(RealLayer(f"{name} {short(cell_name)}", cell, xs, compiled))
    return layers


def short(name: str) -> str:
    """The last part of an exported node's name."""
    return name.removesuffix("/reverse").split("/")[-1] + (" reverse" if name.endswith("/reverse") else "")


def line(layer: RealLayer, form: str, threads: int, timing: Timing) -> str:
    """Our time of a step, the share of values sent, and what each rival takes over ours."""
    ours = [ours_of(layer, mode, threads) for mode in ("dense", "delta")]
    rivals = rivals_of(layer, threads)
    rounds = [
        {c.name: timing.seconds(getattr(c, form)) for c in [*ours, *rivals]} for _ in range(timing.rounds)
    ]
    parts = [f"{layer.name:28} {layer.cell.inputs:>3} -> {layer.cell.hidden:<4} {form:8} {threads} thr "]
    for contender in ours:
        step_us = statistics.median(times[contender.name] for times in rounds) / len(layer.xs) * 1e6
        ratios = [
            f"{rival.name} {statistics.median(t[rival.name] / t[contender.name] for t in rounds):.1f}x"
            for rival in rivals
        ]
        sent = f" ({1 - contender.sparsity:.0%} sent)" if contender.name == "delta" else ""
        parts.append(f"{contender.name} {step_us:.2f} us{sent}: {', '.join(ratios)}")
    return " | ".join(parts)


def ratio(rival: Contender, ours: Contender, rounds: list[dict[str, float]]) -> float:
    """The rival's time over ours, median over rounds."""
    return statistics.median(times[rival.name] / times[ours.name] for times in rounds)


def ours_of(layer: RealLayer, mode: str, threads: int) -> Contender:
    """The compiled layer in the kernels."""
    compiled = layer.compiled[mode]
    cell = NativeCell(compiled.cell, mode=mode, threads=threads)
    xs = compiled.input_format.quantise(layer.xs).astype(np.int16)
    rows = list(xs)
    _, sent = cell.run(xs)

    def stream() -> None:
        for row in rows:
            cell.x[:] = row
            cell.step()

    return Contender(mode, lambda: cell.run(xs, sent=False), stream, 1 - float(sent.mean()))


def rivals_of(layer: RealLayer, threads: int) -> list[Contender]:
    """ONNX Runtime, and PyTorch where it has the cell."""
    xs, cell = layer.xs, layer.cell
    rivals = [ort_contender("ORT fp32", onnx_model, cell, xs, threads, quantised=False)]
    if cell.kind == "lstm":
        rivals.append(ort_contender("ORT int8", onnx_model, cell, xs, threads, quantised=True))
    if cell.kind in RECURRENT and cell.reset == "after" and cell.activations[1] == "tanh":
        rivals += [
            torch_contender("PyTorch fp32", torch_module(cell), xs, threads, quantised=False),
            torch_contender("PyTorch int8", torch_module(cell), xs, threads, quantised=True),
        ]
    return rivals


def onnx_model(cell: Cell, steps: int) -> onnx.ModelProto:
    """The cell as a node of its own: X [steps, 1, inputs] and the states -> Y and the states."""
    order, n = list(ONNX_ORDER[cell.kind]), cell.hidden
    bias = np.concatenate([reordered(cell.bias_x, order), reordered(cell.bias_h, order)]).reshape(1, -1)
    weights = (reordered(array, order)[None] for array in (cell.weights_x, cell.weights_h))
    stored = dict(zip("WRB", (*weights, bias), strict=True))
    states = ["h", "c"] if cell.kind == "lstm" else ["h"]
    functions = [name.capitalize() for name in cell.activations if name][: 3 if cell.kind == "lstm" else 2]
    options = {"linear_before_reset": int(cell.reset == "after")} if cell.kind == "gru" else {}
    node = helper.make_node(
        cell.kind.upper(),
        ["X", "W", "R", "B", "", *(f"{s}_in" for s in states)],
        ["Y", *(f"{s}_out" for s in states)],
        hidden_size=n,
        activations=functions,
        **options,
    )
    graph = helper.make_graph(
        [node],
        "layer",
        [tensor("X", steps, 1, cell.inputs), *(tensor(f"{s}_in", 1, 1, n) for s in states)],
        [tensor("Y", steps, 1, 1, n), *(tensor(f"{s}_out", 1, 1, n) for s in states)],
        [numpy_helper.from_array(np.ascontiguousarray(a, np.float32), name) for name, a in stored.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def reordered(array: np.ndarray, order: list[int]) -> np.ndarray:
    """The gates of [gates * hidden, ...] in another order, [gates * hidden, columns]."""
    return array.reshape(len(order), len(array) // len(order), -1)[order].reshape(len(array), -1)


def tensor(name: str, *shape: int) -> onnx.ValueInfoProto:
    """A float32 input or output."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def torch_module(cell: Cell) -> torch.nn.Module:
    """The cell as PyTorch's layer; its GRU has r, z, n as we have r, u, c, its LSTM i, f, g, o."""
    module = RECURRENT[cell.kind](cell.inputs, cell.hidden)
    arrays = (cell.weights_x, cell.weights_h, cell.bias_x, cell.bias_h)
    with torch.no_grad():
        for parameter, array in zip(module.parameters(), arrays, strict=True):
            parameter.copy_(torch.from_numpy(np.array(array)))
    return module.eval()


if __name__ == "__main__":
    main()

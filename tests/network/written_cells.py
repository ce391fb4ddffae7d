"""Recurrent cells written out node by node, as exporters write them."""

import numpy as np
import onnx

from network.onnx_models import constants, floats, model, node, value

INPUTS, HIDDEN = 3, 4


def keras_lstm(seed: int = 0, forget_bias: float = 0.0) -> onnx.ModelProto:
    """Two products, then split; gates in the order i f g o."""
    rng = np.random.default_rng(seed)
    nodes = [
        node("MatMul", ["x", "w"], ["xw"]),
        node("MatMul", ["h", "u"], ["hu"]),
        node("Add", ["xw", "hu"], ["sum"]),
        node("Add", ["sum", "b"], ["pre"]),
        node("Split", ["pre"], ["i", "f", "g", "o"], axis=1),
        node("Add", ["f", "forget"], ["f_more"]),
        node("Sigmoid", ["i"], ["si"]),
        node("Sigmoid", ["f_more"], ["sf"]),
        node("Sigmoid", ["o"], ["so"]),
        node("Tanh", ["g"], ["tg"]),
        node("Mul", ["sf", "c"], ["kept"]),
        node("Mul", ["si", "tg"], ["added"]),
        node("Add", ["kept", "added"], ["c_new"]),
        node("Tanh", ["c_new"], ["tc"]),
        node("Mul", ["so", "tc"], ["h_new"]),
    ]
    stored = constants(
        w=floats(rng, INPUTS, 4 * HIDDEN),
        u=floats(rng, HIDDEN, 4 * HIDDEN),
        b=floats(rng, 4 * HIDDEN),
        forget=np.float32(forget_bias),
    )
    return _cell(nodes, ["h", "c"], stored)


def joined_lstm(seed: int = 0, *, output_sees: str = "c_new") -> onnx.ModelProto:
    """One product of input and state joined, gates i g f o, peepholes: TensorFlow's LSTMCell without projection."""
    rng = np.random.default_rng(seed)
    nodes = [
        node("Concat", ["x", "h"], ["xh"], axis=-1),
        node("Gemm", ["xh", "w", "b"], ["pre"]),
        node("Split", ["pre"], ["i", "g", "f", "o"], axis=-1),
        node("Mul", ["c", "p_i"], ["see_i"]),
        node("Mul", ["p_f", "c"], ["see_f"]),
        node("Add", ["i", "see_i"], ["i_all"]),
        node("Add", ["see_f", "f"], ["f_all"]),
        node("Sigmoid", ["i_all"], ["si"]),
        node("Sigmoid", ["f_all"], ["sf"]),
        node("Tanh", ["g"], ["tg"]),
        node("Mul", ["sf", "c"], ["kept"]),
        node("Mul", ["tg", "si"], ["added"]),
        node("Add", ["added", "kept"], ["c_new"]),
        node("Mul", [output_sees, "p_o"], ["see_o"]),
        node("Add", ["o", "see_o"], ["o_all"]),
        node("Sigmoid", ["o_all"], ["so"]),
        node("Tanh", ["c_new"], ["tc"]),
        node("Mul", ["tc", "so"], ["h_new"]),
    ]
    stored = constants(
        w=floats(rng, INPUTS + HIDDEN, 4 * HIDDEN),
        b=floats(rng, 4 * HIDDEN),
        **{f"p_{gate}": floats(rng, HIDDEN) for gate in "ifo"},
    )
    return _cell(nodes, ["h", "c"], stored)


def torch_gru(seed: int = 0) -> onnx.ModelProto:
    """The reset gate after the product; h' = (h - n) * z + n."""
    rng = np.random.default_rng(seed)
    nodes = [
        node("Gemm", ["x", "w", "bw"], ["gx"], transB=1),
        node("Gemm", ["h", "u", "bu"], ["gh"], transB=1),
        node("Split", ["gx"], ["rx", "zx", "nx"], axis=1),
        node("Split", ["gh"], ["rh", "zh", "nh"], axis=1),
        node("Add", ["rh", "rx"], ["r_pre"]),
        node("Sigmoid", ["r_pre"], ["r"]),
        node("Add", ["zh", "zx"], ["z_pre"]),
        node("Sigmoid", ["z_pre"], ["z"]),
        node("Mul", ["nh", "r"], ["reset"]),
        node("Add", ["nx", "reset"], ["n_pre"]),
        node("Tanh", ["n_pre"], ["n"]),
        node("Sub", ["h", "n"], ["difference"]),
        node("Mul", ["difference", "z"], ["part"]),
        node("Add", ["part", "n"], ["h_new"]),
    ]
    stored = constants(
        w=floats(rng, 3 * HIDDEN, INPUTS),
        u=floats(rng, 3 * HIDDEN, HIDDEN),
        bw=floats(rng, 3 * HIDDEN),
        bu=floats(rng, 3 * HIDDEN),
    )
    return _cell(nodes, ["h"], stored)


def keras_gru(seed: int = 0, *, update_keeps: bool = True) -> onnx.ModelProto:
    """The reset gate before the product; h' = z * h + (1 - z) * c, or with the roles of z and 1 - z exchanged."""
    rng = np.random.default_rng(seed)
    kept, fresh = ("h", "c") if update_keeps else ("c", "h")
    nodes = [
        node("MatMul", ["x", "w"], ["xw"]),
        node("Split", ["xw"], ["zx", "rx", "cx"], axis=1),
        node("MatMul", ["h", "u_z"], ["zh"]),
        node("MatMul", ["h", "u_r"], ["rh"]),
        node("Add", ["zx", "zh"], ["z_sum"]),
        node("Add", ["z_sum", "b_z"], ["z_pre"]),
        node("Sigmoid", ["z_pre"], ["z"]),
        node("Add", ["rx", "rh"], ["r_pre"]),
        node("Sigmoid", ["r_pre"], ["r"]),
        node("Mul", ["r", "h"], ["reset"]),
        node("MatMul", ["reset", "u_c"], ["ch"]),
        node("Add", ["cx", "ch"], ["c_sum"]),
        node("Add", ["b_c", "c_sum"], ["c_pre"]),
        node("Relu", ["c_pre"], ["c"]),
        node("Mul", ["z", kept], ["old"]),
        node("Sub", ["one", "z"], ["rest"]),
        node("Mul", ["rest", fresh], ["new"]),
        node("Add", ["old", "new"], ["h_new"]),
    ]
    stored = constants(
        w=floats(rng, INPUTS, 3 * HIDDEN),
        **{f"u_{gate}": floats(rng, HIDDEN, HIDDEN) for gate in "zrc"},
        b_z=floats(rng, HIDDEN),
        b_c=floats(rng, HIDDEN),
        one=np.float32(1),
    )
    return _cell(nodes, ["h"], stored)


def plain_rnn(seed: int = 0, *, state_comes_back: bool = True) -> onnx.ModelProto:
    """h' = tanh(W x + R h + b); or the same sum, negated before it goes out, which is no recurrent cell."""
    rng = np.random.default_rng(seed)
    nodes = [
        node("Gemm", ["x", "w", "b"], ["xw"]),
        node("MatMul", ["h", "u"], ["hu"]),
        node("Add", ["xw", "hu"], ["pre"]),
        node("Tanh", ["pre"], ["h_new" if state_comes_back else "t"]),
    ]
    if not state_comes_back:
        nodes.append(node("Neg", ["t"], ["h_new"]))
    stored = constants(w=floats(rng, INPUTS, HIDDEN), u=floats(rng, HIDDEN, HIDDEN), b=floats(rng, HIDDEN))
    return _cell(nodes, ["h"], stored)


def _cell(nodes: list[onnx.NodeProto], states: list[str], stored: list[onnx.TensorProto]) -> onnx.ModelProto:
    """One step: x and the state before in, y = h' and the state after out."""
    outputs = [value(f"{state}_new", [1, HIDDEN]) for state in states]
    nodes = [*nodes, node("Mul", ["h_new", "half"], ["y"])]
    return model(
        nodes,
        [value("x", [1, INPUTS]), *(value(state, [1, HIDDEN]) for state in states)],
        [value("y", [1, HIDDEN]), *outputs],
        [*stored, *constants(half=np.float32(0.5))],
        opset=13,
    )

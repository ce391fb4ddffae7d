"""Small networks for tests, built node by node."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from deltawave.network import Network, load

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent_network(
    op: str = "GRU",
    *,
    inputs: int = 6,
    hidden: int = 9,
    seed: int = 0,
    scale: float = 0.4,
    streaming: bool = False,
    **attributes: object,
) -> Network:
    """x ['T', 1, inputs] -> y ['T', 1, 3]: a recurrent and a dense layer; with state in and out if streaming."""
    rng = np.random.default_rng(seed)
    directions = 2 if attributes.get("direction") == "bidirectional" else 1
    gates = GATES[op]
    arrays = {
        "W": rng.normal(0, scale, (directions, gates * hidden, inputs)),
        "R": rng.normal(0, scale, (directions, gates * hidden, hidden)),
        "B": rng.normal(0, scale, (directions, 2 * gates * hidden)),
        "dense": rng.normal(0, scale, (directions * hidden, 3)),
    }
    stored = [numpy_helper.from_array(array.astype(np.float32), name) for name, array in arrays.items()]
    stored.append(numpy_helper.from_array(np.array([0, 0, -1], np.int64), "shape"))
    states = ["h0", "c0"][: 2 if op == "LSTM" else 1] if streaming else []
    finals = [name.replace("0", "N") for name in states]
    layer = helper.make_node(
        op,
        ["x", "W", "R", "B", "", *states],
        ["y_all", *finals],
        name="layer",
        hidden_size=hidden,
        **attributes,
    )
    nodes = [
        layer,
        helper.make_node("Transpose", ["y_all"], ["y_steps"], name="steps", perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["y_steps", "shape"], ["y_flat"], name="flat"),
        helper.make_node("MatMul", ["y_flat", "dense"], ["y"], name="dense_layer"),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", 1, inputs]), *_vectors(states, hidden)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["T", 1, 3]), *_vectors(finals, hidden)],
        stored,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model)
    return load(model)


def stacked_network(
    *layers: tuple[str, int], inputs: int = 6, seed: int = 0, read_between: tuple[int, ...] = ()
) -> Network:
    """x ['T', 1, inputs] -> y ['T', 1, hidden]: recurrent layers (operator, hidden) that feed each other; y_0 and so on
    are what those of the numbers `read_between` say."""
    rng, nodes, weights = np.random.default_rng(seed), [], []
    size, x = inputs, "x"
    for number, (op, hidden) in enumerate(layers):
        y = f"y_{number}" if number < len(layers) - 1 else "y"
        node, stored = _stacked(rng, op, (size, hidden), number, x, y)
        nodes, weights, size, x = nodes + node, weights + stored, hidden, y
    weights.append(numpy_helper.from_array(np.array([1], np.int64), "directions"))
    said = [("y", size), *((f"y_{number}", layers[number][1]) for number in read_between)]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["T", 1, hidden]) for name, hidden in said
    ]
    x_info = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["T", 1, inputs])
    graph = helper.make_graph(nodes, "stacked", [x_info], outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model)
    return load(model)


def _stacked(
    rng: np.random.Generator, op: str, sizes: tuple[int, int], number: int, x: str, y: str
) -> tuple[list[onnx.NodeProto], list[TensorProto]]:
    """A recurrent layer, the node that takes its directions away, and its weights."""
    (inputs, hidden), gates = sizes, GATES[op]
    shapes = {"W": (gates * hidden, inputs), "R": (gates * hidden, hidden), "B": (2 * gates * hidden,)}
    names = [f"{name}{number}" for name in shapes]
    arrays = (rng.normal(0, 0.4, (1, *shape)).astype(np.float32) for shape in shapes.values())
    resets = {"linear_before_reset": 1} if op == "GRU" else {}
    layer = f"layer{number}"
    return [
        helper.make_node(op, [x, *names], [f"{layer}_all"], name=layer, hidden_size=hidden, **resets),
        helper.make_node("Squeeze", [f"{layer}_all", "directions"], [y], name=f"{layer}_squeezed"),
    ], [numpy_helper.from_array(array, name) for array, name in zip(arrays, names, strict=True)]


def _vectors(names: list[str], hidden: int) -> list[onnx.ValueInfoProto]:
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, hidden]) for name in names]


def walk(steps: int = 20, inputs: int = 6, seed: int = 1) -> np.ndarray:
    """A slowly moving input, float32 [steps, 1, inputs]."""
    rng = np.random.default_rng(seed)
    return (rng.normal(0, 0.15, (steps, 1, inputs)).cumsum(axis=0)).astype(np.float32)

"""What `inspect` says of networks that are not wholly understood."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from deltawave.errors import UnsupportedError
from deltawave.machines import machine
from deltawave.machines.program import compile_network
from deltawave.network import Network, load
from deltawave.report.inspection import inspect
from networks import recurrent_network

EDGE = machine("edgedrnn-minized")


def decaying_sum() -> Network:
    """A Scan that is no LSTM, GRU or RNN: s = s * decay + x @ weights, 3 + 12 constants, and a dense layer of 6."""

    def value(name: str, *shape: int | str) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    arrays = {"decay": [[0.5] * 3], "weights": np.eye(4, 3), "dense": np.ones((3, 2)), "s0": [[0.0] * 3]}
    stored = [numpy_helper.from_array(np.float32(array), name) for name, array in arrays.items()]
    body = helper.make_graph(
        [
            helper.make_node("Mul", ["s", "decay"], ["kept"]),
            helper.make_node("MatMul", ["x", "weights"], ["new"]),
            helper.make_node("Add", ["kept", "new"], ["s_new"]),
            helper.make_node("Identity", ["s_new"], ["y"]),
        ],
        "body",
        [value("s", 1, 3), value("x", 1, 4)],
        [value("s_new", 1, 3), value("y", 1, 3)],
    )
    nodes = [
        helper.make_node("Scan", ["s0", "xs"], ["s_end", "ys"], "sums", body=body, num_scan_inputs=1),
        helper.make_node("MatMul", ["ys", "dense"], ["z"], "dense_layer"),
    ]
    graph = helper.make_graph(nodes, "sums", [value("xs", 5, 1, 4)], [value("z", 5, 1, 2)], stored)
    return load(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8))


def test_a_loop_of_unknown_work_is_counted_as_unknown() -> None:
    lines = inspect(decaying_sum(), []).text().splitlines()
    assert lines[0] == "model: 21 parameters, at least 60.00 op a call"
    assert [line.split()[-1] for line in lines if line.startswith(("sums ", "dense"))] == ["unknown", "60"]


def test_a_loop_that_may_hide_a_cell_is_named_by_the_refusal() -> None:
    with pytest.raises(UnsupportedError) as caught:
        compile_network(decaying_sum(), EDGE)
    assert str(caught.value) == (
        "edgedrnn-minized takes recurrent layers and model has none "
        "(Scan sums: its body is not a plain LSTM, GRU or RNN cell); choose another machine"
    )


def test_a_recurrent_node_that_cannot_be_read_counts_its_weights() -> None:
    model = recurrent_network("GRU").original
    model.graph.initializer.append(numpy_helper.from_array(np.array([4], np.int32), "lengths"))
    model.graph.node[0].input[4] = "lengths"
    (line,) = [line for line in inspect(load(model), []).text().splitlines() if line.startswith("layer  ")][
        1:
    ]
    assert line.split()[:2] == ["layer", "GRU"]
    assert line.split()[-2:] == [str(27 * (6 + 9) + 2 * 27), "unknown"]

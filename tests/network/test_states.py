"""State is recognised where it provably comes back, and nowhere else."""

import numpy as np
import onnx
import pytest

from deltawave.errors import NetworkError
from deltawave.network import FloatReference, Network, as_streams, load, partition
from network.float_twin import TwinMachine
from network.onnx_models import constants, floats, model, node, streaming, value, weights

HIDDEN = 4


def stacked(rearrange: list[onnx.NodeProto], shape: list[int]) -> onnx.ModelProto:
    """An LSTM whose h and c come as one tensor `s` [2, 1, 4], and go out as `s_new` through the given nodes."""
    nodes = [
        node("Split", ["s"], ["h", "c"], axis=0),
        node(
            "LSTM",
            ["x", "W", "R", "B", "", "h", "c"],
            ["y", "h_new", "c_new"],
            name="lstm",
            hidden_size=HIDDEN,
        ),
        *rearrange,
    ]
    stored = weights(np.random.default_rng(0), "LSTM", 3, HIDDEN)
    axes = {
        "order": np.array([3, 2, 1, 0]),
        "wide": np.array([1, 2, HIDDEN]),
        "back": np.array([2, 1, HIDDEN]),
    }
    return model(
        nodes,
        [value("x", ["T", 1, 3]), value("s", [2, 1, HIDDEN])],
        [value("y", ["T", 1, 1, HIDDEN]), value("s_new", shape)],
        constants(**stored, **axes),
    )


def pairs(network: Network) -> list[tuple[str, str]]:
    return [(pair.input.name, pair.output.name) for pair in network.states]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_states_of_a_node(kind: str) -> None:
    network = load(streaming(kind))
    states = ["h", "c"] if kind == "LSTM" else ["h"]
    assert pairs(network) == [(state, f"{state}_new") for state in states]
    assert network.recurrent[0].carried
    assert [tensor.name for tensor in network.inputs] == ["x"]
    assert [tensor.name for tensor in network.outputs] == ["y"]


def test_a_stacked_state_is_followed_through_moves() -> None:
    rearrange = [
        node("Concat", ["h_new", "c_new"], ["both"], axis=0),
        node("Reshape", ["both", "wide"], ["flat"]),
        node("Reshape", ["flat", "back"], ["s_new"]),
    ]
    network = load(stacked(rearrange, [2, 1, HIDDEN]))
    assert pairs(network) == [("s", "s_new")]
    assert network.recurrent[0].carried


@pytest.mark.parametrize(
    ("rearrange", "why"),
    [
        ([node("Concat", ["c_new", "h_new"], ["s_new"], axis=0)], "h and c exchanged"),
        (
            [
                node("Concat", ["h_new", "c_new"], ["both"], axis=0),
                node("Gather", ["both", "order"], ["s_new"], axis=2),
            ],
            "elements in another order",
        ),
        ([node("Concat", ["h_new", "h_new"], ["s_new"], axis=0)], "c is lost"),
        (
            [node("Neg", ["c_new"], ["less"]), node("Concat", ["h_new", "less"], ["s_new"], axis=0)],
            "c is changed",
        ),
    ],
)
def test_what_does_not_come_back_unchanged_is_no_state(rearrange: list[onnx.NodeProto], why: str) -> None:
    network = load(stacked(rearrange, [2, 1, HIDDEN]))
    assert network.states == (), why
    assert not network.recurrent[0].carried


def test_a_declared_state_in_another_order_is_kept_but_not_carried() -> None:
    exchanged = stacked([node("Concat", ["c_new", "h_new"], ["s_new"], axis=0)], [2, 1, HIDDEN])
    network = load(exchanged, states={"s": "s_new"})
    assert pairs(network) == [("s", "s_new")]
    assert not network.recurrent[0].carried
    # the machine is given the state, and hands it back, in every call
    segments = partition(network, ["lstm"])
    x = floats(np.random.default_rng(0), 5, 1, 1, 3)
    (stream,) = as_streams(network, x)
    machine = TwinMachine(network, segments)
    for found, expected in zip(map(machine, stream), FloatReference(network).run(stream), strict=True):
        np.testing.assert_allclose(found["y"], expected["y"], rtol=1e-5, atol=1e-6)


def test_the_last_output_of_a_sequence_is_the_state() -> None:
    """y[-1] of a fixed number of steps, instead of y_h."""
    nodes = [
        node("GRU", ["x", "W", "R", "B", "", "h"], ["y"], name="gru", hidden_size=HIDDEN),
        node("Slice", ["y", "first", "last"], ["end"]),
        node("Squeeze", ["end", "zero"], ["h_new"]),
    ]
    stored = weights(np.random.default_rng(0), "GRU", 3, HIDDEN)
    for start, proven in ((-1, [("h", "h_new")]), (-2, [])):
        numbers = {"first": np.array([start]), "last": np.array([start + 1 or 99]), "zero": np.array([0])}
        network = load(
            model(
                nodes,
                [value("x", [5, 1, 3]), value("h", [1, 1, HIDDEN])],
                [value("y", [5, 1, 1, HIDDEN]), value("h_new", [1, 1, HIDDEN])],
                constants(**stored, **numbers),
            )
        )
        assert pairs(network) == proven


def test_a_free_batch_of_the_state_is_one_stream() -> None:
    free = streaming("GRU")
    for entry in [*free.graph.input, *free.graph.output]:
        dims = entry.type.tensor_type.shape.dim
        dims[2 if entry.name == "y" else 1].dim_param = "N"
    network = load(free)
    assert pairs(network) == [("h", "h_new")]
    assert network.states[0].shape == (1, 1, HIDDEN)


def test_a_network_that_hands_out_only_its_state_has_it_as_output() -> None:
    bare = streaming("GRU")
    del bare.graph.output[0]
    network = load(bare)
    assert pairs(network) == [("h", "h_new")]
    assert [tensor.name for tensor in network.outputs] == ["h_new"]


@pytest.mark.parametrize(
    ("states", "message"),
    [
        ({"hh": "h_new"}, "states names 'hh', which is not an input of the network; did you mean 'h'?"),
        (
            {"h": "new_h"},
            "states names 'new_h', which is not an output of the network; did you mean 'h_new'?",
        ),
        ({"h": "zebra"}, "states names 'zebra', which is not an output of the network; there are: h_new, y"),
        ({"h": "h_new", "x": "h_new"}, "states gives one output to two inputs"),
        (
            {"x": "h_new"},
            "states gives x, float32 ['T', 1, 3], the output h_new, float32 [1, 1, 4]; "
            "a state comes out as it goes in",
        ),
    ],
)
def test_declared_states_that_are_not_there(states: dict[str, str], message: str) -> None:
    with pytest.raises(NetworkError) as caught:
        load(streaming("GRU"), states=states)
    assert str(caught.value) == message

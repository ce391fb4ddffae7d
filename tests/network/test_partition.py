"""Machine and host together compute what the whole network does, in as few parts as the order allows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltawave
from deltawave.errors import NetworkError
from deltawave.machines.deltarnn import DELTARNN_ZYNQ7100
from deltawave.network import (
    FloatReference,
    HostSegment,
    MachineSegment,
    Network,
    as_streams,
    load,
    partition,
)
from network.float_twin import TwinMachine
from network.onnx_models import constants, floats, model, node, streaming, value, weights


def two_layers(kinds: tuple[str, str], *, streams: bool) -> Network:
    """Dense, recurrent, tanh, recurrent, dense; a side branch from the input to the output."""
    rng = np.random.default_rng(0)
    nodes = [node("MatMul", ["x", "d1"], ["a"], name="first")]
    inputs, outputs = [value("x", ["T", 1, 3])], [value("y", ["T", 1, 2])]
    stored = {"d1": floats(rng, 3, 4), "d2": floats(rng, 4, 2), "d3": floats(rng, 3, 2)}
    source = "a"
    for number, kind in enumerate(kinds):
        parts = {f"{key}{number}": array for key, array in weights(rng, kind, 4, 4).items()}
        states = [f"{state}{number}" for state in ("hc" if kind == "LSTM" else "h")] if streams else []
        results = [f"y{number}", *(f"{state}_new" for state in states)]
        read = [source, *parts, "", *states] if streams else [source, *parts]
        nodes.append(node(kind, read, results, name=f"layer{number}", hidden_size=4))
        nodes.append(node("Squeeze", [f"y{number}", "one"], [f"s{number}"], name=f"squeeze{number}"))
        nodes.append(node("Tanh", [f"s{number}"], [f"t{number}"], name=f"tanh{number}"))
        inputs += [value(state, [1, 1, 4]) for state in states]
        outputs += [value(f"{state}_new", [1, 1, 4]) for state in states]
        stored |= parts
        source = f"t{number}"
    nodes += [
        node("MatMul", [source, "d2"], ["main"], name="last"),
        node("MatMul", ["x", "d3"], ["side"], name="side"),
        node("Add", ["main", "side"], ["y"], name="sum"),
    ]
    return load(model(nodes, inputs, outputs, constants(**stored, one=np.array([1]))))


@given(
    st.sampled_from(["LSTM", "GRU", "RNN"]),
    st.sampled_from(["LSTM", "GRU", "RNN"]),
    st.sets(st.sampled_from(["layer0", "layer1"])),
    st.booleans(),
)
@settings(deadline=None, max_examples=30)
def test_the_parts_compute_what_the_whole_does(
    first: str, second: str, taken: set[str], streams: bool
) -> None:
    network = two_layers((first, second), streams=streams)
    segments = partition(network, taken)
    x = floats(np.random.default_rng(1), 4, 3, 1, 3)
    for stream in as_streams(network, x):
        machine = TwinMachine(network, segments)
        for found, expected in zip(map(machine, stream), FloatReference(network).run(stream), strict=True):
            np.testing.assert_allclose(found["y"], expected["y"], rtol=1e-5, atol=1e-6)


def test_host_parts_are_gathered() -> None:
    network = two_layers(("GRU", "LSTM"), streams=True)
    segments = partition(network, ["layer0", "layer1"])
    names = [
        [layer.name for layer in s.layers] if isinstance(s, HostSegment) else s.layer.name for s in segments
    ]
    assert names == [
        ["first", "side"],
        "layer0",
        ["squeeze0", "tanh0"],
        "layer1",
        ["squeeze1", "tanh1", "last", "sum"],
    ]


def test_carried_state_is_not_handed_about() -> None:
    network = load(streaming("LSTM"))
    (segment,) = partition(network, ["cell"])
    assert isinstance(segment, MachineSegment)
    assert segment.inputs == ("x",)
    assert segment.outputs == ("y", "", "")
    (host,) = partition(network, [])
    assert isinstance(host, HostSegment)
    assert set(host.inputs) == {"x", "h", "c"}
    assert set(host.outputs) == {"y", "h_new", "c_new"}


def test_a_constant_initial_state_comes_with_the_segment() -> None:
    stored = weights(np.random.default_rng(0), "GRU", 3, 4)
    gru = node("GRU", ["x", "W", "R", "B", "", "h"], ["y"], name="gru", hidden_size=4)
    start = np.full((1, 1, 4), 0.25, np.float32)
    network = load(
        model([gru], [value("x", ["T", 1, 3])], [value("y", ["T", 1, 1, 4])], constants(**stored, h=start))
    )
    (segment,) = partition(network, ["gru"])
    assert isinstance(segment, MachineSegment)
    assert segment.inputs == ("x", "h")
    assert np.array_equal(segment.constants["h"], start)
    (stream,) = as_streams(network, floats(np.random.default_rng(1), 5, 3))
    found = TwinMachine(network, (segment,))(stream[0])["y"]
    np.testing.assert_allclose(found, FloatReference(network).run(stream)[0]["y"], rtol=1e-5, atol=1e-6)


def test_an_initial_state_of_zeros_is_left_out() -> None:
    stored = weights(np.random.default_rng(0), "GRU", 3, 4)
    gru = node("GRU", ["x", "W", "R", "B", "", "h"], ["y"], name="gru", hidden_size=4)
    zeros = np.zeros((1, 1, 4), np.float32)
    network = load(
        model([gru], [value("x", ["T", 1, 3])], [value("y", ["T", 1, 1, 4])], constants(**stored, h=zeros))
    )
    assert network.recurrent[0].initial("h") == ""


def test_a_layer_that_is_not_there() -> None:
    with pytest.raises(NetworkError) as caught:
        partition(load(streaming("GRU")), ["cel"])
    assert str(caught.value) == "the network has no layer 'cel'; there are: cell"


def test_a_session_starts_from_a_constant_initial_state() -> None:
    stored = weights(np.random.default_rng(0), "GRU", 3, 4)
    gru = node("GRU", ["x", "W", "R", "B", "", "h"], ["y"], name="gru", hidden_size=4)
    start = np.full((1, 1, 4), 0.75, np.float32)
    network = load(
        model([gru], [value("x", ["T", 1, 3])], [value("y", ["T", 1, 1, 4])], constants(**stored, h=start))
    )
    x = floats(np.random.default_rng(1), 20, 3)
    program = deltawave.compile(network, DELTARNN_ZYNQ7100, calibration=x)
    found = program.session().step(x)["y"]
    (stream,) = as_streams(network, x)
    np.testing.assert_allclose(found, FloatReference(network).run(stream)[0]["y"], atol=0.05)

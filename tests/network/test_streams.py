"""A user's arrays become calls of the exact type and a legal shape."""

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from deltawave.errors import InputError
from deltawave.network import Network, as_streams, load
from network.onnx_models import constants, floats, model, node, sequence, streaming, value


def passing(*shapes: list[int | str], element: int = TensorProto.FLOAT) -> Network:
    """A network that only negates its inputs x0, x1, ..."""
    inputs = [value(f"x{number}", shape, element) for number, shape in enumerate(shapes)]
    outputs = [value(f"y{number}", shape, element) for number, shape in enumerate(shapes)]
    nodes = [node("Neg", [f"x{number}"], [f"y{number}"]) for number in range(len(shapes))]
    return load(model(nodes, inputs, outputs))


@pytest.mark.parametrize(
    ("declared", "given_shape", "calls", "call_shape"),
    [
        (["N", 49, 10], (49, 10), 1, (1, 49, 10)),
        (["N", 49, 10], (1, 49, 10), 1, (1, 49, 10)),
        (["N", 49, 10], (7, 49, 10), 7, (1, 49, 10)),
        ([1, 1, 257], (120, 257), 120, (1, 1, 257)),
        ([1, 1, 257], (257,), 1, (1, 1, 257)),
        ([1, 1, 257], (120, 1, 1, 257), 120, (1, 1, 257)),
        ([1, 576], (30, 576), 30, (1, 576)),
        ([1, 2, 8, 8], (5, 2, 8, 8), 5, (1, 2, 8, 8)),
        (["N", 3, "W"], (4, 3, 9), 4, (1, 3, 9)),
        ([2, 3], (2, 3), 1, (2, 3)),
        ([], (), 1, ()),
        ([], (6,), 6, ()),
    ],
)
def test_shapes(
    declared: list[int | str], given_shape: tuple[int, ...], calls: int, call_shape: tuple[int, ...]
) -> None:
    data = np.arange(np.prod(given_shape), dtype=np.float32).reshape(given_shape)
    streams = as_streams(passing(declared), data)
    arrays = [call["x0"] for stream in streams for call in stream]
    assert [array.shape for array in arrays] == [call_shape] * calls
    assert np.array_equal(np.concatenate([array.reshape(-1) for array in arrays]), data.reshape(-1))


@given(st.integers(1, 6), st.integers(1, 5), st.booleans())
@settings(deadline=None, max_examples=20)
def test_a_sequence_is_one_call_of_a_recurrent_network(steps: int, inputs: int, with_batch: bool) -> None:
    network = load(streaming("GRU", inputs))
    shape = (steps, 1, inputs) if with_batch else (steps, inputs)
    ((call,),) = as_streams(network, np.ones(shape))
    assert call["x"].shape == (steps, 1, inputs)
    assert call["x"].dtype == np.float32


def test_calls_of_one_array_are_one_stream_where_there_is_state() -> None:
    data = floats(np.random.default_rng(0), 5, 7, 1, 3)
    assert [len(stream) for stream in as_streams(load(streaming("GRU")), data)] == [5]
    assert [len(stream) for stream in as_streams(load(streaming("GRU")), [data, data[:2]])] == [5, 2]


def test_every_call_is_a_stream_where_there_is_none() -> None:
    network = load(sequence("GRU"))
    assert network.inputs[0].batch_axis == 1
    streams = as_streams(network, floats(np.random.default_rng(0), 6, 4, 3))
    assert [[call["x"].shape for call in stream] for stream in streams] == [[(6, 1, 3)]] * 4


def test_several_inputs_come_by_name() -> None:
    network = passing(["N", 2], [3])
    streams = as_streams(network, {"x0": np.ones((4, 2)), "x1": np.zeros((4, 3))})
    assert [[sorted(call) for call in stream] for stream in streams] == [[["x0", "x1"]]] * 4


def test_types_are_converted_where_nothing_is_lost() -> None:
    assert as_streams(passing([2]), np.array([1, 2]))[0][0]["x0"].dtype == np.float32
    narrow = as_streams(passing([2], element=TensorProto.INT8), np.array([-128, 127]))[0][0]["x0"]
    assert narrow.dtype == np.int8
    assert narrow.tolist() == [-128, 127]


@pytest.mark.parametrize("data", [np.ones((4, 3), np.float32).T, np.ones((3, 4), ">f4"), np.ones((3, 4))])
@pytest.mark.parametrize("declared", [[3, 4], ["N", 4], [4], [1, 4], [1, 3, 4]])
def test_calls_are_contiguous_and_of_the_exact_type(declared: list[int | str], data: np.ndarray) -> None:
    for stream in as_streams(passing(declared), data):
        for call in stream:
            assert call["x0"].flags.c_contiguous
            assert call["x0"].dtype == np.dtype("float32")


def test_a_frame_of_the_exact_type_and_shape_is_taken_as_it_is() -> None:
    frame = np.ones((1, 4), np.float32)
    assert np.shares_memory(as_streams(passing([1, 4]), frame)[0][0]["x0"], frame)


@pytest.mark.parametrize(
    ("network", "data", "message"),
    [
        (
            passing([2, 3]),
            np.ones((3, 3)),
            "the data for x0 has the shape [3, 3], the network takes [2, 3] for one call,"
            " or several of these along one more axis in front",
        ),
        (
            passing(["N", 3]),
            np.ones((2, 4)),
            "the data for x0 has the shape [2, 4], the network takes [N, 3] for one call,"
            " or several of these along one more axis in front",
        ),
        (passing([2]), np.zeros((0, 2)), "the data for x0 is empty: its shape is [0, 2]"),
        (passing([2]), [], "the data is an empty list; give at least one array"),
        (
            passing([2]),
            np.array([1, np.nan]),
            "the data for x0 is nan at [1]; every value must be finite",
        ),
        (
            passing([2]),
            np.array([1, np.nan], np.float32),
            "the data for x0 is nan at [1]; every value must be finite",
        ),
        (passing([2]), np.array([-np.inf, 1]), "the data for x0 is -inf at [0]; every value must be finite"),
        (passing([1]), np.array([1e300]), "the data for x0 holds values that float32 cannot hold"),
        (passing([2]), np.array(["a", "b"]), "the data for x0 is of type <U1, the network takes float32"),
        (
            passing([2], element=TensorProto.INT64),
            np.array([1.5, 2]),
            "the data for x0 is of type float64, the network takes int64",
        ),
        (
            passing([2], element=TensorProto.INT8),
            np.array([1, 128]),
            "the data for x0 holds values that int8 cannot hold",
        ),
        (
            passing([2]),
            {"x": np.ones(2)},
            "the data names 'x', which is not an input of the network; did you mean 'x0'?",
        ),
        (
            passing([2], [2]),
            {"x0": np.ones(2)},
            "the data for the input 'x1' is missing",
        ),
        (
            passing([2], [2]),
            np.ones(2),
            "the network has 2 inputs; give a dict of arrays by name: x0, x1",
        ),
        (
            passing([2], [2]),
            {"x0": np.ones((4, 2)), "x1": np.ones((3, 2))},
            "the inputs are for different numbers of calls: x0 4, x1 3",
        ),
    ],
)
def test_data_that_does_not_fit(network: Network, data: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        as_streams(network, data)
    assert str(caught.value) == message


def test_ragged_data() -> None:
    with pytest.raises(InputError) as caught:
        as_streams(passing([2]), {"x0": [[1, 2], [3]]})
    assert str(caught.value).startswith("the data for x0 is not a regular array: ")


def test_indices_outside_an_embedding_are_an_input_error() -> None:
    from deltawave.network import FloatReference

    gather: onnx.ModelProto = model(
        [node("Gather", ["table", "x"], ["y"], name="embedding")],
        [value("x", ["T"], TensorProto.INT64)],
        [value("y", ["T", 2])],
        constants(table=np.zeros((3, 2), np.float32)),
    )
    network = load(gather)
    (stream, *_) = as_streams(network, np.array([7]))
    with pytest.raises(InputError) as caught:
        FloatReference(network).run(stream)
    assert str(caught.value).startswith("the network cannot run on this input: ")

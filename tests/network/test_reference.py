"""The float reference runs the file's own graph, folds its state, and shows what recurrent layers see."""

import numpy as np
import onnxruntime

from deltawave.network import FloatReference, as_streams, capture, load
from network.onnx_models import floats, streaming
from network.written_cells import keras_lstm


def test_state_goes_from_call_to_call_and_starts_from_zero() -> None:
    original = streaming("LSTM")
    network = load(original)
    x = floats(np.random.default_rng(0), 6, 1, 1, 3)
    (stream,) = as_streams(network, x)
    session = onnxruntime.InferenceSession(original.SerializeToString())
    zeros = np.zeros((1, 1, 4), np.float32)
    whole = session.run(["y"], {"x": x[:, 0], "h": zeros, "c": zeros})[0]
    runner = FloatReference(network)
    for _ in range(2):
        # every run is a new stream
        found = np.concatenate([outputs["y"] for outputs in runner.run(stream)])
        np.testing.assert_allclose(found, whole, rtol=1e-6, atol=1e-7)


def test_only_the_network_s_outputs_come_back() -> None:
    network = load(streaming("GRU"))
    (stream,) = as_streams(network, np.ones((2, 1, 1, 3)))
    assert [sorted(outputs) for outputs in FloatReference(network).run(stream)] == [["y"], ["y"]]


def test_what_a_layer_sees_and_makes_is_captured() -> None:
    network = load(keras_lstm())
    (layer,) = network.recurrent
    x = floats(np.random.default_rng(0), 5, 1, 3)
    streams = as_streams(network, x)
    ((*seen,),) = capture(network, streams, [layer.x, layer.outputs[1]])
    assert np.array_equal(np.concatenate([values[layer.x] for values in seen]), x)
    outputs = FloatReference(network).run(streams[0])
    for values, output in zip(seen, outputs, strict=True):
        np.testing.assert_allclose(0.5 * values[layer.outputs[1]][0], output["y"], rtol=1e-5, atol=1e-6)

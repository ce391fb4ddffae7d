"""Real networks: their recurrent layers and states are found, and they still compute what their makers recorded.

They lie beside the project, in the folder that DELTAWAVE_SHARED names or in ../shared, and are never part of it.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from deltawave.network import Dense, FloatReference, Network, Opaque, as_streams, capture, load, partition
from network.float_twin import TwinMachine

MODELS = Path(os.environ.get("DELTAWAVE_SHARED", Path(__file__).parents[3] / "shared")) / "models"
SILERO = {"sr": 16000, "sequence": 576}


def real(path: str, **options: Any) -> Network:
    if not (MODELS / path).exists():
        pytest.skip(f"{MODELS / path} is not there; set DELTAWAVE_SHARED to the folder of shared material")
    return load(MODELS / path, **options)


def recorded(path: str) -> dict[str, np.ndarray]:
    with np.load(MODELS / path) as file:
        return dict(file)


def joined(network: Network, data: np.ndarray, output: str) -> np.ndarray:
    """One output of the float network for one stream, calls joined."""
    (stream,) = as_streams(network, data)
    return np.concatenate([outputs[output] for outputs in FloatReference(network).run(stream)])


RECURRENT = {
    "silero-vad/silero_vad_openvino_16k.onnx": [("LSTM", "128 -> 128")],
    "silero-vad/silero_vad_16k_op15.onnx": [("LSTM", "128 -> 128")],
    "DTLN/model_1.onnx": [("LSTM", "257 -> 128"), ("LSTM", "128 -> 128")],
    "DTLN/model_2.onnx": [("LSTM", "256 -> 128"), ("LSTM", "128 -> 128")],
    "charrnn-shakespeare/charrnn_shakespeare.onnx": [("LSTM", "128 -> 128")] * 2,
    "rnnoise-v0.1/rnnoise_v0.1.onnx": [("GRU", "24 -> 24"), ("GRU", "90 -> 48"), ("GRU", "114 -> 96")],
}
STATES = {
    "silero-vad/silero_vad_openvino_16k.onnx": {"state": "stateN"},
    "silero-vad/silero_vad_16k_op15.onnx": {"state": "stateN"},
    "DTLN/model_1.onnx": {"input_3": "tf_op_layer_stack_2"},
    "DTLN/model_2.onnx": {"input_5": "tf_op_layer_stack_5"},
    "charrnn-shakespeare/charrnn_shakespeare.onnx": {"h0": "hN0", "c0": "cN0", "h1": "hN1", "c1": "cN1"},
    "rnnoise-v0.1/rnnoise_v0.1.onnx": {
        f"{name}_gru_h": f"{name}_gru_hN" for name in ("vad", "noise", "denoise")
    },
}


@pytest.mark.parametrize("path", RECURRENT)
def test_streaming_networks(path: str) -> None:
    network = real(path, bind=SILERO if "op15" in path else {})
    assert [(layer.kind, layer.shape) for layer in network.recurrent] == RECURRENT[path]
    assert all(layer.carried for layer in network.recurrent)
    assert {pair.input.name: pair.output.name for pair in network.states} == STATES[path]
    assert len(network.inputs) == 1


@pytest.mark.parametrize(
    ("path", "kind", "shape"),
    [
        ("ml-kws-mcu/onnx/GRU_M_native.onnx", "GRU", "10 -> 250"),
        ("ml-kws-mcu/onnx/GRU_L_native.onnx", "GRU", "10 -> 400"),
        ("ml-kws-mcu/onnx/Basic_LSTM_M_native.onnx", "LSTM", "10 -> 214"),
        ("lstm-pynq/blstm_ocr_W8A8.onnx", "LSTM", "32 -> 128 x 2"),
        ("lstm-pynq/blstm_ocr_W2A2.onnx", "LSTM", "32 -> 128 x 2"),
    ],
)
def test_networks_of_whole_sequences(path: str, kind: str, shape: str) -> None:
    network = real(path)
    (layer,) = network.recurrent
    assert (layer.kind, layer.shape, layer.carried, network.states) == (kind, shape, False, ())


def test_the_voice_activity_detector_is_one_network_in_two_files() -> None:
    plain = real("silero-vad/silero_vad_openvino_16k.onnx")
    conditional = real("silero-vad/silero_vad_16k_op15.onnx", bind=SILERO)
    cells = [network.recurrent[0].cells[0] for network in (plain, conditional)]
    assert np.array_equal(cells[0].weights_h, cells[1].weights_h)
    assert "If" not in {layer.kind for layer in conditional.layers}
    frames = np.random.default_rng(0).standard_normal((20, 576)).astype(np.float32)
    left, right = joined(plain, frames, "output"), joined(conditional, frames, "output")
    np.testing.assert_allclose(left, right, rtol=0, atol=2e-6)


def test_the_denoiser() -> None:
    first, second = real("DTLN/model_1.onnx"), real("DTLN/model_2.onnx")
    golden = recorded("DTLN/golden.npz")
    mask = joined(first, golden["model1_in"], "activation_2")[:, 0]
    np.testing.assert_allclose(mask, golden["model1_mask"], rtol=0, atol=1e-5)
    frames = joined(second, golden["model2_in"], "conv1d_3")[:, 0]
    np.testing.assert_allclose(frames, golden["model2_out"], rtol=0, atol=1e-5)


def test_the_character_model() -> None:
    network = real("charrnn-shakespeare/charrnn_shakespeare.onnx")
    golden = recorded("charrnn-shakespeare/golden.npz")
    logits = joined(network, golden["chars"], "logits")
    np.testing.assert_allclose(logits, golden["logits"], rtol=0, atol=1e-4)


def test_the_noise_suppressor() -> None:
    network = real("rnnoise-v0.1/rnnoise_v0.1.onnx")
    features = recorded("rnnoise-v0.1/feat_p232_254.npz")
    gains = joined(network, features["features"], "gains")[:, 0]
    np.testing.assert_allclose(gains, features["gains"], rtol=0, atol=2e-5)


def test_the_reading_network() -> None:
    network = real("lstm-pynq/blstm_ocr_W2A2.onnx")
    golden = recorded("lstm-pynq/golden.npz")
    logits = joined(network, golden["columns_010084"], "logits")
    np.testing.assert_allclose(logits, golden["logits_W2A2_010084"], rtol=0, atol=1e-4)


def test_the_keyword_spotters() -> None:
    clips = None
    for name in ("GRU_L", "Basic_LSTM_M"):
        network = real(f"ml-kws-mcu/onnx/{name}_native.onnx")
        clips = clips or recorded("ml-kws-mcu/mfcc_public.npz")
        streams = as_streams(network, clips["mfcc"][:20])
        found = np.concatenate([FloatReference(network).run(stream)[0]["prob"] for stream in streams])
        np.testing.assert_allclose(found, clips[f"prob_{name}"][:20], rtol=0, atol=1e-5)


def test_an_lstm_with_a_projection_stays_on_the_host() -> None:
    network = real("ml-kws-mcu/onnx/LSTM_M.onnx")
    scan = next(layer for layer in network.layers if layer.kind == "Scan")
    assert isinstance(scan, Opaque)
    assert scan.why == "its body is not a plain LSTM, GRU or RNN cell"
    (segment,) = partition(network, [])
    assert len(segment.outputs) == 1


@pytest.mark.parametrize("path", [path for path in RECURRENT if "op15" not in path])
def test_machine_and_host_together_are_the_network(path: str) -> None:
    network = real(path)
    generator = np.random.default_rng(0)
    (tensor,) = network.inputs
    shape = [3, *(size if isinstance(size, int) else 2 for size in tensor.shape)]
    data: Any = generator.standard_normal(shape)
    if tensor.dtype == "int64":
        data = generator.integers(0, 60, shape)
    (stream,) = as_streams(network, data)
    machine = TwinMachine(network, partition(network, [layer.name for layer in network.recurrent]))
    for found, expected in zip(map(machine, stream), FloatReference(network).run(stream), strict=True):
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("mlperf-tiny/onnx/kws_ref_model.onnx", (3, 49, 10, 1)),
        ("mlperf-tiny/onnx/pretrainedResnet_quant.onnx", (3, 32, 32, 3)),
        ("mlperf-tiny/onnx/pretrainedResnet.onnx", (3, 32, 32, 3)),
        ("ml-kws-mcu/onnx/DS_CNN_M.onnx", (3, 49, 10)),
        ("dns-lenet/lenet5_sparse.onnx", (3, 1, 28, 28)),
        ("onnx-mnist/mnist-8.onnx", (3, 1, 28, 28)),
        ("squeezenet-deepcomp/squeezenet_deepcomp.onnx", (1, 3, 227, 227)),
    ],
)
def test_convolutional_networks_mean_the_same_in_canonical_form(path: str, shape: tuple[int, ...]) -> None:
    network = real(path)
    kinds = {layer.kind for layer in network.layers if not isinstance(layer, Opaque)}
    assert kinds & {"Conv"}
    generator = np.random.default_rng(0)
    data = generator.integers(-100, 100, shape).astype(network.inputs[0].dtype)
    names = [tensor.name for tensor in network.outputs]
    for stream in as_streams(network, data):
        expected, (found,) = FloatReference(network).run(stream), capture(network, [stream], names)
        for name in names:
            np.testing.assert_allclose(found[0][name], expected[0][name], rtol=1e-4, atol=1e-5)


def test_weights_of_a_quantised_network_are_read() -> None:
    network = real("mlperf-tiny/onnx/kws_ref_model.onnx")
    dense = [layer for layer in network.layers if isinstance(layer, Dense)]
    assert [layer.shape for layer in dense] == ["64 -> 12"]
    assert len(np.unique(dense[0].weights)) <= 256

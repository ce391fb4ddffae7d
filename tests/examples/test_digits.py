"""The shipped example is what its README says: accuracy, number formats, balance, streaming, front end."""

import re
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

DIGITS = Path(__file__).parents[2] / "examples" / "digits"
NETWORKS = ["gru", "lstm"]


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(DIGITS))


def initialisers(network):
    graph = onnx.load(DIGITS / f"digits_{network}.onnx").graph
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}


class Float:
    """A network in ONNX Runtime; `states` is what its last call left."""

    def __init__(self, network):
        self.session = onnxruntime.InferenceSession(DIGITS / f"digits_{network}.onnx")
        self.states = [np.zeros((1, 1, 128), np.float32) for _ in self.session.get_inputs()[1:]]

    def __call__(self, frames):
        names = [tensor.name for tensor in self.session.get_inputs()]
        tensors = [frames[:, np.newaxis], *self.states]
        logits, *self.states = self.session.run(None, dict(zip(names, tensors, strict=True)))
        return logits[:, 0]


@pytest.mark.parametrize("network", NETWORKS)
def test_accuracy_is_what_the_readme_says(network):
    test = np.load(DIGITS / "digits_test.npz")
    right = [
        Float(network)(f)[-1].argmax() == label
        for f, label in zip(test["frames"], test["labels"], strict=True)
    ]
    said = re.search(rf"`digits_{network}\.onnx`.*\| ([\d.]+) %", (DIGITS / "README.md").read_text())
    assert said is not None
    assert float(said[1]) == round(100 * np.mean(right), 1)


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_are_eight_bit_numbers(network):
    for name in "WRB":
        steps = initialisers(network)[name] * 128
        assert (steps == np.rint(steps)).all()
        assert steps.min() >= -128
        assert steps.max() <= 127


@pytest.mark.parametrize("name", ["W", "R"])
def test_every_element_has_one_weight_in_every_column_of_the_lstm(name):
    i, o, f, c = np.split(initialisers("lstm")[name][0], 4)
    stacked = np.concatenate([i, f, c, o])
    counts = (stacked != 0).reshape(8, 64, -1).sum(axis=0)
    assert (counts == 1).all()


@pytest.mark.parametrize("network", NETWORKS)
def test_a_clip_in_two_parts_gives_what_the_whole_gives(network):
    frames = np.load(DIGITS / "digits_test.npz")["frames"][0]
    whole, parts = Float(network), Float(network)
    together = np.concatenate([parts(frames[:33]), parts(frames[33:])])
    np.testing.assert_allclose(together, whole(frames), atol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_graph_is_one_recurrent_node_and_a_dense_layer(network):
    model = onnx.load(DIGITS / f"digits_{network}.onnx")
    assert (model.ir_version, model.opset_import[0].version) == (10, 17)
    assert [node.op_type for node in model.graph.node] == [network.upper(), "Squeeze", "MatMul", "Add"]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.usefixtures("scripts")
def test_seven_wav_is_a_seven(network):
    from features import log_mel, read_wav

    assert Float(network)(log_mel(read_wav(str(DIGITS / "seven.wav"))))[-1].argmax() == 7


@pytest.mark.usefixtures("scripts")
def test_frames_depend_on_their_own_samples_alone():
    from features import HOP_SAMPLES, log_mel, read_wav

    samples = read_wav(str(DIGITS / "seven.wav"))
    assert (log_mel(samples[5 * HOP_SAMPLES :]) == log_mel(samples)[5:]).all()


@pytest.mark.usefixtures("scripts")
def test_silence_is_zero_and_frames_are_multiples_of_a_64th():
    from features import MEL_BINS, log_mel

    assert (log_mel(np.zeros(800)) == np.zeros((3, MEL_BINS), np.float32)).all()
    steps = log_mel(np.random.default_rng(0).normal(size=800)) * 64
    assert steps.any()
    assert (steps == np.rint(steps)).all()


@pytest.mark.usefixtures("scripts")
def test_the_front_end_takes_16_khz_only(tmp_path):
    from features import read_wav
    from make_speech import write_wav

    data = (
        (DIGITS / "seven.wav")
        .read_bytes()
        .replace((16_000).to_bytes(4, "little"), (8_000).to_bytes(4, "little"), 1)
    )
    path = tmp_path / "slow.wav"
    path.write_bytes(data)
    with pytest.raises(ValueError) as error:
        read_wav(str(path))
    assert (
        str(error.value)
        == f"{path} has (rate, channels, bytes) = (8000, 1, 2); the digits need (16000, 1, 2)"
    )
    write_wav(path, np.array([0.0, 2.0, -0.5]))
    assert (read_wav(str(path)) * 32_768 == [0, 32_767, -16_384]).all()


@pytest.mark.usefixtures("scripts")
def test_no_test_voice_speaks_in_training():
    from make_speech import TEST_VARIANTS, TRAIN_VARIANTS

    assert not {name.lower() for name in TRAIN_VARIANTS} & {name.lower() for name in TEST_VARIANTS}

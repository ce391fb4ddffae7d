"""The real networks and inputs that benchmarks and long checks use, with their own front ends.

Nothing of it is part of the project: networks and recordings lie where DELTAWAVE_SHARED points (default ../shared).
"""

import gzip
import json
import os
import wave
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from onnxruntime import InferenceSession
from PIL import Image

from deltawave.report.metrics import Scoring

SHARED = Path(os.environ.get("DELTAWAVE_SHARED", Path(__file__).parents[2] / "shared"))


@dataclass(frozen=True)
class Case:
    """A network file and what it is run on. `labels`: one item a stream; `options`: what Brainwave needs to hold it."""

    name: str
    model: Path
    data: object
    calibration: object
    labels: list | None = None
    scoring: Scoring = field(default_factory=Scoring)
    options: dict[str, int] = field(default_factory=dict)


def samples(path: Path, rate: int = 16000) -> np.ndarray:
    """Mono float32 samples at `rate`: a recording at three times the rate is low-passed and decimated."""
    with wave.open(str(path)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
        factor = file.getframerate() // rate
    if factor == 1:
        return pcm
    n = np.arange(-48, 49)
    low_pass = np.sinc(n / factor) / factor * np.hamming(len(n))
    return np.convolve(pcm, low_pass, "same")[::factor].astype(np.float32)


def windows(signal: np.ndarray, size: int, hop: int, context: int = 0) -> np.ndarray:
    """[calls, size] windows `hop` apart; `context` zeros are put in front."""
    padded = np.concatenate([np.zeros(context, np.float32), signal])
    return np.lib.stride_tricks.sliding_window_view(padded, size)[::hop].copy()


def silero_vad() -> Case:
    """Voice activity: 16 kHz recordings with speech marked, a probability every 512 samples."""
    folder, streams, labels = SHARED / "data" / "vad-testset", [], []
    for path in sorted(folder.glob("*.wav")):
        frames = windows(samples(path), 576, 512, 64)
        streams.append(frames)
        labels.append(speech_marks(path.with_suffix(".scv"), len(frames)))
    model = SHARED / "models" / "silero-vad" / "silero_vad_openvino_16k.onnx"
    return Case("silero-vad", model, streams, streams[0], labels, Scoring(metric="binary"))


def speech_marks(path: Path, frames: int) -> np.ndarray:
    """1 where more than half of a 32 ms frame is speech. The file: name, then begin, end, is-speech, in seconds."""
    fields = path.read_text().strip().split(",")[1:]
    marks = np.array([float(value) for value in fields]).reshape(-1, 3)
    centres = (np.arange(frames) + 0.5) * 512 / 16000
    inside = (centres[:, None] >= marks[:, 0]) & (centres[:, None] < marks[:, 1])
    return (inside * marks[:, 2]).sum(axis=1).astype(np.int64)


def dtln_frames() -> list[np.ndarray]:
    """Noisy speech in windows of 512 samples every 128."""
    paths = sorted((SHARED / "data" / "vctk-noisy" / "noisy").glob("*.wav"))
    return [windows(samples(path), 512, 128, 384) for path in paths]


def dtln_mask() -> Case:
    """First half of the denoiser: a mask for the magnitude spectrum."""
    streams = [np.abs(np.fft.rfft(frames)).astype(np.float32) for frames in dtln_frames()]
    return Case("dtln-1", SHARED / "models" / "DTLN" / "model_1.onnx", streams, streams[0])


def dtln_signal() -> Case:
    """Second half of the denoiser, on the golden frames that the float first half made."""
    golden = np.load(SHARED / "models" / "DTLN" / "golden.npz")["model2_in"]
    return Case("dtln-2", SHARED / "models" / "DTLN" / "model_2.onnx", golden, golden)


def keyword_spotter(name: str) -> Callable[[], Case]:
    """1,200 labelled clips; every tenth calibrates."""

    def case() -> Case:
        folder = SHARED / "models" / "ml-kws-mcu"
        clips = np.load(folder / "mfcc_public.npz")
        model = folder / "onnx" / f"{name}_native.onnx"
        return Case(name, model, clips["mfcc"], clips["mfcc"][::10], clips["label"].tolist())

    return case


def rnnoise() -> Case:
    """Noise suppressor on real features."""
    folder = SHARED / "models" / "rnnoise-v0.1"
    streams = [np.load(folder / f"feat_{name}.npz")["features"] for name in ("p232_254", "noisy_snr0")]
    return Case("rnnoise", folder / "rnnoise_v0.1.onnx", streams, streams[0])


def character_model() -> Case:
    """Next character of Shakespeare."""
    folder = SHARED / "models" / "charrnn-shakespeare"
    numbers = json.loads((folder / "vocab_fixed.json").read_text())
    text = (SHARED / "data" / "text" / "tinyshakespeare.txt").read_text()[-4000:]
    tokens = np.array([[numbers[letter]] for letter in text], np.int64)
    model = folder / "charrnn_shakespeare.onnx"
    return Case("charrnn", model, tokens, tokens[:1000], None, Scoring(metric="next-token"))


def ocr(variant: str) -> Callable[[], Case]:
    """Five lines of print, read by a bidirectional LSTM."""

    def case() -> Case:
        folder = SHARED / "models" / "lstm-pynq"
        golden, truth = np.load(folder / "golden.npz"), json.loads((folder / "ground_truth.json").read_text())
        alphabet = tuple((folder / "alphabet.txt").read_text().split("\n"))[:82]
        lines = [golden[f"columns_{number}"] for number in truth]
        scoring = Scoring(metric="ctc", alphabet=alphabet, blank=0)
        return Case(
            f"ocr-{variant}",
            folder / f"blstm_ocr_{variant}.onnx",
            lines,
            lines[0],
            [*truth.values()],
            scoring,
        )

    return case


def digits(folder: str, name: str, white: float) -> Callable[[], Case]:
    """10,000 handwritten digits, white is so much."""

    def case() -> Case:
        data = SHARED / "data" / "mnist"
        pixels = gzip.decompress((data / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
        labels = gzip.decompress((data / "t10k-labels-idx1-ubyte.gz").read_bytes())[8:]
        images = np.frombuffer(pixels, np.uint8).reshape(-1, 1, 28, 28) * np.float32(white / 255)
        return Case(name, SHARED / "models" / folder / f"{name}.onnx", images, None, [*labels])

    return case


def convolutional_spotter(name: str) -> Callable[[], Case]:
    """The clips of `keyword_spotter`."""

    def case() -> Case:
        clips = keyword_spotter("GRU_M")()
        return replace(clips, name=name, model=clips.model.with_name(f"{name}.onnx"))

    return case


def reference_spotter() -> Case:
    """The same clips; its twelve classes are in another order, and it was trained with another front end."""
    clips = keyword_spotter("GRU_M")()
    place = [10, 11, 9, 3, 8, 0, 2, 6, 5, 4, 7, 1]
    model = SHARED / "models" / "mlperf-tiny" / "onnx" / "kws_ref_model_float32.onnx"
    labels = [place[label] for label in clips.labels]
    return Case("kws_ref", model, clips.data[..., np.newaxis], None, labels)


def photographs(size: int) -> tuple[np.ndarray, list[int]]:
    """A hundred photographs, float32 [100, 256, 256, 3] from 0 to 255, scaled to `size`, and their ImageNet classes."""
    folder = SHARED / "data" / "imagenet-sample"
    entries = json.loads((folder / "public_labels_and_reference.json").read_text())
    opened = [Image.open(folder / "public" / entry["file"]).convert("RGB") for entry in entries]
    images = np.stack([np.asarray(image.resize((size, size)), np.float32) for image in opened])
    return images, [entry["label"] for entry in entries]


def squeezenet() -> Case:
    """The middle of a hundred photographs as Caffe has them: blue, green, red, the means taken off."""
    images, labels = photographs(256)
    middle = images[:, 14:241, 14:241, ::-1] - np.float32([104, 117, 123])
    model = SHARED / "models" / "squeezenet-deepcomp" / "squeezenet_deepcomp.onnx"
    data = np.ascontiguousarray(middle.transpose(0, 3, 1, 2))
    return Case("squeezenet", model, data, None, labels, options={"initial_vrf_entries": 66_100})


def resnet8() -> Case:
    """A hundred photographs as small as CIFAR-10's. Few show what it knows, so the labels are its own classes."""
    model, images = SHARED / "models" / "mlperf-tiny" / "onnx" / "pretrainedResnet.onnx", photographs(32)[0]
    (said,) = InferenceSession(model).run(None, {"input_1": images})
    return Case("resnet8", model, images, None, said.argmax(axis=1).tolist())


CASES: dict[str, Callable[[], Case]] = {
    "silero-vad": silero_vad,
    "dtln-1": dtln_mask,
    "dtln-2": dtln_signal,
    "GRU_M": keyword_spotter("GRU_M"),
    "GRU_L": keyword_spotter("GRU_L"),
    "Basic_LSTM_M": keyword_spotter("Basic_LSTM_M"),
    "rnnoise": rnnoise,
    "charrnn": character_model,
    "ocr-W8A8": ocr("W8A8"),
    "ocr-W2A2": ocr("W2A2"),
}
"""Recurrent networks."""
CONVOLUTIONAL: dict[str, Callable[[], Case]] = {
    "lenet5_original": digits("dns-lenet", "lenet5_original", 255 / 256),
    "lenet5_sparse": digits("dns-lenet", "lenet5_sparse", 255 / 256),
    "lenet300100_original": digits("dns-lenet", "lenet300100_original", 255 / 256),
    "lenet300100_sparse": digits("dns-lenet", "lenet300100_sparse", 255 / 256),
    "mnist-8": digits("onnx-mnist", "mnist-8", 255),
    "CNN_M": convolutional_spotter("CNN_M"),
    "DS_CNN_M": convolutional_spotter("DS_CNN_M"),
    "kws_ref": reference_spotter,
    "resnet8": resnet8,
    "squeezenet": squeezenet,
}
"""Networks that keep no state."""

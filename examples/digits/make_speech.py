"""Spoken digits: espeak-ng says them, noise and gain vary them, features.py turns them into frames.

    python make_speech.py      # about a minute; needs espeak-ng on the path

Writes digits_test.npz, digits_calibration.npz and seven.wav here, and build/train.npz, which is too large to ship.
A test voice never speaks in training: the split is by espeak-ng's voice variant (the speaker's size and sound).
"""

import io
import re
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from features import CLIP_FRAMES, SAMPLE_RATE_HZ, Floats, clip_samples, log_mel
from numpy.typing import NDArray

HERE = Path(__file__).parent
SEED = 2026
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ACCENTS = ("en-us", "en-gb", "en-gb-scotland", "en-gb-x-rp", "en-029", "en-us-nyc")
PLAIN = ""  # the accent's own voice
TRAIN_VARIANTS = (
    "m1", "m2", "m3", "m4", "m6", "m8", "f1", "f2", "f4", "Alex", "Andrea", "Annie", "antonio", "benjamin",
    "boris", "caleb", "Denis", "Diogo", "ed", PLAIN, "Gene", "gustave", "Henrique", "iven", "Jacky",
    "kaukovalta", "Lee", "linda", "Marco", PLAIN, "max", "Michael", "Nguyen", "pablo", "quincy", "robert",
    "sandro", "shelby", "Storm", "victor", "zac", "anika", "grandma", "norbert",
)  # fmt: skip
TEST_VARIANTS = ("m5", "m7", "f3", "f5", "Alicia", "belinda", "david", "john", "Mike", "paul")
QUIET = 0.02  # of the peak: silence that is cut off
TAIL_SAMPLES = 800  # left after the word, if it is short enough
TRAIN_CLIPS, TEST_CLIPS, CALIBRATION_CLIPS = 4800, 200, 32

Clips = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class Take:
    """One utterance: who says which digit, how fast (words a minute) and how high (espeak-ng's 0 to 99)."""

    digit: int
    accent: str
    variant: str
    speed: int
    pitch: int


def draw_take(rng: np.random.Generator, digit: int, variants: tuple[str, ...]) -> Take:
    return Take(
        digit,
        str(rng.choice(ACCENTS)),
        str(rng.choice(variants)),
        int(rng.integers(120, 221)),
        int(rng.integers(20, 81)),
    )


def say(take: Take) -> Floats:
    """The utterance at 16 kHz without the silence around it, peak 1."""
    voice = f"{take.accent}+{take.variant}"
    manner = ["-v", voice, "-s", str(take.speed), "-p", str(take.pitch)]
    command = ["espeak-ng", *manner, "--stdout", WORDS[take.digit]]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        rate_hz = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
    return trim(resample(samples / np.abs(samples).max(), rate_hz))


def resample(samples: Floats, rate_hz: int) -> Floats:
    """To 16 kHz, by cutting the spectrum."""
    length = round(len(samples) * SAMPLE_RATE_HZ / rate_hz)
    spectrum = np.fft.rfft(samples)[: length // 2 + 1]
    return np.fft.irfft(spectrum, length) * length / len(samples)


def trim(samples: Floats) -> Floats:
    loud = np.flatnonzero(np.abs(samples) > QUIET)
    return samples[loud[0] : loud[-1] + 1]


def record(rng: np.random.Generator, speech: Floats) -> Floats:
    """A clip of fixed length: the utterance somewhere in it, white noise 30 to 50 dB below its peak, a gain."""
    clip = np.zeros(clip_samples(CLIP_FRAMES))
    start = rng.integers(0, max(1, len(clip) - len(speech) - TAIL_SAMPLES))
    clip[start : start + len(speech)] = speech[: len(clip) - start]
    noise = rng.normal(size=len(clip)) * 10.0 ** (rng.uniform(-50.0, -30.0) / 20.0)
    gain = 10.0 ** (rng.uniform(-10.0, -1.0) / 20.0)
    return gain * (clip + noise)


def make_clips(rng: np.random.Generator, count: int, variants: tuple[str, ...]) -> Clips:
    """So many clips, the digits in turn: frames float32 [clips, 80, 40], labels int64 [clips]."""
    labels = np.arange(count) % len(WORDS)
    takes = [draw_take(rng, int(digit), variants) for digit in labels]
    return np.stack([log_mel(record(rng, say(take))) for take in takes]), labels


def write_wav(path: Path, samples: Floats) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(np.rint(np.clip(samples, -1.0, 1.0) * 32_767).astype("<i2").tobytes())


def check_variants() -> None:
    """espeak-ng itself takes an unknown variant for the plain voice."""
    command = ["espeak-ng", "--voices=variant"]
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    known = {PLAIN, *re.findall(r"!v/(\S+)", listing)}
    unknown = {*TRAIN_VARIANTS, *TEST_VARIANTS} - known
    if unknown:
        raise ValueError(f"this espeak-ng lacks the voice variants {', '.join(sorted(unknown))}")


def main() -> None:
    check_variants()
    (HERE / "build").mkdir(exist_ok=True)
    rng = np.random.default_rng(SEED)
    frames, labels = make_clips(rng, TRAIN_CLIPS, TRAIN_VARIANTS)
    np.savez_compressed(HERE / "build/train.npz", frames=frames, labels=labels)
    np.savez_compressed(
        HERE / "digits_calibration.npz", frames=frames[:CALIBRATION_CLIPS], labels=labels[:CALIBRATION_CLIPS]
    )
    frames, labels = make_clips(rng, TEST_CLIPS, TEST_VARIANTS)
    np.savez_compressed(HERE / "digits_test.npz", frames=frames, labels=labels)
    seven = say(Take(digit=7, accent="en-gb", variant="f3", speed=150, pitch=50))
    write_wav(HERE / "seven.wav", record(rng, seven))


if __name__ == "__main__":
    main()

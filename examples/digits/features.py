"""The front end of the spoken digits: 16 kHz samples to frames of 40 log-mel energies, in plain NumPy.

    python features.py seven.wav seven.npz     # frames float32 [1, 80, 40], as digits_test.npz has them

A frame every 10 ms over a Hann window of 25 ms. The constants are fixed, so a frame depends on its own samples
alone: it streams. Frames are multiples of 1/64, as a front end in hardware would give them, and exact in Q8.8.
"""

import argparse
import wave

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
WINDOW_SAMPLES = 400
HOP_SAMPLES = 160
FFT_SAMPLES = 512
MEL_BINS = 40
LOWEST_HZ, HIGHEST_HZ = 60.0, 7_600.0
CLIP_FRAMES = 80

# log(1 + energy / FLOOR) runs from 0 (silence, noise too faint to be worth sending) to about 11 (a loud vowel)
FLOOR = 0.1
SCALE = 0.5
STEPS = 64

Floats = NDArray[np.float64]


def clip_samples(frames: int) -> int:
    """Samples that give so many frames."""
    return WINDOW_SAMPLES + (frames - 1) * HOP_SAMPLES


def log_mel(samples: Floats) -> NDArray[np.float32]:
    """Samples in [-1, 1) at 16 kHz -> frames float32 [1 + (samples - 400) // 160, 40], from 0 to about 6."""
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW_SAMPLES)[::HOP_SAMPLES]
    spectrum = np.fft.rfft(windows * np.hanning(WINDOW_SAMPLES), FFT_SAMPLES)
    energy = np.abs(spectrum) ** 2 @ mel_filters().T
    frames = SCALE * np.log1p(energy / FLOOR)
    return (np.rint(frames * STEPS) / STEPS).astype(np.float32)


def mel_filters() -> Floats:
    """Triangles of height 1, evenly spaced in mel = 2595 log10(1 + f / 700): [bins, 257]."""
    edges_mel = np.linspace(_mel(LOWEST_HZ), _mel(HIGHEST_HZ), MEL_BINS + 2)
    edges_hz = 700.0 * (10.0 ** (edges_mel / 2595.0) - 1.0)
    low, peak, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    hz = np.fft.rfftfreq(FFT_SAMPLES, 1.0 / SAMPLE_RATE_HZ)
    return np.maximum(0.0, np.minimum((hz - low) / (peak - low), (high - hz) / (high - peak)))


def read_wav(path: str) -> Floats:
    """The samples of a 16 kHz mono 16-bit file, in [-1, 1). Raises ValueError for any other kind."""
    with wave.open(path, "rb") as file:
        kind = file.getframerate(), file.getnchannels(), file.getsampwidth()
        data = file.readframes(file.getnframes())
    if kind != (SAMPLE_RATE_HZ, 1, 2):
        raise ValueError(f"{path} has (rate, channels, bytes) = {kind}; the digits need (16000, 1, 2)")
    return np.frombuffer(data, "<i2") / 32_768.0


def _mel(hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hz / 700.0))


def main() -> None:
    parser = argparse.ArgumentParser(description="A 16 kHz mono wav into frames for the digit networks.")
    parser.add_argument("wav")
    parser.add_argument("npz")
    options = parser.parse_args()
    np.savez_compressed(options.npz, frames=log_mel(read_wav(options.wav))[np.newaxis])


if __name__ == "__main__":
    main()

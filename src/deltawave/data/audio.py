"""Recordings: samples of .wav files, and the frames that networks take of them."""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from deltawave.errors import InputError

Floats = NDArray[np.float32]
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE


def read_wav(data: bytes, place: str) -> tuple[Floats, int]:
    """Samples from -1 to 1, float32 [samples], and their rate in Hz.

    16-bit PCM or 32-bit float, one channel. Raises InputError for anything else, `place` naming the file.
    """
    chunks = dict(_chunks(data, place))
    if len(chunks.get(b"fmt ", b"")) < 16 or b"data" not in chunks:
        raise InputError(f"{place} is a damaged .wav file: it lacks its format or its samples")
    kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
    if kind == EXTENSIBLE and len(chunks[b"fmt "]) >= 26:
        kind = struct.unpack_from("<H", chunks[b"fmt "], 24)[0]
    if channels != 1:
        raise InputError(f"{place} has {channels} channels; mix it down to one")
    if (kind, bits) not in ((PCM, 16), (FLOAT, 32)):
        raise InputError(
            f"{place} has {bits}-bit samples of format {kind}; convert it to 16-bit PCM or 32-bit float"
        )
    return _samples(chunks[b"data"], kind, place), rate_hz


def _samples(data: bytes, kind: int, place: str) -> Floats:
    size = 2 if kind == PCM else 4
    if not data or len(data) % size:
        raise InputError(f"{place} is a damaged .wav file: {len(data)} bytes are no {size}-byte samples")
    if kind == PCM:
        return (np.frombuffer(data, "<i2") / np.float32(32768)).astype(np.float32)
    samples = np.frombuffer(data, "<f4").astype(np.float32)
    if not np.isfinite(samples).all():
        raise InputError(f"{place} has samples that are no finite numbers")
    return samples


def _chunks(data: bytes, place: str) -> Iterator[tuple[bytes, bytes]]:
    """(name, contents) of every chunk of a RIFF file."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise InputError(f"{place} is not a .wav file")
    position = 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        position += 8
        if position + size > len(data):
            raise InputError(f"{place} is truncated: a chunk of {size} bytes has {len(data) - position}")
        yield name, data[position : position + size]
        position += size + size % 2


def windows(samples: Floats, size: int, hop: int, place: str) -> Floats:
    """Frames of the last `size` samples after every `hop` new ones, float32 [frames, size].

    Before the recording there is silence; samples after the last whole hop are left out. Raises InputError.
    """
    if not 1 <= hop <= size:
        raise InputError(f"a hop of {hop} samples does not fit windows of {size}; it goes from 1 to {size}")
    if len(samples) < hop:
        raise InputError(f"{place} has {len(samples)} samples, one window needs {hop} new ones")
    padded = np.concatenate([np.zeros(size - hop, np.float32), samples])
    return np.ascontiguousarray(sliding_window_view(padded, size)[::hop])


def magnitudes(frames: Floats) -> Floats:
    """Magnitudes of the discrete Fourier transform, [frames, size] -> [frames, size / 2 + 1]."""
    return np.abs(np.fft.rfft(frames, axis=-1)).astype(np.float32)

"""Recordings: every format that is read, exactly, and frames of them."""

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.data.audio import magnitudes, read_wav, windows
from deltawave.errors import InputError

SAMPLES = np.array([0, 1, -1, 32767, -32768], np.int16)


def pcm(samples: np.ndarray = SAMPLES, channels: int = 1, width: int = 2, rate: int = 16000) -> bytes:
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return stream.getvalue()


def riff(form: bytes, data: bytes) -> bytes:
    chunks = b"".join(
        struct.pack("<4sI", name, len(body)) + body + b"\0" * (len(body) % 2)
        for name, body in ((b"fmt ", form), (b"LIST", b"odd"), (b"data", data))
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def float_form(kind: int = 3) -> bytes:
    return struct.pack("<HHIIHH", kind, 1, 8000, 32000, 4, 32)


def test_pcm_is_read_exactly() -> None:
    samples, rate = read_wav(pcm(), "a.wav")
    assert rate == 16000
    assert samples.dtype == np.float32
    assert np.array_equal(samples * 32768, SAMPLES)


def test_floats_and_extensible_formats_are_read_past_other_chunks() -> None:
    floats = np.array([0.25, -1.0], np.float32)
    assert np.array_equal(read_wav(riff(float_form(), floats.tobytes()), "a.wav")[0], floats)
    extensible = float_form(0xFFFE) + struct.pack("<HHIH14s", 22, 32, 4, 3, bytes(14))
    assert np.array_equal(read_wav(riff(extensible, floats.tobytes()), "a.wav")[0], floats)


REFUSALS = {
    "text": (b"hello", "a.wav is not a .wav file"),
    "stereo": (pcm(np.repeat(SAMPLES, 2), channels=2), "a.wav has 2 channels; mix it down to one"),
    "8 bits": (
        pcm(SAMPLES.astype(np.uint8), width=1),
        "a.wav has 8-bit samples of format 1; convert it to 16-bit PCM or 32-bit float",
    ),
    "no samples": (riff(float_form(), b""), "a.wav is a damaged .wav file: 0 bytes are no 4-byte samples"),
    "half a sample": (
        riff(float_form(), b"123"),
        "a.wav is a damaged .wav file: 3 bytes are no 4-byte samples",
    ),
    "not a number": (
        riff(float_form(), np.array([np.nan], np.float32).tobytes()),
        "a.wav has samples that are no finite numbers",
    ),
    "short format": (riff(b"", b"1234"), "a.wav is a damaged .wav file: it lacks its format or its samples"),
    "truncated": (pcm()[:-2], "a.wav is truncated: a chunk of 10 bytes has 8"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_other_files_are_refused(case: str) -> None:
    data, message = REFUSALS[case]
    with pytest.raises(InputError) as refused:
        read_wav(data, "a.wav")
    assert str(refused.value) == message


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_damaged_files_are_refused_or_read(data: st.DataObject) -> None:
    damaged = bytearray(riff(float_form(), np.ones(4, np.float32).tobytes()))
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    try:
        samples, _ = read_wav(bytes(damaged[: data.draw(st.integers(0, len(damaged)))]), "a.wav")
    except InputError:
        return
    assert np.isfinite(samples).all()


def test_windows_hold_the_newest_samples_after_silence() -> None:
    frames = windows(np.arange(1, 8, dtype=np.float32), 4, 2, "a.wav")
    assert frames.tolist() == [[0, 0, 1, 2], [1, 2, 3, 4], [3, 4, 5, 6]]
    assert windows(np.arange(1, 5, dtype=np.float32), 2, 2, "a.wav").tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("size", "hop", "message"),
    [
        (4, 5, "a hop of 5 samples does not fit windows of 4; it goes from 1 to 4"),
        (4, 0, "a hop of 0 samples does not fit windows of 4; it goes from 1 to 4"),
        (9, 9, "a.wav has 3 samples, one window needs 9 new ones"),
    ],
)
def test_windows_that_make_no_sense_are_refused(size: int, hop: int, message: str) -> None:
    with pytest.raises(InputError) as refused:
        windows(np.ones(3, np.float32), size, hop, "a.wav")
    assert str(refused.value) == message


def test_the_magnitude_of_a_pure_tone_is_one_bin() -> None:
    tone = np.cos(2 * np.pi * 3 * np.arange(16) / 16).astype(np.float32)
    assert np.round(magnitudes(tone[None]), 5).tolist() == [[0, 0, 0, 8, 0, 0, 0, 0, 0]]

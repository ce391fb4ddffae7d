"""TIMIT's files, made up: phones, their classes, the 39 that are scored, SPHERE recordings."""

from pathlib import Path

import numpy as np
import pytest

from deltawave.data.timit import PHONES, folded, frame_classes, read_phones, read_sphere
from deltawave.errors import InputError

SAMPLES = np.array([0, 16384, -32768, 1], "<i2")


def sphere(path: Path, **changes: str) -> Path:
    fields = {
        "channel_count": "-i 1",
        "sample_rate": "-i 16000",
        "sample_n_bytes": "-i 2",
        "sample_byte_format": "-s2 01",
        **changes,
    }
    lines = ["NIST_1A", "   1024", *(f"{name} {value}" for name, value in fields.items()), "end_head"]
    path.write_bytes("\n".join(lines).encode().ljust(1024) + SAMPLES.tobytes())
    return path


def test_there_are_61_phones_and_39_of_them_are_scored() -> None:
    assert len(set(PHONES)) == 61
    assert len({name for phone in PHONES for name in folded([phone])}) == 39


def test_phones_and_their_frames(tmp_path: Path) -> None:
    path = tmp_path / "SA1.PHN"
    path.write_text("0 300 h#\n300 520 sh\n520 800 iy\n")
    phones = read_phones(path)
    assert [(phone.begin, phone.end, phone.name) for phone in phones] == [
        (0, 300, "h#"),
        (300, 520, "sh"),
        (520, 800, "iy"),
    ]
    classes = frame_classes(phones, frames=6, hop=160)
    assert [PHONES[number] if number >= 0 else "" for number in classes] == ["h#", "h#", "sh", "iy", "iy", ""]


def test_folding_merges_leaves_out_and_says_repetitions_once() -> None:
    assert folded(["h#", "pau", "ix", "q", "ih", "nx", "zh", "h#"]) == ["sil", "ih", "n", "sh", "sil"]
    assert folded([]) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", " has no phones"),
        ("0 5 h#\n3 9 iy\n", ", line 2: iy begins before the phone before it has ended"),
        ("0 5 hash\n", ", line 1: 'hash' is no phone of TIMIT"),
        ("5 5 iy\n", ", line 1: '5 5 iy' is not a first sample, a last sample and a phone"),
        ("0 iy\n", ", line 1: '0 iy' is not a first sample, a last sample and a phone"),
    ],
)
def test_damaged_phones(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.PHN"
    path.write_text(text)
    with pytest.raises(InputError) as refused:
        read_phones(path)
    assert str(refused.value) == f"{path}{message}"


def test_sphere_recordings(tmp_path: Path) -> None:
    samples, rate_hz = read_sphere(sphere(tmp_path / "SA1.WAV"))
    assert samples.tolist() == [0.0, 0.5, -1.0, 1 / 32768]
    assert rate_hz == 16000


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"channel_count": "-i 2"}, " has channel_count 2, not 1; convert it to .wav"),
        ({"sample_coding": "-s8 ulaw"}, " has sample_coding ulaw, not pcm; convert it to .wav"),
        ({"sample_rate": "-i fast"}, " is a damaged SPHERE file"),
    ],
)
def test_other_recordings(tmp_path: Path, changes: dict[str, str], message: str) -> None:
    path = sphere(tmp_path / "a.WAV", **changes)
    with pytest.raises(InputError) as refused:
        read_sphere(path)
    assert str(refused.value) == f"{path}{message}"


def test_no_sphere_file(tmp_path: Path) -> None:
    path = tmp_path / "a.WAV"
    path.write_bytes(b"RIFF")
    with pytest.raises(InputError) as refused:
        read_sphere(path)
    assert (
        str(refused.value)
        == f"{path} is not a SPHERE file; TIMIT's recordings are, .wav files are read as such"
    )
    path.write_bytes(b"NIST_1A\n")
    with pytest.raises(InputError) as refused:
        read_sphere(path)
    assert str(refused.value) == f"{path} is a damaged SPHERE file"

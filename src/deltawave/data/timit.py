"""TIMIT: its recordings and phones, for those who have the corpus (LDC93S1), which is not public.

A recording is a NIST SPHERE file of 16-bit samples at 16 kHz; beside it lies a .PHN file with a line a phone: first
sample, the sample behind the last, name. Trained on 61 phones, networks are scored on 39 (Lee and Hon, 1989).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deltawave.data.audio import Floats
from deltawave.errors import InputError
from deltawave.files import PathLike, contents, text_of

NAMES = (
    "aa ae ah ao aw ax ax-h axr ay b bcl ch d dcl dh dx eh el em en eng epi er ey f g gcl h# hh hv ih ix iy jh k kcl l "
    "m n ng nx ow oy p pau pcl q r s sh t tcl th uh uw ux v w y z zh"
)
PHONES = tuple(NAMES.split())
SILENCE = "sil"
MERGED = {
    "aa": ("ao",),
    "ah": ("ax", "ax-h"),
    "er": ("axr",),
    "hh": ("hv",),
    "ih": ("ix",),
    "l": ("el",),
    "m": ("em",),
    "n": ("en", "nx"),
    "ng": ("eng",),
    "sh": ("zh",),
    "uw": ("ux",),
    SILENCE: ("bcl", "dcl", "gcl", "pcl", "tcl", "kcl", "h#", "pau", "epi"),
}
LEFT_OUT = "q"
SPHERE_MARK = b"NIST_1A\n"


@dataclass(frozen=True)
class Phone:
    """What is said from sample `begin` up to, not including, sample `end`."""

    begin: int
    end: int
    name: str


def read_phones(path: PathLike) -> tuple[Phone, ...]:
    """The phones of a .PHN file. Raises InputError for anything but its phones, one behind the other."""
    phones: list[Phone] = []
    for number, line in enumerate(text_of(path).splitlines(), 1):
        phone = _phone(line, f"{path}, line {number}")
        if phone.begin < (phones[-1].end if phones else 0):
            raise InputError(
                f"{path}, line {number}: {phone.name} begins before the phone before it has ended"
            )
        phones.append(phone)
    if not phones:
        raise InputError(f"{path} has no phones")
    return tuple(phones)


def _phone(line: str, place: str) -> Phone:
    match line.split():
        case [begin, end, name] if begin.isdecimal() and end.isdecimal() and int(begin) < int(end):
            if name not in PHONES:
                raise InputError(f"{place}: {name!r} is no phone of TIMIT")
            return Phone(int(begin), int(end), name)
    raise InputError(f"{place}: {line!r} is not a first sample, a last sample and a phone")


def frame_classes(phones: Sequence[Phone], frames: int, hop: int) -> NDArray[np.int64]:
    """The class of each frame, by the phone at its middle, int64 [frames]: the place in PHONES; -1 outside of all."""
    middles = np.arange(frames) * hop + hop // 2
    classes = np.full(frames, -1, np.int64)
    for phone in phones:
        classes[(middles >= phone.begin) & (middles < phone.end)] = PHONES.index(phone.name)
    return classes


def folded(names: Sequence[str]) -> list[str]:
    """Phones in the 39 that are scored: q left out, and what then repeats said once."""
    merged = {name: into for into, several in MERGED.items() for name in several}
    kept = [merged.get(name, name) for name in names if name != LEFT_OUT]
    return [name for place, name in enumerate(kept) if place == 0 or name != kept[place - 1]]


def read_sphere(path: PathLike) -> tuple[Floats, int]:
    """Samples from -1 to 1, float32 [samples], and their rate in Hz, of an uncompressed one-channel SPHERE file.

    Raises InputError.
    """
    data = contents(path)
    fields = _header(data, path)
    wanted = {"sample_n_bytes": "2", "channel_count": "1", "sample_byte_format": "01", "sample_coding": "pcm"}
    for name, value in wanted.items():
        if fields.get(name, value) != value:
            raise InputError(f"{path} has {name} {fields[name]}, not {value}; convert it to .wav")
    size, rate = fields.get("header size", ""), fields.get("sample_rate", "")
    if not (size.isdecimal() and rate.isdecimal()) or len(data) <= int(size) or (len(data) - int(size)) % 2:
        raise InputError(f"{path} is a damaged SPHERE file")
    return (np.frombuffer(data, "<i2", offset=int(size)) / np.float32(32768)).astype(np.float32), int(rate)


def _header(data: bytes, path: PathLike) -> dict[str, str]:
    """The fields of a SPHERE file by name, its header's size among them."""
    if not data.startswith(SPHERE_MARK):
        raise InputError(f"{path} is not a SPHERE file; TIMIT's recordings are, .wav files are read as such")
    lines = data[:4096].split(b"end_head")[0].decode("ascii", "replace").splitlines()
    fields = dict(line.split(maxsplit=2)[::2] for line in lines[2:] if len(line.split(maxsplit=2)) == 3)
    return {**fields, "header size": lines[1].strip() if len(lines) > 1 else ""}

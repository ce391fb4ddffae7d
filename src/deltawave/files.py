"""Bytes of files that exist and are not too large; values as the text of a file."""

import os
from pathlib import Path
from typing import Any

import msgspec

from deltawave.errors import InputError

MOST_BYTES = 1 << 31
PathLike = str | os.PathLike[str]


def contents(path: PathLike, most_bytes: int = MOST_BYTES) -> bytes:
    """All of a file. Raises InputError if it is missing, no plain file, unreadable or too large."""
    place = Path(path)
    if not place.exists():
        raise InputError(f"{path}: no such file")
    if not place.is_file():
        raise InputError(f"{path} is not a file")
    if place.stat().st_size > most_bytes:
        raise InputError(f"{path} has {place.stat().st_size} bytes; at most {most_bytes} are read")
    try:
        return place.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def json_text(value: Any) -> str:
    """A value as JSON to read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def text_of(path: PathLike) -> str:
    """A file's text, which must be UTF-8. Raises InputError."""
    try:
        return contents(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not a text: byte {error.start} is not UTF-8") from error

"""Texts as the whole numbers that token networks take."""

from collections.abc import Mapping

import msgspec
import numpy as np
from numpy.typing import NDArray

from deltawave.errors import InputError
from deltawave.files import PathLike, contents, text_of


def read_vocabulary(path: PathLike) -> dict[str, int]:
    """Which number a character has: a JSON object. Raises InputError."""
    try:
        return msgspec.json.decode(contents(path), type=dict[str, int])
    except msgspec.DecodeError as error:
        raise InputError(
            f"{path} is not a vocabulary: it is a JSON object of characters to numbers; {error}"
        ) from None


def read_tokens(path: PathLike, vocabulary: Mapping[str, int]) -> NDArray[np.int64]:
    """A text file as numbers, int64 [characters]. Raises InputError for a character without a number."""
    text = text_of(path)
    if not text:
        raise InputError(f"{path} is empty")
    for position, character in enumerate(text):
        if character not in vocabulary:
            raise InputError(f"{path}: the vocabulary has no {character!r} (character {position})")
    return np.array([vocabulary[character] for character in text], np.int64)


def read_alphabet(path: PathLike) -> tuple[str, ...]:
    """The letters of a file, one a line, the blank's empty. Raises InputError."""
    return tuple(text_of(path).removesuffix("\n").split("\n"))

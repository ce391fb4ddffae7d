"""Words of memories as the text that $readmemh reads: a word a line."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray


def hex_numbers(words: Iterable[int], bits: int) -> str:
    """Words of so many bits, each a number that is not negative."""
    digits = -(-bits // 4)
    return "".join(f"{int(word):0{digits}x}\n" for word in words)


def hex_lines(words: NDArray[np.integer], lane_bits: int) -> str:
    """Words of lanes, [words, lanes], signed or not, lane 0 in the lowest bits."""
    return hex_numbers(map(joined, packed(words, lane_bits)), words.shape[1] * lane_bits)


def packed(words: NDArray[np.integer], lane_bits: int) -> NDArray[np.uint8]:
    """Words of lanes as bytes, the lowest first, uint8 [words, bytes]; bits that are left over are zero."""
    bytes_ = words.astype("<i8").view(np.uint8).reshape(*words.shape, 8)
    ones = np.unpackbits(bytes_, axis=2, bitorder="little", count=lane_bits)
    return np.packbits(ones.reshape(len(words), -1), axis=1, bitorder="little")


def joined(bytes_: NDArray[np.uint8]) -> int:
    """Bytes as one number, the lowest first."""
    return int.from_bytes(bytes_.tobytes(), "little")

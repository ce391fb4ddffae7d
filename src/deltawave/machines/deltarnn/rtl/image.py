"""What a memory of a core is loaded with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deltawave.rtl.hex import packed

BEAT_BITS = 32
"""Of the load port."""


@dataclass(frozen=True, eq=False)
class Image:
    """words: int64 [words, lanes] of `lane_bits` each, lane 0 in the lowest bits. select: the memory's number on
    load_select."""

    name: str
    select: int
    words: NDArray[np.int64]
    lane_bits: int

    @property
    def bits(self) -> int:
        """Of a word."""
        return int(self.words.shape[1]) * self.lane_bits

    @property
    def beats_a_word(self) -> int:
        """Beats of the load port that a word takes."""
        return -(-self.bits // BEAT_BITS)

    def beats(self) -> NDArray[np.uint32]:
        """All words on the load port, the lowest bits of each first, uint32 [beats]."""
        bytes_ = packed(self.words, self.lane_bits)
        filled = np.pad(bytes_, ((0, 0), (0, 4 * self.beats_a_word - bytes_.shape[1])))
        return filled.view("<u4").astype(np.uint32, copy=False).ravel()

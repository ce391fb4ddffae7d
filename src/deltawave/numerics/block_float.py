"""Block floating point: one exponent for a block of values, a sign and a few mantissa bits for each.

The papers that use it leave the details open; they are decided here, once, for semantics, kernels and RTL:

- The exponent k of a block is that of its largest magnitude (2^k <= largest < 2^(k+1)), clipped to what 5 bits hold.
- A value is the nearest integer multiple of 2^(k + 1 - mantissa_bits), ties to even, of at most 2^mantissa_bits - 1.
- A dot product of two blocks is an exact integer; its sum over blocks is float32, in the order of the blocks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltawave.errors import OptionError

EXPONENT_BIAS = 15


@dataclass(frozen=True)
class BlockFloat:
    """A format: `mantissa_bits` (the sign not counted), blocks of `block` values, 5-bit exponents from -15 to 16.

    Raises OptionError for fewer than 1 or more than 7 mantissa bits, or blocks whose dot products leave 24 bits.
    """

    mantissa_bits: int
    block: int

    def __post_init__(self) -> None:
        if not 1 <= self.mantissa_bits <= 7:
            raise OptionError(f"block floating point has 1 to 7 mantissa bits, not {self.mantissa_bits}")
        if not 1 <= self.block * self.highest**2 < 1 << 24:
            raise OptionError(
                f"a dot product over {self.block} values of {self.mantissa_bits} mantissa bits leaves 24 bits; "
                "choose a smaller block or fewer bits"
            )

    @property
    def highest(self) -> int:
        """The largest mantissa."""
        return (1 << self.mantissa_bits) - 1

    def quantise(self, values: ArrayLike) -> "Blocks":
        """Finite values [..., n] in blocks along the last axis, the last block filled up with zeros."""
        wide = np.asarray(values, np.float64)
        padded = np.zeros((*wide.shape[:-1], -(-wide.shape[-1] // self.block) * self.block))
        padded[..., : wide.shape[-1]] = wide
        blocks = padded.reshape(*wide.shape[:-1], -1, self.block)
        _, exponents = np.frexp(np.abs(blocks).max(axis=-1))  # largest = f * 2^e with f in [1/2, 1)
        exponents = np.where(blocks.any(axis=-1), exponents - 1, -EXPONENT_BIAS)
        exponents = np.clip(exponents, -EXPONENT_BIAS, EXPONENT_BIAS + 1)
        scaled = np.rint(np.ldexp(blocks, (self.mantissa_bits - 1 - exponents)[..., None]))
        mantissas = np.clip(scaled, -self.highest, self.highest)
        return Blocks(self, mantissas.astype(np.int8), exponents.astype(np.int8))


@dataclass(frozen=True, eq=False)
class Blocks:
    """Values in a format. mantissas: int8 [..., blocks, block]; exponents: int8 [..., blocks]."""

    format: BlockFloat
    mantissas: NDArray[np.int8]
    exponents: NDArray[np.int8]

    def values(self) -> NDArray[np.float64]:
        """The numbers they stand for, [..., blocks * block]."""
        shift = self.exponents.astype(np.int64) + 1 - self.format.mantissa_bits
        return np.ldexp(self.mantissas.astype(np.float64), shift[..., None]).reshape(
            *self.exponents.shape[:-1], -1
        )


def product(matrix: Blocks, vectors: Blocks) -> NDArray[np.float32]:
    """matrix [rows, blocks, block] times vectors [..., blocks, block], float32 [..., rows]."""
    dots = np.einsum(
        "rbk,...bk->...rb", matrix.mantissas.astype(np.int64), vectors.mantissas.astype(np.int64)
    )
    exponents = matrix.exponents.astype(np.int64) + vectors.exponents[..., np.newaxis, :]
    shift = exponents + 2 - matrix.format.mantissa_bits - vectors.format.mantissa_bits
    terms = np.ldexp(dots.astype(np.float32), shift).astype(np.float32)
    total = np.zeros(terms.shape[:-1], np.float32)
    for block in range(terms.shape[-1]):
        total += terms[..., block]
    return total

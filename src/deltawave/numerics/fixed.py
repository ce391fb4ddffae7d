"""Two's complement fixed point, stored as integers.

A value is `integer / 2**fraction_bits`. Rounding is to nearest, ties to even; overflow is part of the format.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltawave.errors import OptionError

Overflow = Literal["saturate", "wrap"]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Fixed:
    """A fixed point format: `integer_bits` (the sign included) before the point, `fraction_bits` after it.

    Raises OptionError for fewer than 2 or more than 48 bits. `fraction_bits` may exceed the width or be negative.
    """

    integer_bits: int
    fraction_bits: int
    overflow: Overflow = "saturate"

    def __post_init__(self) -> None:
        if not 2 <= self.bits <= 48:
            raise OptionError(f"a fixed point format has 2 to 48 bits, {self} has {self.bits}")

    @property
    def bits(self) -> int:
        """Width in bits, the sign included."""
        return self.integer_bits + self.fraction_bits

    @property
    def lowest(self) -> int:
        """The most negative integer of the format."""
        return -(1 << (self.bits - 1))

    @property
    def highest(self) -> int:
        """The most positive integer of the format."""
        return (1 << (self.bits - 1)) - 1

    def narrow(self, integers: ArrayLike) -> Integers:
        """Bring integers of this fraction into the width: saturate or wrap."""
        wide = np.asarray(integers, np.int64)
        if self.overflow == "saturate":
            return np.clip(wide, self.lowest, self.highest)
        return ((wide - self.lowest) & ((1 << self.bits) - 1)) + self.lowest

    def quantise(self, values: ArrayLike) -> Integers:
        """Integers nearest to finite float values (ties to even), saturated: values come from outside."""
        scaled = np.rint(np.ldexp(np.asarray(values, np.float64), self.fraction_bits))
        return np.clip(scaled, self.lowest, self.highest).astype(np.int64)

    def value(self, integers: ArrayLike) -> NDArray[np.float64]:
        """The numbers that integers of this format stand for."""
        return np.ldexp(np.asarray(integers, np.float64), -self.fraction_bits)

    def __str__(self) -> str:
        return f"Q{self.integer_bits}.{self.fraction_bits}"


def round_shift(integers: ArrayLike, shift: int) -> Integers:
    """`integers / 2**shift` rounded to nearest, ties to even; a negative shift multiplies (exact)."""
    wide = np.asarray(integers, np.int64)
    if shift <= 0:
        return wide << -shift
    half_less_one = (1 << (shift - 1)) - 1
    return (wide + half_less_one + ((wide >> shift) & 1)) >> shift

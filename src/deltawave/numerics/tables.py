"""Activation functions as hardware has them: a table over a clamped input range.

A table maps an integer input to an integer output: `values[clip(x, first, last) - first]`. Everything outside the range
takes the value at its end, so a range-addressable look-up table (RALUT) needs entries only where the function moves.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltawave.errors import OptionError
from deltawave.numerics.fixed import Integers

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


FUNCTIONS: dict[str, Function] = {
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0.0),
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0.0, 1.0),
}


@dataclass(frozen=True, eq=False)
class ActivationTable:
    """`first` is the input of `values[0]`; inputs and outputs are integers of the machine's activation format.

    values: int16 [entries], read-only. Raises OptionError for a table that is empty or leaves the 16-bit inputs.
    """

    name: str
    first: int
    values: NDArray[np.int16]

    def __post_init__(self) -> None:
        if not len(self.values) or not -(1 << 15) <= self.first <= self.last < 1 << 15:
            raise OptionError(
                f"the table {self.name} goes from {self.first} to {self.last}; tables have 16-bit inputs, at least one"
            )
        self.values.setflags(write=False)

    @property
    def last(self) -> int:
        """The input of the last entry."""
        return self.first + len(self.values) - 1

    @property
    def bits(self) -> int:
        """Of its widest entry, the sign included; it may be wider than the format of the others."""
        return 1 + max(int(value if value >= 0 else ~value).bit_length() for value in self.values)

    @property
    def ranges(self) -> int:
        """Entries a range-addressable table needs: runs of equal output."""
        return 1 + int(np.count_nonzero(np.diff(self.values)))

    def __call__(self, x: ArrayLike) -> Integers:
        """Look up integers of any shape."""
        index = np.clip(np.asarray(x, np.int64), self.first, self.last) - self.first
        return self.values[index].astype(np.int64)


def stepped_table(function: str, fraction_bits: int, step_bits: int) -> ActivationTable:
    """`floor(f(x) * 2**step_bits + 1/2) / 2**step_bits` for every 16-bit input of `fraction_bits`.

    With 8 fraction bits and 4 step bits this equals every entry of the EdgeDRNN RTL's tables (sigmoid and tanh in
    steps of 1/16). Raises OptionError for an unknown function or steps finer than the format.
    """
    if function not in FUNCTIONS:
        raise OptionError(f"no activation table for {function!r}; there are {', '.join(FUNCTIONS)}")
    if not 0 < step_bits <= fraction_bits:
        raise OptionError(f"steps of 2^-{step_bits} do not fit an output of {fraction_bits} fraction bits")
    x = np.arange(-(1 << 15), 1 << 15)
    levels = np.floor(
        np.ldexp(FUNCTIONS[function](np.ldexp(x.astype(np.float64), -fraction_bits)), step_bits) + 0.5
    )
    outputs = np.clip(np.ldexp(levels, fraction_bits - step_bits), -(1 << 15), (1 << 15) - 1).astype(np.int16)
    return _trimmed(function, outputs)


def exact_table(function: str, fraction_bits: int) -> ActivationTable:
    """The function rounded to every output the format has."""
    return stepped_table(function, fraction_bits, fraction_bits)


def _trimmed(name: str, outputs: NDArray[np.int16]) -> ActivationTable:
    """Cut the constant ends, keeping one entry of each."""
    moves = np.flatnonzero(np.diff(outputs))
    low, high = int(moves[0]), int(moves[-1]) + 1
    return ActivationTable(name, low - (1 << 15), outputs[low : high + 1].copy())

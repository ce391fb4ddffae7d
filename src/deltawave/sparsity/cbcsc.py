"""Column-balanced compressed sparse column format (CBCSC) of Spartus (Gao et al., TNNLS 2022).

Row i of the matrix belongs to processing element i mod N, as its local row i // N. A column is stored as
equally many entries (local row, value) for every element, so that all elements finish it together: as many as
the fullest has non-zeros, the others padded with zero values. Weights pruned by CBTD need no padding. Layout
details are ours: the paper's are not known.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltawave.errors import InputError, OptionError


@dataclass(frozen=True, eq=False)
class BalancedColumns:
    """A compressed matrix.

    values: int16 [elements, entries]; local_rows: int32 [elements, entries]; lengths: int64 [columns], the
    entries of each column, which follow each other. A padding entry is value 0 in local row 0.
    """

    rows: int
    lengths: NDArray[np.int64]
    values: NDArray[np.int16]
    local_rows: NDArray[np.int32]

    @property
    def padding(self) -> int:
        """Entries that hold no weight."""
        return int(np.count_nonzero(self.values == 0))

    @property
    def balance(self) -> float:
        """Share of the entries that hold a weight: 1 when all elements have equally many."""
        return 1.0 - self.padding / self.values.size if self.values.size else 1.0

    def bytes(self, weight_bits: int, index_bits: int) -> int:
        """Memory for the entries, in bytes, rounded up."""
        return -(-self.values.size * (weight_bits + index_bits) // 8)

    def decode(self) -> NDArray[np.int16]:
        """The matrix, int16 [rows, columns]."""
        elements = len(self.values)
        weights = np.zeros((self.rows, len(self.lengths)), np.int16)
        element, entry = np.nonzero(self.values)
        column = np.repeat(np.arange(len(self.lengths)), self.lengths)[entry]
        weights[self.local_rows[element, entry] * elements + element, column] = self.values[element, entry]
        return weights


def encode(weights: ArrayLike, elements: int, index_bits: int) -> BalancedColumns:
    """Compress integer weights [rows, columns] of at most 16 bits for `elements` processing elements.

    Raises InputError for anything but an integer matrix, OptionError for no elements or too few index bits.
    """
    shares = _shares(weights, elements)
    columns, _, owned = shares.shape
    needed = (owned - 1).bit_length()
    if index_bits < needed:
        raise OptionError(
            f"{owned} rows a processing element need {needed} index bits, not {index_bits}; "
            f"choose index_bits={needed} or more elements"
        )
    column, element, local = np.nonzero(shares)
    counts = np.bincount(column * elements + element, minlength=columns * elements)
    lengths = counts.reshape(columns, elements).max(axis=1)
    rank = np.arange(len(column)) - (np.cumsum(counts) - counts)[column * elements + element]
    entry = (np.cumsum(lengths) - lengths)[column] + rank
    values = np.zeros((elements, int(lengths.sum())), np.int16)
    local_rows = np.zeros(values.shape, np.int32)
    values[element, entry], local_rows[element, entry] = shares[column, element, local], local
    return BalancedColumns(len(np.asarray(weights)), lengths, values, local_rows)


def column_lengths(weights: ArrayLike, elements: int) -> NDArray[np.int64]:
    """Entries of each column, int64 [columns], without compressing: the non-zeros of the fullest element.
    Raises as `encode`."""
    counts = np.count_nonzero(_shares(weights, elements), axis=2)
    return np.asarray(counts.max(axis=1), np.int64)


def _shares(weights: ArrayLike, elements: int) -> NDArray[np.int16]:
    """The rows dealt to their elements, int16 [columns, elements, local rows], zero where an element has
    fewer."""
    matrix = _checked(weights)
    if elements < 1:
        raise OptionError(f"CBCSC deals rows to at least 1 processing element, not {elements}")
    owned = -(-len(matrix) // elements)
    padded = np.zeros((owned * elements, matrix.shape[1]), np.int16)
    padded[: len(matrix)] = matrix
    return padded.reshape(owned, elements, -1).transpose(2, 1, 0)


def _checked(weights: ArrayLike) -> NDArray[np.int16]:
    matrix = np.asarray(weights)
    if matrix.ndim != 2 or not matrix.size or not np.issubdtype(matrix.dtype, np.integer):
        raise InputError(f"CBCSC takes a matrix of integers, not {matrix.dtype} of shape {matrix.shape}")
    too_wide = np.argwhere(matrix != matrix.astype(np.int16))
    if len(too_wide):
        row, column = too_wide[0]
        raise InputError(
            f"CBCSC takes weights of at most 16 bits; the one in row {row}, column {column} is {matrix[row, column]}"
        )
    return matrix.astype(np.int16)

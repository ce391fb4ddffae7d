"""Vectors and matrices filled up to whole native ones."""

import numpy as np

from deltawave.machines.brainwave.semantics import Tiles
from deltawave.numerics.block_float import Blocks
from deltawave.numerics.half_tables import Half


def padded(values: Half, native: int, padding: float = 0.0) -> Half:
    """float16 [n] as native vectors, [vectors, native]."""
    full = np.full(-(-len(values) // native) * native, padding, np.float16)
    full[: len(values)] = values
    return full.reshape(-1, native)


def tiles_of(weights: Blocks, rows: slice) -> Tiles:
    """Some rows of a matrix as native tiles, row by row, filled up with zeros."""
    mantissas, exponents = weights.mantissas[rows], weights.exponents[rows]
    count, cols, native = mantissas.shape
    filled = -(-count // native) * native
    m, e = np.zeros((filled, cols, native), np.int8), np.zeros((filled, cols), np.int8)
    m[:count], e[:count] = mantissas, exponents
    return Tiles(
        m.reshape(-1, native, cols, native).swapaxes(1, 2).reshape(-1, native, native),
        e.reshape(-1, native, cols).swapaxes(1, 2).reshape(-1, native),
    )

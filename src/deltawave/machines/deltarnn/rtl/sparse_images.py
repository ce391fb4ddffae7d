"""What goes into the memories of Spartus's arrays, word by word; PE 0 in the lowest bits."""

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.cell import MEMORIES
from deltawave.machines.deltarnn.rtl.sparse import SparseShape

Words = NDArray[np.int64]


def bias_words(shape: SparseShape) -> list[Words]:
    """What the sums of array 0 start from by local row, int64 [rows, array_pes]; for a GRU then those of the candidate
    over h, in the rows of its gate."""
    cell = shape.cell
    memories = cell.accumulator.narrow(cell.bias).reshape(len(MEMORIES[shape.kind]), -1)
    stacked = memories[: shape.gates].ravel()
    found = [_by_local_row(shape, stacked)]
    if shape.kind == "gru":
        apart = np.zeros_like(stacked)
        apart[-cell.hidden :] = memories[-1]
        found.append(_by_local_row(shape, apart))
    return found


def _by_local_row(shape: SparseShape, rows: Words) -> Words:
    filled = np.zeros(shape.rows * shape.lanes, np.int64)
    filled[: len(rows)] = rows
    return filled.reshape(shape.rows, shape.lanes)

"""What goes into the memories of Spartus's arrays, word by word; PE 0 in the lowest bits."""

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.cell import MEMORIES
from deltawave.machines.deltarnn.rtl.image import Image
from deltawave.machines.deltarnn.rtl.images import LOAD_BIAS
from deltawave.machines.deltarnn.rtl.sparse import SparseShape

LOAD_ARRAYS = 4
"""The first array's number on load_select."""
Words = NDArray[np.int64]


def images(shape: SparseShape) -> tuple[Image, ...]:
    """Everything that is loaded."""
    bits = shape.cell.accumulator_bits
    biases = zip(("bias", "second_bias"), bias_words(shape), strict=False)
    loads = [Image(name, LOAD_BIAS + place, words, bits) for place, (name, words) in enumerate(biases)]
    return (*loads, *(image for array in range(shape.arrays) for image in _array_images(shape, array)))


def _array_images(shape: SparseShape, number: int) -> tuple[Image, Image]:
    """A word of weights: by PE the weight, and above it the local row. Of the table: a column's first word, and above
    it how many it has."""
    kept = shape.matrix[number]
    mask = (1 << shape.cell.weight_bits) - 1
    entries = kept.weights & mask | kept.local_rows << shape.cell.weight_bits
    columns = kept.begins | kept.lengths << shape.address_bits
    select = LOAD_ARRAYS + 2 * number
    return (
        Image(f"array{number}_weights", select, entries, shape.entry_bits),
        Image(f"array{number}_columns", select + 1, columns[:, None], shape.column_bits),
    )


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

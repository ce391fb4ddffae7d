"""Spartus in RTL: what it depends on, and its weights as the arrays hold them.

Element j of a vector goes to array j mod arrays, row i of the stacked gates to PE i mod array_pes. A column is as many
words as the fullest PE has weights in it, at least one; a word has a weight and a local row for every PE.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError
from deltawave.kernels.cell import GATES, QuantisedCell
from deltawave.machines.deltarnn.machine_spartus import Spartus
from deltawave.machines.deltarnn.rtl.shape import CoreShape, check_shape
from deltawave.machines.deltarnn.timing_spartus import weights_of_columns
from deltawave.sparsity.cbcsc import encode

Words = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SparseShape(CoreShape):
    """`channels` are the gates and `lanes` the PEs of an array: what an activation reads in a cycle."""

    arrays: int

    @property
    def rows(self) -> int:
        """Local rows of a PE."""
        return -(-self.gates * self.cell.hidden // self.lanes)

    @property
    def vector_lengths(self) -> tuple[int, ...]:
        """Elements of x, h and r * h, filled up to a multiple of the arrays."""
        sizes = (self.cell.inputs, self.cell.hidden, self.cell.hidden)[: self.sources]
        return tuple(-(-size // self.arrays) * self.arrays for size in sizes)

    @property
    def row_bits(self) -> int:
        """Of a local row."""
        return max(1, (self.rows - 1).bit_length())

    def groups(self, source: int) -> int:
        """Groups of elements of x, h or r * h that are scanned together, those that fill a vector up included."""
        return self.vector_lengths[source] // self.input_rate

    def first_place(self, source: int) -> int:
        """Where the columns of x, h or r * h begin in an array's table of columns."""
        return sum(self.vector_lengths[:source]) // self.arrays

    @property
    def array_words(self) -> int:
        """Words of weights of the array that has most of them: all have memories of one size."""
        return max(len(array.weights) for array in self.matrix)

    @property
    def address_bits(self) -> int:
        """Of a word's number."""
        return max(1, (self.array_words - 1).bit_length())

    @property
    def length_bits(self) -> int:
        """Of the words of a column."""
        return max(1, *(int(array.lengths.max()).bit_length() for array in self.matrix))

    @property
    def entry_bits(self) -> int:
        """A weight and its local row."""
        return self.cell.weight_bits + self.row_bits

    @property
    def column_bits(self) -> int:
        """Of an entry in an array's table of columns."""
        return self.address_bits + self.length_bits

    @cached_property
    def matrix(self) -> list["ArrayWeights"]:
        """The weights of each array."""
        weights = weights_of_columns(self.cell)
        placed = np.zeros((len(weights), sum(self.vector_lengths)), np.int16)
        sizes = (self.cell.inputs, self.cell.hidden, self.cell.hidden)[: self.sources]
        begin = first = 0
        for size, length in zip(sizes, self.vector_lengths, strict=True):
            placed[:, first : first + size] = weights[:, begin : begin + size]
            begin, first = begin + size, first + length
        return [ArrayWeights.of(self, placed[:, array :: self.arrays]) for array in range(self.arrays)]


@dataclass(frozen=True, eq=False)
class ArrayWeights:
    """begins, lengths: int64 [columns], the words of each column. weights, local_rows: int64 [words, array_pes]."""

    begins: Words
    lengths: Words
    weights: Words
    local_rows: Words

    @staticmethod
    def of(shape: SparseShape, matrix: NDArray[np.int16]) -> "ArrayWeights":
        """The weights of an array, int16 [rows, columns]; an empty column is a word of zeros."""
        stored = encode(matrix, shape.lanes, max(1, (shape.rows - 1).bit_length()))
        lengths = np.maximum(stored.lengths, 1)
        weights, local_rows = np.zeros((2, int(lengths.sum()), shape.lanes), np.int64)
        places = np.concatenate(
            [np.arange(n) < kept for n, kept in zip(lengths, stored.lengths, strict=True)]
        )
        weights[places], local_rows[places] = stored.values.T, stored.local_rows.T
        return ArrayWeights(np.cumsum(lengths) - lengths, lengths, weights, local_rows)


def sparse_shape(machine: Spartus, cell: QuantisedCell, name: str) -> SparseShape:
    """The design for a cell of a program. Raises OptionError for parameters that no design of ours can meet."""
    shape = SparseShape(
        name=name,
        cell=cell,
        channels=len(GATES[cell.kind]),
        lanes=machine.array_pes,
        streams_weights=False,
        has_bias_place=False,
        separate_paths=False,
        input_rate=machine.input_rate,
        hidden_rate=machine.input_rate,
        scheduler_rate=machine.input_rate,
        fifo_depth=0,
        encoder_latency_cycles=machine.encoder_latency_cycles,
        close_latency_cycles=machine.encoder_latency_cycles,
        sum_latency_cycles=machine.mac_latency_cycles,
        activation_lanes=machine.activation_lanes,
        activation_interval_cycles=1,
        activation_tail_cycles=machine.activation_stages - 1,
        arrays=machine.arrays,
    )
    check_shape(machine, shape)
    if machine.encoder_latency_cycles < 2:
        raise OptionError(
            f"{machine.name}: values to send after {machine.encoder_latency_cycles} cycles; the RTL takes at least 2: "
            "compare, look the column up"
        )
    if machine.arrays % machine.input_rate:
        raise OptionError(
            f"{machine.name}: input_rate = {machine.input_rate} does not divide the {machine.arrays} arrays, so that "
            "two values of a cycle could go to one"
        )
    if cell.accumulator_saturates:
        raise OptionError(
            f"{machine.name}: accumulators that saturate; the RTL adds the sums of the arrays up at the end, which is "
            "the same only if they wrap"
        )
    return shape

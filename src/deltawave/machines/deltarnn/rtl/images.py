"""What goes into the memories of a core, word by word: weights in columns, biases; lane 0 in the lowest bits."""

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.cell import HEARS, MEMORIES
from deltawave.machines.deltarnn.machine_edgedrnn import EdgeDRNN
from deltawave.machines.deltarnn.rtl.image import Image
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.machines.deltarnn.timing_edgedrnn import column_cycles

CANDIDATE_OF_H = 3
"""Among the memories of a GRU."""
LOAD_WEIGHTS, LOAD_BIAS, LOAD_SECOND_BIAS = range(3)
"""Values of load_select."""
Words = NDArray[np.int64]


def column_words(shape: CoreShape) -> list[Words]:
    """The words of all columns of x, h and r * h, int64 [columns, words, channels * lanes] each."""
    cell = shape.cell
    sources = [cell.weights_x, *[cell.weights_h] * (shape.sources - 1)]
    return [_columns(shape, matrix, source) for source, matrix in enumerate(sources)]


def _columns(shape: CoreShape, matrix: NDArray[np.int16], source: int) -> Words:
    gates = matrix.reshape(shape.gates, shape.cell.hidden, -1)
    turns = shape.turns_of(source)
    words = np.zeros((gates.shape[2], len(turns), shape.words, shape.channels, shape.lanes), np.int64)
    for gate in HEARS[shape.kind][source]:
        turn, channel = divmod(gate, shape.channels)
        words[:, turn - turns.start, :, channel] = _in_words(shape, gates[gate].T)
    return words.reshape(gates.shape[2], -1, shape.channels * shape.lanes)


def _in_words(shape: CoreShape, rows: NDArray[np.integer]) -> Words:
    """[..., hidden] -> [..., words, lanes], filled up with zeros."""
    filled = np.zeros((*rows.shape[:-1], shape.words * shape.lanes), np.int64)
    filled[..., : rows.shape[-1]] = rows
    return filled.reshape(*rows.shape[:-1], shape.words, shape.lanes)


def bias_words(shape: CoreShape) -> Words:
    """What the sums start from, int64 [turns * words, channels * lanes]; of a GRU's candidate that over x."""
    cell = shape.cell
    memories = cell.accumulator.narrow(cell.bias).reshape(len(MEMORIES[shape.kind]), -1)
    words = np.zeros((shape.turns, shape.words, shape.channels, shape.lanes), np.int64)
    for gate in range(shape.gates):
        turn, channel = divmod(gate, shape.channels)
        words[turn, :, channel] = _in_words(shape, memories[gate])
    return words.reshape(-1, shape.channels * shape.lanes)


def second_bias_words(shape: CoreShape) -> Words:
    """What the sum over h of a GRU's candidate starts from, int64 [words, lanes]."""
    cell = shape.cell
    memories = cell.accumulator.narrow(cell.bias).reshape(len(MEMORIES[shape.kind]), -1)
    return _in_words(shape, memories[CANDIDATE_OF_H])


def images(shape: CoreShape) -> tuple[Image, ...]:
    """Everything that is loaded."""
    bits, most = shape.cell.accumulator_bits, shape.most_words
    bias = _for_layers(shape, [bias_words(layer) for layer in shape.layers], shape.turns * most)
    found = [Image("bias", LOAD_BIAS, bias, bits)]
    if not shape.streams_weights:
        weights = _in_rows([words for layer in shape.layers for words in column_words(layer)])
        found.insert(0, Image("weights", LOAD_WEIGHTS, weights, shape.cell.weight_bits))
    if shape.kind == "gru":
        second = _for_layers(shape, [second_bias_words(layer) for layer in shape.layers], most)
        found.append(Image("second_bias", LOAD_SECOND_BIAS, second, bits))
    return tuple(found)


def _for_layers(shape: CoreShape, words: list[Words], most: int) -> Words:
    """The words of all cells, each filled up to the places that a cell has."""
    if len(words) == 1:
        return words[0]
    places = shape.for_layers(most) // len(words)
    return np.concatenate([np.pad(some, ((0, places - len(some)), (0, 0))) for some in words])


def streamed_columns(machine: EdgeDRNN, shape: CoreShape) -> tuple[Words, Words, Words, int]:
    """For a memory that weights stream from: all words, [words, lanes]; by column how many, and the cycles they take;
    the cycles from a request to its first word."""
    columns = [words for layer in shape.layers for words in column_words(layer)]
    cycles = np.concatenate([column_cycles(machine, layer.cell) for layer in shape.layers])
    counts = np.concatenate([np.full(len(some), some.shape[1]) for some in columns])
    latency = shape.encoder_latency_cycles - 1  # the request leaves the core a cycle after the value
    return _in_rows(columns), counts, cycles, latency


def _in_rows(columns: list[Words]) -> Words:
    return np.concatenate([some.reshape(-1, some.shape[2]) for some in columns])

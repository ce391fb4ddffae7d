"""Brainwave's layers without state in scalars, written from the equations in `compiled_layer`: no program, no padding.

Maps are float16 values in nested lists, [channels][row][column]; a vector is a map of one pixel.
"""

import math
from collections.abc import Callable, Iterator

import numpy as np

from deltawave.network.layers import Conv, Dense, Pool
from machines.brainwave.scalar_cells import ACTIVATIONS, blocks, f16, finite

Map = list[list[list[float]]]
OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "Add": lambda a, b: a + b,
    "Sub": lambda a, b: a - b,
    "Mul": lambda a, b: a * b,
    "Max": lambda a, b: math.nan if math.isnan(a) or math.isnan(b) else max(a, b),
}


def dense(layer: Dense, native: int, bits: int, x: Map) -> Map:
    """A flattened map's values are channel by channel in the network, pixel by pixel on the machine."""
    channels, height, width = len(x), len(x[0]), len(x[0][0])
    weights = layer.weights.reshape(-1, channels, height, width).tolist()
    order = [(c, y, i) for y in range(height) for i in range(width) for c in range(channels)]
    heard = [x[c][y][i] for c, y, i in order]
    rows = [[row[c][y][i] for c, y, i in order] for row in weights]
    return [[[out]] for out in products(rows, layer.bias.tolist(), heard, native, bits)]


def convolution(layer: Conv, native: int, bits: int, x: Map, sizes: tuple[int, int]) -> Map:
    """`sizes`: rows and columns of what is made."""
    is_depthwise = layer.groups > 1 and layer.groups == len(layer.weights) == len(x)
    made = {}
    for place, pixels in windows(layer, x, sizes, 0.0):
        if is_depthwise:
            made[place] = [depthwise(layer, channel, pixels) for channel in range(len(x))]
        else:
            heard = [value for pixel in pixels for value in pixel]
            made[place] = products(dense_rows(layer), layer.bias.tolist(), heard, native, bits)
    return to_map(made, sizes)


def dense_rows(layer: Conv) -> list[list[float]]:
    """The matrix, row, column and channel of a window one behind the other; zero for channels of other groups."""
    height, width = two(layer.weights.shape[2:])
    weights = layer.weights.reshape(*layer.weights.shape[:2], height, width)
    outputs, of_group = weights.shape[:2]
    rows = []
    for out in range(outputs):
        group = out // (outputs // layer.groups)
        row = []
        for y in range(height):
            for i in range(width):
                for channel in range(of_group * layer.groups):
                    own = channel - group * of_group
                    row.append(float(weights[out, own, y, i]) if 0 <= own < of_group else 0.0)
        rows.append(row)
    return rows


def depthwise(layer: Conv, channel: int, pixels: list[list[float]]) -> float:
    y = f16(float(layer.bias[channel]))
    for weight, pixel in zip(layer.weights[channel, 0].ravel().tolist(), pixels, strict=True):
        y = f16(f16(f16(weight) * pixel[channel]) + y)
    return y


def pool(layer: Pool, x: Map, sizes: tuple[int, int], kernel: tuple[int, ...]) -> Map:
    is_maximum = "Max" in layer.kind
    operation = OPERATIONS["Max" if is_maximum else "Add"]
    made = {}
    for place, pixels in windows(layer, x, sizes, -math.inf if is_maximum else 0.0, kernel):
        values = pixels[0]
        for pixel in pixels[1:]:
            values = [f16(operation(a, b)) for a, b in zip(pixel, values, strict=True)]
        share = f16(1 / len(pixels))
        made[place] = values if is_maximum else [f16(value * share) for value in values]
    return to_map(made, sizes)


def pointwise(kind: str, a: float, b: float) -> float:
    if kind in OPERATIONS:
        return f16(OPERATIONS[kind](a, b))
    return math.nan if math.isnan(a) else f16(ACTIVATIONS[kind.lower()](a))


def products(
    rows: list[list[float]], bias: list[float], heard: list[float], native: int, bits: int
) -> list[float]:
    vectors = blocks([finite(value) for value in heard], native, bits)
    found = []
    for row, summand in zip(rows, bias, strict=True):
        total = np.float32(0)
        for (a, unit_a), (b, unit_b) in zip(blocks(row, native, bits), vectors, strict=True):
            exact = sum(p * q for p, q in zip(a, b, strict=True))
            total += np.float32(math.ldexp(exact, unit_a + unit_b))
        found.append(f16(f16(float(total)) + f16(summand)))
    return found


def windows(
    layer: Conv | Pool, x: Map, sizes: tuple[int, int], outside: float, kernel: tuple[int, ...] = ()
) -> Iterator[tuple[tuple[int, int], list[list[float]]]]:
    """Place and pixels of each window; `kernel`: of a pool. One dimension is a row."""
    lengths = kernel or (layer.weights.shape[2:] if isinstance(layer, Conv) else layer.kernel)
    (kh, kw), (sy, sx), (dy, dx) = (
        two(values or (1,) * len(lengths)) for values in (lengths, layer.strides, layer.dilations)
    )
    begins = (layer.pads or (0,) * 2 * len(lengths))[: len(lengths)]
    top, left = begins if len(begins) == 2 else (0, *begins)
    for row in range(sizes[0]):
        for column in range(sizes[1]):
            places = [
                (row * sy - top + j * dy, column * sx - left + i * dx) for j in range(kh) for i in range(kw)
            ]
            yield (row, column), [pixel(x, *place, outside) for place in places]


def pixel(x: Map, y: int, i: int, outside: float) -> list[float]:
    is_inside = 0 <= y < len(x[0]) and 0 <= i < len(x[0][0])
    return [channel[y][i] if is_inside else outside for channel in x]


def two(values: tuple[int, ...]) -> tuple[int, int]:
    return (values[0], values[1]) if len(values) == 2 else (1, values[0])


def to_map(made: dict[tuple[int, int], list[float]], sizes: tuple[int, int]) -> Map:
    channels = range(len(made[0, 0]))
    return [[[made[y, i][c] for i in range(sizes[1])] for y in range(sizes[0])] for c in channels]

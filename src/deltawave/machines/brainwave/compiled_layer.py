"""A layer that keeps no state as Brainwave holds it, and how it is run.

The arithmetic, operation by operation; f16 and mv as for cells (`compile`). The values of a window are ordered by row,
column, channel; a Dense layer that reads a flattened map takes the map as one window.

    Dense, Conv     y = f16(mv(W, window) + b)
    depthwise Conv  y = f16(f16(w_0 * x_0) + b); then for every further position y = f16(f16(w_p * x_p) + y)
    MaxPool         y = max over positions
    AveragePool     y = x_0; then for every further position y = f16(x_p + y); at last y = f16(y * f16(1 / positions))
    others          y = f16(a op b), or the table of the activation
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from math import prod
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.block_float_product import NativeBlockFloatProduct
from deltawave.machines.base import Floats, LayerExecutor
from deltawave.machines.brainwave.device import DeviceProgram, device_program
from deltawave.machines.brainwave.encoding import encode
from deltawave.machines.brainwave.executors import to_half
from deltawave.machines.brainwave.grouping import Resident
from deltawave.machines.brainwave.isa import OPERAND, BwProgram, Opcode, Window
from deltawave.machines.brainwave.layer_programs import POSITIONS, LayerKind, LayerShape
from deltawave.machines.brainwave.listing import listing
from deltawave.machines.brainwave.semantics import FUNCTIONS, Interpreter, Tiles, pointwise
from deltawave.machines.brainwave.stored import typed, typed_blocks
from deltawave.machines.brainwave.tiles import padded, tiles_of
from deltawave.machines.brainwave.windows import unroll
from deltawave.numerics.block_float import BlockFloat, Blocks
from deltawave.numerics.half_tables import Half, apply_half

ALONE_MFUS = 2
"""The chains of a layer alone need no more."""


@dataclass(frozen=True, eq=False)
class BrainwaveLayer:
    """A compiled layer. `constants`: float16 [n, outputs], in the order of `shape.constants`.

    `sources`: the cells that make what it reads, '' for the host; `leaves`: whether anything but cells linked to it
    reads what it makes. `reads_map`, `makes_map`: whether that is a map, [items, channels, *pixels], or vectors.
    """

    name: str
    shape: LayerShape
    format: BlockFloat
    weights: Blocks | None
    constants: Half
    sources: tuple[str, ...] = ("",)
    leaves: bool = True
    reads_map: bool = False
    makes_map: bool = False
    column_words: None = field(default=None, init=False)

    @property
    def native(self) -> int:
        """The native dimension."""
        return self.format.block

    @property
    def resident(self) -> Resident:
        """As it stands on a device."""
        return Resident(self.name, self.shape, self.sources, self.leaves)

    @cached_property
    def alone(self) -> DeviceProgram:
        """The program of this layer alone, from NetQ to NetQ."""
        sources = ("",) * len(self.sources)
        return device_program([Resident(self.name, self.shape, sources)], mfus=ALONE_MFUS)

    @property
    def program(self) -> BwProgram:
        """Its instructions."""
        return self.alone.assembled.program

    @property
    def products(self) -> int:
        """Multiply-accumulates of a step, without padding."""
        return self.shape.products

    @property
    def tiles(self) -> int:
        """Tiles of MatrixRf that it needs."""
        return self.shape.tiles

    def vectors_in_dram(self) -> Mapping[str, Half]:
        """Its constants by full name, float16 [vectors, N] each."""
        names = [name for name, _, _ in self.shape.constants]
        return {
            f"{self.name}.{name}": padded(row, self.native)
            for name, row in zip(names, self.constants, strict=True)
        }

    def tiles_in_dram(self) -> Mapping[str, Tiles]:
        """Its weights by full name."""
        if self.weights is None:
            return {}
        return {f"{self.name}.W": tiles_of(self.weights, slice(0, self.shape.outputs))}

    def layer_executor(self, *, plain: bool = False) -> LayerExecutor:
        """An executor: the fast kernels, or with `plain` the NumPy semantics. The same bits."""
        return PlainLayer(self) if plain else NativeLayer(self)

    @property
    def head(self) -> str:
        """A comment with the layer's sizes and formats."""
        return (
            f"# layer {self.name} {self.shape.kind} outputs={self.shape.outputs} native={self.native}"
            f" mantissa_bits={self.format.mantissa_bits} tiles={self.tiles}"
        )

    def listing(self) -> str:
        """The program of the layer alone as text."""
        return f"{self.head}\n{listing(self.program)}"

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything, as arrays by name; `restore` is the inverse."""
        shape = self.shape
        none = Blocks(self.format, np.zeros((0, 1, self.native), np.int8), np.zeros((0, 1), np.int8))
        weights = self.weights or none
        return {
            "kind": np.array(shape.kind),
            "operation": np.array(shape.operation.value if shape.operation else ""),
            "window": np.array(list(asdict(shape.window).values()), np.int64),
            "sizes": np.array([shape.outputs, self.format.mantissa_bits, shape.groups], np.int64),
            "flags": np.array([shape.has_constant, self.leaves, self.reads_map, self.makes_map]),
            "sources": np.array(self.sources),
            "mantissas": weights.mantissas,
            "exponents": weights.exponents,
            "constants": self.constants,
            "program": np.frombuffer(encode(self.program), np.uint8),
        }


class _Items:
    """A layer's tensors as maps of pixels, and its output as a tensor again."""

    def __init__(self, layer: BrainwaveLayer) -> None:
        self._layer = layer

    def read(self, tensor: Floats) -> Half:
        """float32 tensor -> float16 [items, height, width, channels]."""
        window = self._layer.shape.window
        if not self._layer.reads_map:
            return to_half(tensor).reshape(prod(tensor.shape[:-1]), 1, 1, window.channels)
        shape = len(tensor), window.channels, window.height, window.width
        return np.moveaxis(to_half(tensor).reshape(shape), 1, 3)

    def write(self, made: Half, like: Sequence[int]) -> Floats:
        """float16 [items, windows, outputs] -> float32. like: the shape of the tensor that was read."""
        window, floats = self._layer.shape.window, made.astype(np.float32)
        if not self._layer.makes_map:
            items = like[:1] if self._layer.reads_map else like[:-1]
            return floats.reshape(*items, self._layer.shape.outputs)
        pixels = (window.rows, window.columns)[4 - len(like) :]
        channels = np.ascontiguousarray(np.moveaxis(floats, 2, 1))
        return channels.reshape(len(made), self._layer.shape.outputs, *pixels)

    def gathered(self, items: Iterable[Half]) -> Half:
        """Items, float16 [windows, outputs] each, which may be none, as one array."""
        shape, made = self._layer.shape, list(items)
        return np.array(made, np.float16).reshape(len(made), shape.window.count, shape.outputs)


class NativeLayer:
    """The products by the kernels, the rest in NumPy for all windows at once."""

    def __init__(self, layer: BrainwaveLayer) -> None:
        self._layer, self._items = layer, _Items(layer)
        self._product = None if layer.weights is None else NativeBlockFloatProduct(layer.weights)

    def run(self, values: Sequence[Floats]) -> tuple[Floats, NDArray[np.bool_]]:
        """The tensors -> the output, float32, and that every item happened: bool [items, 1]."""
        tensors = [self._items.read(value) for value in values]
        made = self._run(tensors)
        return self._items.write(made, values[0].shape), np.ones((len(made), 1), np.bool_)

    def _run(self, tensors: Sequence[Half]) -> Half:
        """Maps [items, height, width, channels] -> [items, windows, outputs]."""
        layer = self._layer
        if self._product is not None:
            return self._items.gathered(self._multiply(item) for item in tensors[0])
        pixels = [tensor.reshape(len(tensor), prod(tensor.shape[1:3]), tensor.shape[3]) for tensor in tensors]
        if layer.shape.kind == "pointwise":
            other = layer.constants[0] if layer.shape.has_constant else pixels[-1]
            return operated(layer.shape.operation, pixels[0], other)
        return self._items.gathered(self._through_positions(item) for item in tensors[0])

    def _multiply(self, item: Half) -> Half:
        window = self._layer.shape.window
        assert self._product is not None
        windows = unroll(window, item).reshape(window.count, -1)
        return operated(Opcode.VV_ADD, self._product.run(windows), self._layer.constants[0])

    def _through_positions(self, item: Half) -> Half:
        constants, value = self._layer.constants, np.empty(0, np.float16)
        for number, window in enumerate(self._layer.shape.positions):
            pixels = unroll(window, item).reshape(window.count, -1)[:, : window.channels]
            value = self._at(number, pixels, value)
        return operated(Opcode.VV_MUL, value, constants[0]) if self._layer.shape.kind == "average" else value

    def _at(self, number: int, pixels: Half, value: Half) -> Half:
        """What is left after a position of the windows; `value`: what was before."""
        constants = self._layer.constants
        if self._layer.shape.kind == "depthwise":
            scaled = operated(Opcode.VV_MUL, pixels, constants[number])
            return operated(Opcode.VV_ADD, scaled, value if number else constants[-1])
        if not number:
            return pixels
        opcode = Opcode.VV_MAX if self._layer.shape.kind == "maximum" else Opcode.VV_ADD
        return operated(opcode, pixels, value)


def operated(opcode: Opcode | None, value: Half, operand: Half) -> Half:
    """A point-wise operation; the operand of an activation does not matter."""
    assert opcode is not None
    if opcode in OPERAND:
        return pointwise(opcode, value, operand)
    return apply_half(FUNCTIONS[opcode], np.ascontiguousarray(value))


class PlainLayer:
    """The semantics: interprets the layer's program, instruction by instruction."""

    def __init__(self, layer: BrainwaveLayer) -> None:
        self._layer, self._items = layer, _Items(layer)
        self._interpreter = Interpreter(layer.program, layer.format)
        vectors, tiles = layer.vectors_in_dram(), layer.tiles_in_dram()
        assembled = layer.alone.assembled
        no_vectors, no_tiles = np.empty((0, layer.native), np.float16), Tiles.zeros(0, layer.native)
        self._interpreter.state.load_dram(
            np.concatenate([no_vectors, *(vectors[name] for name in assembled.names_in_dram(tiles=False))]),
            Tiles.joined([no_tiles, *(tiles[name] for name in assembled.names_in_dram(tiles=True))]),
        )
        self._interpreter.run("preamble")

    def run(self, values: Sequence[Floats]) -> tuple[Floats, NDArray[np.bool_]]:
        """The tensors -> the output, float32, and that every item happened: bool [items, 1]."""
        tensors = [self._items.read(value) for value in values]
        made = self._items.gathered(self._step(item) for item in zip(*tensors, strict=True))
        return self._items.write(made, values[0].shape), np.ones((len(made), 1), np.bool_)

    def _step(self, maps: Iterable[Half]) -> Half:
        """Maps [height, width, channels] -> [windows, outputs]."""
        state, shape, native = self._interpreter.state, self._layer.shape, self._layer.native
        for pixels in reversed(list(maps)):  # the other operand arrives before the chain's value
            state.arriving.extend(padded(pixels.ravel(), native))
        self._interpreter.run("body")
        planes = state.take_outputs().reshape(shape.planes, shape.window.count, native)
        return planes.swapaxes(0, 1).reshape(shape.window.count, -1)[:, : shape.outputs]


def restore_layer(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> BrainwaveLayer:
    """The layer that `arrays` came from. Raises ValueError, KeyError or OptionError for arrays that make none."""
    outputs, mantissa_bits, groups = (int(n) for n in typed(arrays, "sizes", np.int64, (3,)))
    has_constant, leaves, reads_map, makes_map = (
        bool(flag) for flag in typed(arrays, "flags", np.bool_, (4,))
    )
    window = Window(*(int(n) for n in typed(arrays, "window", np.int64, (len(fields(Window)),))))
    operation = str(arrays["operation"])
    shape = LayerShape(
        _one_of(arrays, "kind", get_args(LayerKind)),
        window,
        outputs,
        Opcode(operation) if operation else None,
        has_constant,
        groups,
    )
    _check_sizes(shape, arrays)
    number_format = BlockFloat(mantissa_bits, window.native)
    return BrainwaveLayer(
        name,
        shape,
        number_format,
        _weights(arrays, number_format, shape),
        typed(arrays, "constants", np.float16, (len(shape.constants), outputs)),
        tuple(str(source) for source in arrays["sources"]),
        leaves,
        reads_map,
        makes_map,
    )


def _check_sizes(shape: LayerShape, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Refuse sizes that no layer has, and more positions than the program can have chains for."""
    if min(shape.outputs, shape.groups) < 1:
        raise ValueError(f"no layer has {shape.outputs} outputs in {shape.groups} groups")
    positions = shape.window.kernel_height * shape.window.kernel_width
    if shape.kind in POSITIONS and positions > len(arrays["program"]):
        raise ValueError(f"its program is too short for windows of {positions} positions")


def _one_of(arrays: Mapping[str, NDArray[np.generic]], name: str, choices: Sequence[LayerKind]) -> LayerKind:
    for choice in choices:
        if choice == str(arrays[name]):
            return choice
    raise ValueError(f"there is no layer {arrays[name]}")


def _weights(
    arrays: Mapping[str, NDArray[np.generic]], number_format: BlockFloat, shape: LayerShape
) -> Blocks | None:
    if shape.kind != "product":
        return None
    return typed_blocks(arrays, "", number_format, (shape.outputs, shape.window.vectors))

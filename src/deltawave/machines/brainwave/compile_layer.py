"""From a layer that keeps no state to its chains and constants; the arithmetic is that of `compiled_layer`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError
from deltawave.machines.brainwave.compiled_layer import BrainwaveLayer
from deltawave.machines.brainwave.isa import Opcode, Window
from deltawave.machines.brainwave.layer_programs import POSITIONS, LayerKind, LayerShape
from deltawave.machines.brainwave.weights import halves, quantised
from deltawave.network.flow import Feed, Layout, Place, Sizes
from deltawave.network.layers import Conv, Dense, Layer, Pointwise, Pool
from deltawave.numerics.block_float import BlockFloat, Blocks
from deltawave.numerics.half_tables import Half

if TYPE_CHECKING:
    from deltawave.machines.brainwave.machine import Brainwave

OPCODES = {
    "Relu": Opcode.V_RELU,
    "Sigmoid": Opcode.V_SIGM,
    "Tanh": Opcode.V_TANH,
    "Add": Opcode.VV_ADD,
    "Sub": Opcode.VV_A_SUB_B,
    "Mul": Opcode.VV_MUL,
    "Max": Opcode.VV_MAX,
}
MOST_POSITIONS = 1 << 14
"""In a window that is gone through position by position, a chain each; ResNet-50 has 49."""
UNKNOWN_SIZES = (
    "the sizes of its input are not known before it runs; --bind NAME=VALUE (in Python bind=) fixes them"
)


class StaysOnHostError(Exception):
    """The layer stays on the host; the text says why."""


def why_not(machine: Brainwave, layer: Layer, place: Place) -> str:
    """Why the machine does not take a layer that keeps no state; '' if it does."""
    try:
        layer_shape(machine, layer, place)
    except StaysOnHostError as refusal:
        return str(refusal)
    return ""


def compile_layer(machine: Brainwave, layer: Layer, place: Place) -> BrainwaveLayer:
    """Quantise a layer that the machine takes. Raises OptionError for weights beyond float16."""
    shape = layer_shape(machine, layer, place)
    number_format = BlockFloat(machine.mantissa_bits, machine.native_dim)
    makes_map = not isinstance(layer, Dense) and _layout(layer, place) == "map"
    return BrainwaveLayer(
        layer.name,
        shape,
        number_format,
        _weights(number_format, layer, shape),
        _constants(layer, shape, place),
        tuple(feed.source for feed in place.feeds),
        place.leaves,
        makes_map=makes_map,
        reads_map=makes_map or (isinstance(layer, Dense) and shape.window.height * shape.window.width > 1),
    )


def layer_shape(machine: Brainwave, layer: Layer, place: Place) -> LayerShape:
    """What its chains depend on. Raises StaysOnHostError."""
    shapes: dict[type[Layer], Callable[[int, Layer, Place], LayerShape]] = {
        Dense: _dense_shape,
        Conv: _conv_shape,
        Pool: _pool_shape,
        Pointwise: _pointwise_shape,
    }
    if type(layer) not in shapes:
        raise StaysOnHostError(f"has no instruction for {layer.kind}")
    try:
        shape = shapes[type(layer)](machine.native_dim, layer, place)
    except OptionError as beyond_any_window:
        raise StaysOnHostError(str(beyond_any_window)) from None
    positions = shape.window.kernel_height * shape.window.kernel_width
    if shape.kind in POSITIONS and positions > MOST_POSITIONS:
        raise StaysOnHostError(
            f"its windows have {positions} positions, at most {MOST_POSITIONS} are gone through"
        )
    return shape


def _dense_shape(native: int, layer: Layer, place: Place) -> LayerShape:
    dense = cast(Dense, layer)
    outputs, inputs = dense.weights.shape
    return LayerShape("product", _whole_map(native, place.feeds[0], inputs), outputs)


def _whole_map(native: int, feed: Feed, inputs: int) -> Window:
    """The only window of a Dense layer: its vector, or the map that was flattened to it."""
    if feed.layout != "map":
        return Window(native, 1, 1, inputs)
    channels, height, width = _map_sizes(feed.made)
    return Window(native, height, width, channels, kernel_height=height, kernel_width=width)


def _conv_shape(native: int, layer: Layer, place: Place) -> LayerShape:
    conv = cast(Conv, layer)
    if len(conv.strides) > 2:
        raise StaysOnHostError(f"its windows have {len(conv.strides)} dimensions, at most 2 are run")
    window = _window(native, place, conv.weights.shape[2:], conv.strides, conv.dilations, conv.pads)
    is_depthwise = conv.groups > 1 and conv.groups == len(conv.weights) == window.channels
    if is_depthwise:
        return LayerShape("depthwise", window, len(conv.weights))
    return LayerShape("product", window, len(conv.weights), groups=conv.groups)


def _pool_shape(native: int, layer: Layer, place: Place) -> LayerShape:
    pool = cast(Pool, layer)
    channels, *_ = _map_sizes(place.feeds[0].sizes)
    kernel = pool.kernel or place.feeds[0].sizes[2:]
    count = len(kernel)
    if count > 2:
        raise StaysOnHostError(f"its windows have {count} dimensions, at most 2 are run")
    strides, dilations = pool.strides or (1,) * count, pool.dilations or (1,) * count
    window = _window(native, place, kernel, strides, dilations, pool.pads or (0,) * (2 * count))
    is_maximum = "Max" in pool.kind
    counted = pool.pads if pool.counts_padding and pool.pads else (0,) * (2 * count)
    if not is_maximum and not _inside(window, counted):
        raise StaysOnHostError(
            "its windows reach over the edge, so that they average over different numbers of values"
        )
    kind: LayerKind = "maximum" if is_maximum else "average"
    return LayerShape(kind, replace(window, lowest=1) if is_maximum else window, channels)


def _pointwise_shape(native: int, layer: Layer, place: Place) -> LayerShape:
    one = cast(Pointwise, layer)
    if not any(feed.source for feed in place.feeds):
        raise StaysOnHostError("nothing that the machine makes goes into it")
    if any(feed.sizes != place.sizes for feed in place.feeds):
        raise StaysOnHostError("its operands have other sizes than its result")
    window = _pixels(native, _layout(layer, place), place.sizes)
    if one.constant is not None:
        _along_channels(one.constant, _layout(layer, place), place.sizes)
    opcode = OPCODES[one.kind]
    if one.constant_first and opcode is Opcode.VV_A_SUB_B:
        opcode = Opcode.VV_B_SUB_A
    return LayerShape("pointwise", window, window.channels, opcode, has_constant=one.constant is not None)


def _pixels(native: int, layout: Layout, sizes: Sizes) -> Window:
    """The windows of a point-wise operation: every pixel one."""
    if layout != "map":
        if not sizes[-1]:
            raise StaysOnHostError(UNKNOWN_SIZES)
        return Window(native, 1, 1, sizes[-1])
    channels, height, width = _map_sizes(sizes)
    return Window(native, height, width, channels, rows=height, columns=width)


def _layout(layer: Layer, place: Place) -> Layout:
    """Of what it works on, as far as that stays as it was made."""
    if isinstance(layer, Conv | Pool):
        return "map"
    return next((feed.layout for feed in place.feeds if feed.source), "vectors")


def _map_sizes(sizes: Sizes) -> tuple[int, int, int]:
    """Channels, height and width of [batch, channels, *pixels]; a map of one dimension is one row."""
    if len(sizes) not in (3, 4) or not all(sizes[1:]):
        raise StaysOnHostError(UNKNOWN_SIZES)
    return sizes[1], sizes[2] if len(sizes) == 4 else 1, sizes[-1]


def _window(
    native: int,
    place: Place,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
) -> Window:
    """The windows of a convolution or pooling layer; its pads are begins, then ends."""
    channels, height, width = _map_sizes(place.feeds[0].sizes)
    _, rows, columns = _map_sizes(place.sizes)
    (kernel_height, kernel_width), (row_stride, column_stride), (row_dilation, column_dilation) = map(
        _of_rows_and_columns, (kernel, strides, dilations)
    )
    return Window(
        native,
        height,
        width,
        channels,
        kernel_height,
        kernel_width,
        row_stride,
        column_stride,
        row_dilation,
        column_dilation,
        top=pads[0] if len(pads) == 4 else 0,
        left=pads[len(pads) // 2 - 1],
        rows=rows,
        columns=columns,
    )


def _of_rows_and_columns(sizes: Sequence[int], of_one_row: int = 1) -> tuple[int, int]:
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (of_one_row, sizes[0])


def _inside(window: Window, pads: Sequence[int]) -> bool:
    """Whether no window reaches over the edge of the map with these pads, begins and then ends."""
    (top, left), (bottom, right) = (
        _of_rows_and_columns(half, 0) for half in (pads[: len(pads) // 2], pads[len(pads) // 2 :])
    )
    last_row = (window.rows - 1) * window.row_stride + (window.kernel_height - 1) * window.row_dilation
    last_column = (window.columns - 1) * window.column_stride + (
        window.kernel_width - 1
    ) * window.column_dilation
    begins = window.top <= top and window.left <= left
    return (
        begins
        and last_row - window.top < window.height + bottom
        and last_column - window.left < window.width + right
    )


def _weights(number_format: BlockFloat, layer: Layer, shape: LayerShape) -> Blocks | None:
    """The matrix of a product, [outputs, window]: a window's values are ordered by row, column, channel."""
    if shape.kind != "product":
        return None
    assert isinstance(layer, Conv | Dense)
    window, weights = shape.window, layer.weights
    if isinstance(layer, Conv):
        weights = _dense(layer)
    kernel = weights.reshape(shape.outputs, window.channels, window.kernel_height, window.kernel_width)
    matrix = kernel.transpose(0, 2, 3, 1).reshape(shape.outputs, -1)
    return quantised(number_format, layer.name, matrix)


def _dense(conv: Conv) -> NDArray[np.float32]:
    """The weights over all input channels: zero for those of other groups."""
    outputs, channels = len(conv.weights) // conv.groups, conv.weights.shape[1]
    dense = np.zeros((len(conv.weights), channels * conv.groups, *conv.weights.shape[2:]), np.float32)
    for group in range(conv.groups):
        rows, columns = (slice(group * size, (group + 1) * size) for size in (outputs, channels))
        dense[rows, columns] = conv.weights[rows]
    return dense


def _constants(layer: Layer, shape: LayerShape, place: Place) -> Half:
    """Its constants in the order of `shape.constants`, float16 [n, outputs]."""
    rows = np.array(list(_constant_rows(layer, shape, place)), np.float64).reshape(-1, shape.outputs)
    return halves(layer.name, "constant", rows)


def _constant_rows(layer: Layer, shape: LayerShape, place: Place) -> Iterator[NDArray[np.floating]]:
    if isinstance(layer, Conv) and shape.kind == "depthwise":
        yield from layer.weights.reshape(shape.outputs, -1).T
    if isinstance(layer, Conv | Dense):
        yield layer.bias
    if shape.kind == "average":
        yield np.full(shape.outputs, 1 / len(shape.positions))
    if isinstance(layer, Pointwise) and layer.constant is not None:
        yield _along_channels(layer.constant, _layout(layer, place), place.sizes)


def _along_channels(constant: NDArray[np.float32], layout: Layout, sizes: Sizes) -> NDArray[np.float32]:
    """A constant operand, a value for each channel. Raises StaysOnHostError for one that varies along other axes."""
    axis = 1 if layout == "map" else len(sizes) - 1
    wide = (1,) * (len(sizes) - constant.ndim) + constant.shape
    if len(wide) != len(sizes) or constant.size not in (1, sizes[axis]) or wide[axis] != constant.size:
        raise StaysOnHostError("its constant is not one value, or one for each channel")
    return np.broadcast_to(constant.reshape(-1), (sizes[axis],))

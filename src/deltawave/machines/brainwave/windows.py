"""How the windows of a map are unrolled, and in which order memories hold what was computed for each."""

import numpy as np
from numpy.typing import NDArray

from deltawave.machines.brainwave.isa import Chain, Memory, Window
from deltawave.numerics.half_tables import Half


def input_of(chain: Chain, entries: Half) -> Half:
    """What the v_rd of a chain makes of the entries it reads, float16 [n, N]: float16 [times, cols, N]."""
    if chain.window is None:
        return entries[np.newaxis]
    pixels = packed_map if chain.read.memory is Memory.NETQ else plane_map
    return unroll(chain.window, pixels(chain.window, entries))


def in_entries(value: Half) -> Half:
    """A chain's value, float16 [times, vectors, N], as a memory holds it: all windows of a vector, then the next."""
    return value.swapaxes(0, 1).reshape(-1, value.shape[-1])


def of_windows(entries: Half, times: int) -> Half:
    """The inverse of `in_entries`: entries, float16 [vectors * times, N], to float16 [times, vectors, N]."""
    return entries.reshape(-1, times, entries.shape[-1]).swapaxes(0, 1)


def packed_map(window: Window, entries: Half) -> Half:
    """A map as NetQ has it, float16 [n, N], to pixels, float16 [height, width, channels]."""
    shape = window.height, window.width, window.channels
    return entries.ravel()[: np.prod(shape)].reshape(shape)


def plane_map(window: Window, entries: Half) -> Half:
    """A map as a register file or DRAM has it, float16 [n, N], to pixels, float16 [height, width, channels]."""
    planes = entries.reshape(window.planes, window.height, window.width, window.native)
    return np.moveaxis(planes, 0, 2).reshape(window.height, window.width, -1)[..., : window.channels]


def unroll(window: Window, pixels: Half) -> Half:
    """The windows of a map, float16 [height, width, channels]: float16 [count, vectors, N]."""
    outside = -np.inf if window.lowest else 0.0
    framed = np.pad(
        pixels, ((0, 1), (0, 1), (0, 0)), constant_values=outside
    )  # one row and one column behind
    y = _positions(window.rows, window.row_stride, window.top, window.kernel_height, window.row_dilation)
    x = _positions(
        window.columns, window.column_stride, window.left, window.kernel_width, window.column_dilation
    )
    rows, columns = _inside(y, window.height), _inside(x, window.width)
    places = rows[:, None, :, None] * (window.width + 1) + columns[None, :, None, :]
    values = framed.reshape(-1, window.channels).take(places, axis=0).reshape(window.count, -1)
    unrolled = np.zeros((window.count, window.vectors * window.native), np.float16)
    unrolled[:, : values.shape[1]] = values
    return unrolled.reshape(window.count, window.vectors, window.native)


def _positions(windows: int, stride: int, before: int, kernel: int, dilation: int) -> NDArray[np.int64]:
    """The row of the map for each row of windows and each of the kernel, [windows, kernel]; or so with columns."""
    first = np.arange(windows, dtype=np.int64) * stride - before
    return first[:, None] + np.arange(kernel, dtype=np.int64) * dilation


def _inside(positions: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """The positions, those outside of the map moved to the one behind it."""
    return np.where((positions >= 0) & (positions < size), positions, size)

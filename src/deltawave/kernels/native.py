"""A quantised cell in native code: the bits of `machines.deltarnn.semantics`, at the speed of the processor's memory.

Two products give the same bits at theta = 0: `delta` reads only the columns of values that moved, `dense` reads all
weights once a step and takes no threshold. The vector instructions are chosen when the module is loaded; DELTAWAVE_SIMD
(scalar, avx2 or avx512) overrides the choice.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deltawave import _native
from deltawave.errors import InputError, OptionError
from deltawave.kernels.cell import MEMORIES, CellState, QuantisedCell

Mode = Literal["delta", "dense"]
KINDS = ("gru", "gru_before", "lstm", "rnn")
STREAMS = ("x", "h", "r*h")


class NativeCell:
    """A recurrent cell with its state, for whole sequences (`run`) and for streams (`step`).

    Streaming has no arrays to make: write the input into `x`, call `step()`, read `h` and `sent`, which are views of
    the cell's own memory and change with every step. Values are of 16 bits. One thread at a time may use a cell;
    `threads` work on each step. Raises OptionError for a cell or options the kernels do not take.
    """

    step: Callable[[], None]
    """Advance by one step from `x`."""
    x: NDArray[np.int16]
    """The next step's input, int16 [inputs], to be written."""
    h: NDArray[np.int16]
    """The state, int16 [hidden], read-only."""
    sent: NDArray[np.bool_]
    """What the last `step` sent of x, h (and r * h), bool [columns], read-only."""

    def __init__(
        self, cell: QuantisedCell, *, mode: Mode = "delta", threads: int = 1, simd: str | None = None
    ) -> None:
        _check_options(cell, mode, threads)
        self.cell = cell
        self.mode = mode
        self._native = _native_cell(cell, mode, threads, simd)
        self.step = self._native.step
        self.x, self.h, self.sent = self._native.x, self._native.h, self._native.sent
        self.reset()

    @property
    def simd(self) -> str:
        """The vector instructions in use: scalar, avx2 or avx512."""
        return str(self._native.simd)

    @property
    def sent_counts(self) -> dict[str, int]:
        """How many values of each vector were sent since the last reset or load."""
        streams = STREAMS if self.cell.kind == "gru_before" else STREAMS[:2]
        return {name: int(self._native.sent_count(i)) for i, name in enumerate(streams)}

    def run(
        self, xs: NDArray[np.integer], sent: bool = True
    ) -> tuple[NDArray[np.int32], NDArray[np.bool_] | None]:
        """A sequence from the present state: xs [steps, inputs] -> h int32 [steps, hidden] and, if wanted, what was
        sent, bool [steps, columns]. Raises InputError for another shape, or values that are not 16-bit integers.
        """
        inputs = _int16(xs, "xs", (None, self.cell.inputs))
        outputs = np.empty((len(inputs), self.cell.hidden), np.int32)
        flags = np.empty((len(inputs), self.cell.columns), np.bool_) if sent else None
        self._native.run(inputs, outputs, None if flags is None else flags.view(np.uint8))
        return outputs, flags

    def state(self) -> CellState:
        """A copy of everything the cell keeps between steps."""
        s = CellState.initial(self.cell)
        self._native.save(s.h, s.c, s.x_sent, s.h_sent, s.rh_sent, s.memory)
        return s

    def load(self, state: CellState) -> None:
        """Continue from a state. Raises InputError for arrays of the wrong shape or values wider than 16 bits."""
        hidden = self.cell.hidden
        memories = len(MEMORIES[self.cell.kind]) * hidden
        self._native.load(
            _int16(state.h, "h", (hidden,)),
            _int16(state.c, "c", (hidden,)),
            _int16(state.x_sent, "x_sent", (self.cell.inputs,)),
            _int16(state.h_sent, "h_sent", (hidden,)),
            _int16(state.rh_sent, "rh_sent", (hidden,)),
            np.ascontiguousarray(_integers(state.memory, "memory", (memories,)), np.int32),
        )

    def reset(self) -> None:
        """Back to the beginning: zero state, nothing sent."""
        self.load(CellState.initial(self.cell))


def _native_cell(cell: QuantisedCell, mode: Mode, threads: int, simd: str | None) -> "_native.Cell":
    formats = (
        cell.weight_fraction_bits,
        cell.activation.fraction_bits,
        cell.accumulator_bits,
        cell.accumulator_saturates,
        cell.activation.bits,
        cell.activation.overflow == "saturate",
    )
    # A dense product can't saturate column by column: such a cell sends every change instead, with the same bits.
    exact = mode == "dense" and not cell.accumulator_saturates
    theta_x, theta_h = (0, 0) if mode == "dense" else (_theta(cell.theta_x), _theta(cell.theta_h))
    return _native.Cell(
        kind=KINDS.index(cell.kind),
        weights_x=np.ascontiguousarray(cell.weights_x, np.int16),
        weights_h=np.ascontiguousarray(cell.weights_h, np.int16),
        formats=formats,
        gate=np.ascontiguousarray(cell.gate.values, np.int16),
        gate_first=cell.gate.first,
        candidate=np.ascontiguousarray(cell.candidate.values, np.int16),
        candidate_first=cell.candidate.first,
        output=np.ascontiguousarray(cell.output.values, np.int16),
        output_first=cell.output.first,
        dense=exact,
        theta_x=theta_x,
        theta_h=theta_h,
        threads=threads,
        simd=simd,
    )


def _theta(theta: int) -> int:
    """A threshold as the kernels take it: no 16-bit value moves by more than 65,535."""
    return int(np.clip(theta, 0, 1 << 16))


def _check_options(cell: QuantisedCell, mode: str, threads: int) -> None:
    if mode not in ("delta", "dense"):
        raise OptionError(f"a native cell's mode is delta or dense, not {mode!r}")
    if not 1 <= threads <= 64:
        raise OptionError(f"a native cell runs on 1 to 64 threads, not {threads}")
    limits = {
        "activation bits": (cell.activation.bits, 2, 16),
        "activation fraction bits": (cell.activation.fraction_bits, 0, 30),
        "accumulator bits": (cell.accumulator_bits, 2, 32),
        "weight fraction bits": (cell.weight_fraction_bits, 0, 31),
    }
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise OptionError(
                f"native cells have {least} to {most} {name}, this {cell.kind} has {value}; run its semantics"
            )


def _int16(values: NDArray[np.integer], name: str, shape: tuple[int | None, ...]) -> NDArray[np.int16]:
    array = _integers(values, name, shape)
    if array.dtype != np.int16 and array.size and (array.min() < -32768 or array.max() > 32767):
        raise InputError(f"{name} holds 16-bit integers, got values from {array.min()} to {array.max()}")
    return np.ascontiguousarray(array, np.int16)


def _integers(values: NDArray[np.integer], name: str, shape: tuple[int | None, ...]) -> NDArray[np.integer]:
    """`values`, if they have this shape (None: any number of steps)."""
    array = np.asarray(values)
    wanted = ", ".join("steps" if size is None else str(size) for size in shape)
    same_rank = array.ndim == len(shape)
    if not same_rank or any(size not in (None, got) for size, got in zip(shape, array.shape, strict=True)):
        raise InputError(f"{name} is an array [{wanted}] of integers, got the shape {list(array.shape)}")
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"{name} is an array [{wanted}] of integers, got {array.dtype}; quantise it first")
    return array

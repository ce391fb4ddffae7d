"""A recurrent cell in block floating point and float16, in native code: the bits of Brainwave's arithmetic.

Matrix-vector products are exact within a block, add up in float32 over the blocks and round to float16; everything
else is float16, rounded after every operation, in the order that `machines.brainwave.compile` states. The vector
instructions are chosen when the module is loaded; DELTAWAVE_SIMD (scalar, avx2 or avx512) overrides the choice.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deltawave import _native
from deltawave.errors import InputError, OptionError
from deltawave.kernels.cell import GATES, MEMORIES, CellKind
from deltawave.numerics.block_float import BlockFloat, Blocks
from deltawave.numerics.half_tables import Half

KINDS: tuple[CellKind, ...] = ("gru", "gru_before", "lstm", "rnn")
MOST_MANTISSA_BITS = 5
MOST_THREADS = 64
TABLE_ENTRIES = 1 << 16


@dataclass(frozen=True, eq=False)
class BlockFloatCell:
    """One direction of one recurrent layer.

    weights_x, weights_h: blocks along the rows [gates * hidden, inputs or hidden], gate after gate in the order of
    `cell.GATES`; bias: float16 [memories, hidden] in the order of `cell.MEMORIES`; peepholes of an LSTM: float16
    [3, hidden] for i, f, o. Tables, float16 [65536] by bit pattern: gate (r, u, i, f, o), candidate (c, g, and h of an
    rnn), output (of the LSTM's cell state). Raises OptionError for shapes or formats that do not agree.
    """

    kind: CellKind
    inputs: int
    weights_x: Blocks
    weights_h: Blocks
    bias: Half
    gate: Half
    candidate: Half
    output: Half
    peepholes: Half | None = None

    def __post_init__(self) -> None:
        _check_formats(self)
        rows, block = len(GATES[self.kind]) * self.hidden, self.format.block
        _check_shape("bias", self.bias, (len(MEMORIES[self.kind]), self.hidden))
        for name, weights, columns in (
            ("weights_x", self.weights_x, self.inputs),
            ("weights_h", self.weights_h, self.hidden),
        ):
            _check_shape(name, weights.mantissas, (rows, -(-columns // block), block))
        for name, table in (("gate", self.gate), ("candidate", self.candidate), ("output", self.output)):
            _check_shape(name, table, (TABLE_ENTRIES,))
        if self.peepholes is not None:
            _check_shape("peepholes", self.peepholes, (3, self.hidden))

    @property
    def format(self) -> BlockFloat:
        """The format of weights and vectors."""
        return self.weights_x.format

    @property
    def hidden(self) -> int:
        """Size of the state vector."""
        return int(self.bias.shape[-1])


class NativeBlockFloatCell:
    """A block floating point cell with its state, for whole sequences (`run`) and for streams (`step`).

    Streaming has no arrays to make: write the input into `x`, call `step()`, read `h`, a view of the cell's own memory
    that changes with every step. In products infinities count as +-65504 and NaN as 0. One thread at a time may use a
    cell; `threads` work on each step. Raises OptionError for threads other than 1 to 64, and vector instructions that
    do not exist or that this processor lacks.
    """

    step: Callable[[], None]
    """Advance by one step from `x`."""
    x: Half
    """The next step's input, float16 [inputs], to be written."""
    h: Half
    """The state, float16 [hidden], read-only."""
    c: Half
    """The LSTM's cell state, float16 [hidden], read-only; zero for other cells."""

    def __init__(self, cell: BlockFloatCell, *, threads: int = 1, simd: str | None = None) -> None:
        if not 1 <= threads <= MOST_THREADS:
            raise OptionError(f"a native cell runs on 1 to {MOST_THREADS} threads, not {threads}")
        self.cell = cell
        self._native = _native_cell(cell, threads, simd)
        self.step = self._native.step
        self.x = self._native.x.view(np.float16)
        self.h = self._native.h.view(np.float16)
        self.c = self._native.c.view(np.float16)

    @property
    def simd(self) -> str:
        """The vector instructions in use: scalar, avx2 or avx512."""
        return str(self._native.simd)

    def run(self, xs: Half) -> Half:
        """A sequence from the present state: xs float16 [steps, inputs] -> h float16 [steps, hidden].

        Raises InputError for another shape or type.
        """
        inputs = _halves("xs", xs, (None, self.cell.inputs))
        outputs = np.empty((len(inputs), self.cell.hidden), np.float16)
        self._native.run(_bits(inputs), _bits(outputs))
        return outputs

    def load(self, h: Half, c: Half | None = None) -> None:
        """Continue from a state, float16 [hidden] each. Raises InputError for another shape or type."""
        shape = (self.cell.hidden,)
        cell_state = np.zeros(shape, np.float16) if c is None else _halves("c", c, shape)
        self._native.load(_bits(_halves("h", h, shape)), _bits(cell_state))

    def reset(self) -> None:
        """Back to the beginning: a state of zeros."""
        self.load(np.zeros(self.cell.hidden, np.float16))


def _native_cell(cell: BlockFloatCell, threads: int, simd: str | None) -> "_native.BlockFloatCell":
    return _native.BlockFloatCell(
        kind=KINDS.index(cell.kind),
        inputs=cell.inputs,
        hidden=cell.hidden,
        mantissa_bits=cell.format.mantissa_bits,
        weights_x=np.ascontiguousarray(cell.weights_x.mantissas),
        exponents_x=np.ascontiguousarray(cell.weights_x.exponents),
        weights_h=np.ascontiguousarray(cell.weights_h.mantissas),
        exponents_h=np.ascontiguousarray(cell.weights_h.exponents),
        bias=_bits(cell.bias).ravel(),
        peepholes=None if cell.peepholes is None else _bits(cell.peepholes).ravel(),
        gate=_bits(cell.gate),
        candidate=_bits(cell.candidate),
        output=_bits(cell.output),
        threads=threads,
        simd=simd,
    )


def _bits(values: Half) -> NDArray[np.uint16]:
    return np.ascontiguousarray(values, np.float16).view(np.uint16)


def _check_formats(cell: BlockFloatCell) -> None:
    if cell.weights_h.format != cell.weights_x.format:
        raise OptionError(
            f"weights_x and weights_h have one format, not {cell.weights_x.format} and {cell.weights_h.format}"
        )
    if cell.format.mantissa_bits > MOST_MANTISSA_BITS:
        raise OptionError(
            f"block floating point cells have 1 to {MOST_MANTISSA_BITS} mantissa bits, this {cell.kind} has "
            f"{cell.format.mantissa_bits}; run its semantics"
        )
    if cell.peepholes is not None and cell.kind != "lstm":
        raise OptionError(f"peepholes are an LSTM's, this is a {cell.kind}; leave them out")


def _check_shape(name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise OptionError(f"{name} has the shape {list(shape)}, got {list(array.shape)}")


def _halves(name: str, values: Half, shape: tuple[int | None, ...]) -> Half:
    """`values`, if they are float16 of this shape (None: any number of steps)."""
    array = np.asarray(values)
    wanted = ", ".join("steps" if size is None else str(size) for size in shape)
    same_rank = array.ndim == len(shape)
    if not same_rank or any(size not in (None, got) for size, got in zip(shape, array.shape, strict=True)):
        raise InputError(f"{name} is a float16 array [{wanted}], got the shape {list(array.shape)}")
    if array.dtype != np.float16:
        raise InputError(f"{name} is a float16 array [{wanted}], got {array.dtype}; convert it first")
    return np.ascontiguousarray(array)

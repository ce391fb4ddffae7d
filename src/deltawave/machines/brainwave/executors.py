"""Runs one compiled cell: float32 in and out, float16 and block floating point between."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.block_float_cell import NativeBlockFloatCell
from deltawave.machines.base import Floats
from deltawave.machines.brainwave.isa import Memory
from deltawave.machines.brainwave.semantics import Interpreter, Tiles
from deltawave.numerics.half_tables import Half

if TYPE_CHECKING:
    from deltawave.machines.brainwave.compiled import BrainwaveCell


class PlainExecutor:
    """The semantics: interprets the cell's program, instruction by instruction."""

    def __init__(self, compiled: BrainwaveCell) -> None:
        self._compiled = compiled
        self._interpreter = Interpreter(compiled.program, compiled.cell.format)
        tiles, self._assembled = compiled.tiles_in_dram(), compiled.assembled
        self._tiles = Tiles.joined([tiles[name] for name in self._assembled.names_in_dram(tiles=True)])
        self.reset(None, None)

    def reset(self, h: Floats | None, c: Floats | None) -> None:
        """Put h and c (zero if None) into DRAM and run the preamble."""
        states = (None if state is None else to_half(state) for state in (h, c))
        contents = self._compiled.vectors_in_dram(*states)
        vectors = [contents[name] for name in self._assembled.names_in_dram(tiles=False)]
        self._interpreter.state.load_dram(np.concatenate(vectors), self._tiles)
        self._interpreter.run("preamble")

    def run(self, x: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """x: float32 [steps, inputs] -> h: float32 [steps, hidden]; every step happened: bool [steps, 1]."""
        outputs = np.empty((len(x), self._compiled.cell.hidden), np.float32)
        for t, vector in enumerate(to_half(x)):
            outputs[t] = self._step(vector)
        return outputs, np.ones((len(x), 1), np.bool_)

    def _step(self, x: Half) -> Half:
        padded = np.zeros((self._compiled.program.vectors_per_step, self._compiled.native), np.float16)
        padded.reshape(-1)[: len(x)] = x
        self._interpreter.state.arriving.extend(padded)
        self._interpreter.run("body")
        return self._interpreter.state.take_outputs()[: self._compiled.cell.hidden]

    def final(self) -> tuple[Floats, Floats]:
        """h and c after the last step (c is zero but for an LSTM), float32 [hidden]."""
        h = self._vector("h_prev")
        return h, self._vector("ct") if self._compiled.cell.kind == "lstm" else np.zeros_like(h)

    def _vector(self, name: str) -> Floats:
        first = self._compiled.assembled.index(Memory.INITIAL_VRF, name)
        flat = self._interpreter.state.vectors[Memory.INITIAL_VRF, 0][first:].reshape(-1)
        return flat[: self._compiled.cell.hidden].astype(np.float32)


class NativeExecutor:
    """The kernels."""

    def __init__(self, compiled: BrainwaveCell) -> None:
        self._native = NativeBlockFloatCell(compiled.cell)

    def reset(self, h: Floats | None, c: Floats | None) -> None:
        """Start from h and, for an LSTM, c (zero if None)."""
        h_half = to_half(np.zeros(self._native.cell.hidden, np.float32) if h is None else h)
        self._native.load(h_half, None if c is None or self._native.cell.kind != "lstm" else to_half(c))

    def run(self, x: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """x: float32 [steps, inputs] -> h: float32 [steps, hidden]; every step happened: bool [steps, 1]."""
        return self._native.run(to_half(x)).astype(np.float32), np.ones((len(x), 1), np.bool_)

    def final(self) -> tuple[Floats, Floats]:
        """h and c after the last step (c is zero but for an LSTM), float32 [hidden]."""
        return self._native.h.astype(np.float32), self._native.c.astype(np.float32)


def to_half(values: Floats) -> Half:
    """float32 to float16; what is too large becomes an infinity, as in the machine's network interface."""
    with np.errstate(over="ignore"):
        return values.astype(np.float16)

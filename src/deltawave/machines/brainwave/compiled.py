"""A cell as Brainwave holds it: weights in block floating point, the rest in float16, and its program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError, ProgramError
from deltawave.kernels.block_float_cell import BlockFloatCell
from deltawave.kernels.cell import CellKind
from deltawave.machines.base import Compiled, Executor
from deltawave.machines.brainwave.assembler import Assembled
from deltawave.machines.brainwave.cell_programs import GATES, MEMORIES, PEEPHOLES, CellShape, cell_program
from deltawave.machines.brainwave.encoding import encode
from deltawave.machines.brainwave.executors import NativeExecutor, PlainExecutor
from deltawave.machines.brainwave.isa import BwProgram
from deltawave.machines.brainwave.listing import listing
from deltawave.machines.brainwave.semantics import Tiles
from deltawave.numerics.block_float import BlockFloat, Blocks
from deltawave.numerics.half_tables import HALF_FUNCTIONS, Half, half_table


@dataclass(frozen=True, eq=False)
class BrainwaveCell:
    """A compiled cell. activations: the names of the cell's tables (gate, candidate, output)."""

    name: str
    cell: BlockFloatCell
    activations: tuple[str, str, str]

    @property
    def native(self) -> int:
        """The native dimension."""
        return self.cell.format.block

    def vectors(self, size: int) -> int:
        """Native vectors that so many values take."""
        return -(-size // self.native)

    @cached_property
    def assembled(self) -> Assembled:
        """Its program, with the names of what the memories hold."""
        c = self.cell
        inputs, hidden = self.vectors(c.inputs), self.vectors(c.hidden)
        return cell_program(CellShape(c.kind, inputs, hidden, self.activations, c.peepholes is not None))

    @property
    def program(self) -> BwProgram:
        """Its instructions."""
        return self.assembled.program

    @property
    def tiles(self) -> int:
        """Tiles of MatrixRf that it needs."""
        return self.program.dram_tiles

    def dram_vectors(self, h: Half, c: Half) -> Half:
        """The vectors that DRAM holds before the preamble, to start from h and c: float16 [entries, N]."""
        contents = {"h_prev": self._padded(h), "c_prev": self._padded(c)}
        for gate, bias in zip(MEMORIES[self.cell.kind], self.cell.bias, strict=True):
            contents[f"b{gate}"] = self._padded(bias, self._bias_padding(gate))
        if self.cell.peepholes is not None:
            for gate, peephole in zip(PEEPHOLES, self.cell.peepholes, strict=True):
                contents[f"p{gate}"] = self._padded(peephole)
        return np.concatenate([contents[name] for name in self.assembled.names_in_dram(tiles=False)])

    def dram_tiles(self) -> Tiles:
        """The tiles that DRAM holds: the weights, gate by gate."""
        contents: dict[str, Tiles] = {}
        for name, weights in (("W", self.cell.weights_x), ("U", self.cell.weights_h)):
            for k, gate in enumerate(GATES[self.cell.kind]):
                rows = slice(k * self.cell.hidden, (k + 1) * self.cell.hidden)
                contents[name + gate] = tiles_of(weights, rows)
        return Tiles.joined([contents[name] for name in self.assembled.names_in_dram(tiles=True)])

    def _bias_padding(self, gate: str) -> float:
        """What keeps the padding of h and c at zero: a sigmoid's output must be zero there."""
        activation = self.activations[1 if gate in "gch" else 0]
        return -np.inf if activation == "sigmoid" and gate != "d" else 0.0

    def _padded(self, values: Half, padding: float = 0.0) -> Half:
        padded = np.full(self.vectors(len(values)) * self.native, padding, np.float16)
        padded[: len(values)] = values
        return padded.reshape(-1, self.native)

    @property
    def column_words(self) -> None:
        """Every value is sent."""

    def executor(self, *, plain: bool = False) -> Executor:
        """A fresh executor: the fast kernels, or with `plain` the NumPy semantics. The same bits."""
        return PlainExecutor(self) if plain else NativeExecutor(self)

    def listing(self) -> str:
        """The program as text, under a comment with the cell's sizes and formats."""
        c = self.cell
        return (
            f"# cell {self.name} {c.kind} inputs={c.inputs} hidden={c.hidden} native={self.native}"
            f" mantissa_bits={c.format.mantissa_bits} tiles={self.tiles}\n" + listing(self.program)
        )

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything, as arrays by name; `restore` is the inverse."""
        c = self.cell
        return {
            "kind": np.array(c.kind),
            "activations": np.array(self.activations),
            "sizes": np.array([c.inputs, c.hidden, self.native, c.format.mantissa_bits], np.int64),
            "mantissas_x": c.weights_x.mantissas,
            "exponents_x": c.weights_x.exponents,
            "mantissas_h": c.weights_h.mantissas,
            "exponents_h": c.weights_h.exponents,
            "bias": c.bias,
            "peepholes": np.empty((0, c.hidden), np.float16) if c.peepholes is None else c.peepholes,
            "program": np.frombuffer(encode(self.program), np.uint8),
        }


def tiles_of(weights: Blocks, rows: slice) -> Tiles:
    """Some rows of a matrix as native tiles, row by row, filled up with zeros."""
    mantissas, exponents = weights.mantissas[rows], weights.exponents[rows]
    count, cols, native = mantissas.shape
    filled = -(-count // native) * native
    m, e = np.zeros((filled, cols, native), np.int8), np.zeros((filled, cols), np.int8)
    m[:count], e[:count] = mantissas, exponents
    return Tiles(
        m.reshape(-1, native, cols, native).swapaxes(1, 2).reshape(-1, native, native),
        e.reshape(-1, native, cols).swapaxes(1, 2).reshape(-1, native),
    )


def brainwave_cell(cell: Compiled) -> BrainwaveCell:
    """The cell of a program that a Brainwave machine compiled."""
    assert isinstance(cell, BrainwaveCell)
    return cell


def restore(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> BrainwaveCell:
    """The cell that `arrays` came from. Raises ProgramError for arrays that make no cell."""
    try:
        cell = _compiled(name, arrays)
        _check_program(cell, arrays)
    except (KeyError, ValueError, IndexError, TypeError, OptionError) as error:
        raise ProgramError(
            f"cell {name} of the program file is damaged ({error!r}); compile the network again"
        ) from None
    return cell


def _check_program(cell: BrainwaveCell, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    code = np.frombuffer(encode(cell.program), np.uint8)
    if not np.array_equal(_typed(arrays, "program", np.uint8, code.shape), code):
        raise ValueError("its instructions are not those of the cell")


def _compiled(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> BrainwaveCell:
    kind, activations = str(arrays["kind"]), tuple(str(activation) for activation in arrays["activations"])
    if kind not in get_args(CellKind):
        raise ValueError(f"there is no cell {kind}")
    inputs, hidden, native, mantissa_bits = (int(n) for n in _typed(arrays, "sizes", np.int64, (4,)))
    if min(inputs, hidden, native) < 1:
        raise ValueError(f"no cell has {inputs} inputs, {hidden} units and native dimension {native}")
    number_format, rows = BlockFloat(mantissa_bits, native), len(GATES[kind]) * hidden
    return assemble_cell(
        name,
        cast(CellKind, kind),
        inputs,
        (
            _blocks(arrays, "x", number_format, rows, inputs),
            _blocks(arrays, "h", number_format, rows, hidden),
        ),
        _typed(arrays, "bias", np.float16, (len(MEMORIES[kind]), hidden)),
        _typed(arrays, "peepholes", np.float16, (3, hidden)) if len(arrays["peepholes"]) else None,
        activations,
    )


def assemble_cell(
    name: str,
    kind: CellKind,
    inputs: int,
    weights: tuple[Blocks, Blocks],
    bias: Half,
    peepholes: Half | None,
    activations: tuple[str, ...],
) -> BrainwaveCell:
    """The compiled cell of these parts, as `BlockFloatCell` has them. Raises ValueError for unknown activations."""
    unknown = [activation for activation in activations if activation not in HALF_FUNCTIONS]
    if unknown or len(activations) != 3:
        raise ValueError(f"gate, candidate and output cannot be {', '.join(activations)}")
    gate, candidate, output = activations
    cell = BlockFloatCell(
        kind, inputs, *weights, bias, half_table(gate), half_table(candidate), half_table(output), peepholes
    )
    return BrainwaveCell(name, cell, (gate, candidate, output))


def _blocks(
    arrays: Mapping[str, NDArray[np.generic]], name: str, number_format: BlockFloat, rows: int, columns: int
) -> Blocks:
    shape = (rows, -(-columns // number_format.block))
    mantissas = _typed(arrays, f"mantissas_{name}", np.int8, (*shape, number_format.block))
    exponents = _typed(arrays, f"exponents_{name}", np.int8, shape)
    if (
        np.abs(mantissas.astype(np.int16)).max() > number_format.highest
        or not -15 <= exponents.min() <= exponents.max() <= 16
    ):
        raise ValueError(f"weights_{name} are not of the format")
    return Blocks(number_format, mantissas, exponents)


def _typed(
    arrays: Mapping[str, NDArray[np.generic]], name: str, kind: type, shape: tuple[int, ...]
) -> NDArray[Any]:
    """The array of that name, which must have this type and shape."""
    array = arrays[name]
    if array.dtype != np.dtype(kind) or array.shape != shape:
        raise ValueError(f"{name} is {array.dtype} {array.shape}")
    return array

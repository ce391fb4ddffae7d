"""A cell as Brainwave holds it: weights in block floating point, the rest in float16, and its program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.block_float_cell import BlockFloatCell
from deltawave.kernels.cell import CellKind
from deltawave.machines.base import Executor
from deltawave.machines.brainwave.assembler import Assembled
from deltawave.machines.brainwave.cell_programs import GATES, MEMORIES, PEEPHOLES, CellShape, cell_program
from deltawave.machines.brainwave.encoding import encode
from deltawave.machines.brainwave.executors import NativeExecutor, PlainExecutor
from deltawave.machines.brainwave.grouping import Resident
from deltawave.machines.brainwave.isa import BwProgram
from deltawave.machines.brainwave.listing import listing
from deltawave.machines.brainwave.semantics import Tiles
from deltawave.machines.brainwave.stored import typed, typed_blocks
from deltawave.machines.brainwave.tiles import padded, tiles_of
from deltawave.numerics.block_float import BlockFloat, Blocks
from deltawave.numerics.half_tables import HALF_FUNCTIONS, Half, half_table


@dataclass(frozen=True, eq=False)
class BrainwaveCell:
    """A compiled cell. activations: the names of the cell's tables (gate, candidate, output).

    `source`: the cell or layer that makes x, '' for the host; `leaves`: whether anything but those linked to it read h.
    """

    name: str
    cell: BlockFloatCell
    activations: tuple[str, str, str]
    source: str = ""
    leaves: bool = True

    @property
    def native(self) -> int:
        """The native dimension."""
        return self.cell.format.block

    def vectors(self, size: int) -> int:
        """Native vectors that so many values take."""
        return -(-size // self.native)

    @property
    def shape(self) -> CellShape:
        """What its program depends on."""
        c = self.cell
        inputs, hidden = self.vectors(c.inputs), self.vectors(c.hidden)
        return CellShape(c.kind, inputs, hidden, self.activations, c.peepholes is not None)

    @cached_property
    def assembled(self) -> Assembled:
        """The program of this cell alone, with the names of what the memories hold."""
        return cell_program(self.shape)

    @property
    def program(self) -> BwProgram:
        """Its instructions."""
        return self.assembled.program

    @property
    def products(self) -> int:
        """Multiply-accumulates of a step, without padding."""
        return len(self.cell.weights_x.exponents) * (self.cell.inputs + self.cell.hidden)

    @property
    def tiles(self) -> int:
        """Tiles of MatrixRf that it needs."""
        return self.program.dram_tiles

    @property
    def resident(self) -> Resident:
        """As it stands on a device."""
        return Resident(self.name, self.shape, (self.source,), self.leaves)

    def vectors_in_dram(self, h: Half | None = None, c: Half | None = None) -> dict[str, Half]:
        """What DRAM holds before the preamble, to start from h and c (zero if None): float16 [vectors, N] by name."""
        zeros = np.zeros(self.cell.hidden, np.float16)
        contents = {"h_prev": self._padded(zeros if h is None else h)}
        if self.cell.kind == "lstm":
            contents["c_prev"] = self._padded(zeros if c is None else c)
        for gate, bias in zip(MEMORIES[self.cell.kind], self.cell.bias, strict=True):
            contents[f"b{gate}"] = self._padded(bias, self._bias_padding(gate))
        if self.cell.peepholes is not None:
            for gate, peephole in zip(PEEPHOLES, self.cell.peepholes, strict=True):
                contents[f"p{gate}"] = self._padded(peephole)
        return contents

    def tiles_in_dram(self) -> dict[str, Tiles]:
        """The tiles that DRAM holds by name: the weights, gate by gate."""
        contents: dict[str, Tiles] = {}
        for name, weights in (("W", self.cell.weights_x), ("U", self.cell.weights_h)):
            for k, gate in enumerate(GATES[self.cell.kind]):
                rows = slice(k * self.cell.hidden, (k + 1) * self.cell.hidden)
                contents[name + gate] = tiles_of(weights, rows)
        return contents

    def _padded(self, values: Half, padding: float = 0.0) -> Half:
        return padded(values, self.native, padding)

    def _bias_padding(self, gate: str) -> float:
        """What keeps the padding of h and c at zero: a sigmoid's output must be zero there."""
        activation = self.activations[1 if gate in "gch" else 0]
        return -np.inf if activation == "sigmoid" and gate != "d" else 0.0

    @property
    def column_words(self) -> None:
        """Every value is sent."""

    def executor(self, *, plain: bool = False) -> Executor:
        """A fresh executor: the fast kernels, or with `plain` the NumPy semantics. The same bits."""
        return PlainExecutor(self) if plain else NativeExecutor(self)

    @property
    def head(self) -> str:
        """A comment with the cell's sizes and formats."""
        c = self.cell
        return (
            f"# cell {self.name} {c.kind} inputs={c.inputs} hidden={c.hidden} native={self.native}"
            f" mantissa_bits={c.format.mantissa_bits} tiles={self.tiles}"
        )

    def listing(self) -> str:
        """The program of the cell alone as text."""
        return f"{self.head}\n{listing(self.program)}"

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
            "source": np.array(self.source),
            "leaves": np.array(self.leaves),
            "program": np.frombuffer(encode(self.program), np.uint8),
        }


def restore_cell(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> BrainwaveCell:
    """The cell that `arrays` came from. Raises ValueError, KeyError or OptionError for arrays that make none."""
    kind, activations = str(arrays["kind"]), tuple(str(activation) for activation in arrays["activations"])
    if kind not in get_args(CellKind):
        raise ValueError(f"there is no cell {kind}")
    inputs, hidden, native, mantissa_bits = (int(n) for n in typed(arrays, "sizes", np.int64, (4,)))
    if min(inputs, hidden, native) < 1:
        raise ValueError(f"no cell has {inputs} inputs, {hidden} units and native dimension {native}")
    number_format, rows = BlockFloat(mantissa_bits, native), len(GATES[kind]) * hidden
    cell = assemble_cell(
        name,
        cast(CellKind, kind),
        inputs,
        (
            typed_blocks(arrays, "_x", number_format, (rows, -(-inputs // native))),
            typed_blocks(arrays, "_h", number_format, (rows, -(-hidden // native))),
        ),
        typed(arrays, "bias", np.float16, (len(MEMORIES[kind]), hidden)),
        typed(arrays, "peepholes", np.float16, (3, hidden)) if len(arrays["peepholes"]) else None,
        activations,
    )
    return replace(cell, source=str(arrays["source"]), leaves=bool(arrays["leaves"]))


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

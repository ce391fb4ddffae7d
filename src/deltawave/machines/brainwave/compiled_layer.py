"""A layer that keeps no state as Brainwave holds it, and how it is run.

The arithmetic, operation by operation; f16 and mv as for cells (`compile`). Elements of a window are ordered by row,
column, channel; a Dense layer that reads a flattened map takes the map as one window.

    Dense, Conv     y = f16(mv(W, window) + b)
    depthwise Conv  y = f16(w_0 * x_0); y = f16(y + b); then for every further position y = f16(f16(w_p * x_p) + y)
    MaxPool         y = max over positions
    AveragePool     y = x_0; y = f16(x_p + y) for every further position; y = f16(y * f16(1 / positions))
    others          y = f16(a op b), or the table of the activation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError, ProgramError
from deltawave.kernels.block_float_product import NativeBlockFloatProduct
from deltawave.machines.base import Compiled, Floats, LayerExecutor
from deltawave.machines.brainwave.isa import OPERAND, BwProgram, Opcode, Window
from deltawave.machines.brainwave.layer_programs import LayerKind, LayerShape
from deltawave.machines.brainwave.semantics import FUNCTIONS, Interpreter, Tiles, pointwise
from deltawave.machines.brainwave.windows import unroll
from deltawave.numerics.block_float import BlockFloat, Blocks
from deltawave.numerics.half_tables import Half, apply_half


@dataclass(frozen=True, eq=False)
class BrainwaveLayer:
    """A compiled layer. `vectors`: float16 [n, outputs], its constants in the order of `shape.constants`.

    `sources`: the cells that make what it reads, '' for the host; `leaves`: whether anything but cells linked to it
    reads what it makes. `makes_map`: whether its output is a map, [items, channels, *pixels], or vectors.
    """

    name: str
    shape: LayerShape
    format: BlockFloat
    weights: Blocks | None
    vectors: Half
    sources: tuple[str, ...]
    leaves: bool
    makes_map: bool
    reads_map: bool
    column_words: None = field(default=None, init=False)

    @cached_property
    def program(self) -> BwProgram:
        """The program of this layer alone: from NetQ to NetQ."""
        from deltawave.machines.brainwave.device import alone  # which places layers of both kinds

        return alone(self).program

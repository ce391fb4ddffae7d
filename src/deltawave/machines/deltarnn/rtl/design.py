"""The design for a cell: its shape, its core, and what the core's memories are loaded with."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.deltarnn.compiled import DeltaCell, delta_cell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.machine_spartus import Spartus
from deltawave.machines.deltarnn.rtl import images, sparse_images
from deltawave.machines.deltarnn.rtl.core import Core
from deltawave.machines.deltarnn.rtl.image import Image
from deltawave.machines.deltarnn.rtl.limits import check_limits, check_stack
from deltawave.machines.deltarnn.rtl.shape import CoreShape, core_shape
from deltawave.machines.deltarnn.rtl.sparse import SparseShape, sparse_shape
from deltawave.machines.deltarnn.rtl.sparse_core import SparseCore
from deltawave.machines.deltarnn.rtl.stack import may_stack, stacks
from deltawave.machines.program import Program


def legal_shape(machine: DeltaMachine, cell: QuantisedCell, name: str) -> CoreShape:
    """What the design for a cell depends on. Raises OptionError for parameters that no design of ours can meet, or a
    size that is too large; the message names it."""
    shape = _shape(machine, cell, name)
    check_limits(machine, shape)
    return shape


def stacked_shape(machine: DeltaMachine, cells: Sequence[DeltaCell], name: str) -> CoreShape:
    """The design for cells that run one after the other, each fed by the one before (see `may_stack`). Raises
    OptionError."""
    shapes = [
        replace(legal_shape(machine, compiled.cell, name), input_shift=compiled.input_shift)
        for compiled in cells
    ]
    shape = replace(shapes[0], others=tuple(shapes[1:]))
    assert all(may_stack(one, other) for one, other in pairwise(shapes))
    check_stack(machine, shape)
    return shape


def cores(program: Program) -> list[tuple[str, ...]]:
    """The cells of each core of a program, by name. Raises OptionError."""
    machine = program.machine
    assert isinstance(machine, DeltaMachine)
    shapes = {
        name: legal_shape(machine, delta_cell(cell).cell, "core") for name, cell in program.cells.items()
    }
    return stacks(program, shapes)


def _shape(machine: DeltaMachine, cell: QuantisedCell, name: str) -> CoreShape:
    if isinstance(machine, Spartus):
        return sparse_shape(machine, cell, name)
    return core_shape(machine, cell, name)


def core_of(shape: CoreShape) -> Core:
    """The core, not yet elaborated."""
    return SparseCore(shape) if isinstance(shape, SparseShape) else Core(shape)


def images_of(shape: CoreShape) -> tuple[Image, ...]:
    """Everything that is loaded."""
    return sparse_images.images(shape) if isinstance(shape, SparseShape) else images.images(shape)

"""The design for a cell: its shape, its core, and what the core's memories are loaded with."""

from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.machine_spartus import Spartus
from deltawave.machines.deltarnn.rtl import images, sparse_images
from deltawave.machines.deltarnn.rtl.core import Core
from deltawave.machines.deltarnn.rtl.image import Image
from deltawave.machines.deltarnn.rtl.limits import check_limits
from deltawave.machines.deltarnn.rtl.shape import CoreShape, core_shape
from deltawave.machines.deltarnn.rtl.sparse import SparseShape, sparse_shape
from deltawave.machines.deltarnn.rtl.sparse_core import SparseCore


def legal_shape(machine: DeltaMachine, cell: QuantisedCell, name: str) -> CoreShape:
    """What the design for a cell depends on. Raises OptionError for parameters that no design of ours can meet, or a
    size that is too large; the message names it."""
    shape = _shape(machine, cell, name)
    check_limits(machine, shape)
    return shape


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

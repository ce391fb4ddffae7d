"""What Brainwave compiles: cells and layers, and either from the arrays of a program file."""

from collections.abc import Sequence

import numpy as np

from deltawave.errors import OptionError, ProgramError
from deltawave.machines.base import Compiled
from deltawave.machines.brainwave.compiled import BrainwaveCell, restore_cell
from deltawave.machines.brainwave.compiled_layer import BrainwaveLayer, restore_layer
from deltawave.machines.brainwave.encoding import encode
from deltawave.machines.brainwave.stored import Arrays, typed

Unit = BrainwaveCell | BrainwaveLayer


def units(cells: Sequence[Compiled]) -> list[Unit]:
    """The parts of a program that a Brainwave machine compiled."""
    return [unit(cell) for cell in cells]


def unit(cell: Compiled) -> Unit:
    """A part of a program that a Brainwave machine compiled."""
    assert isinstance(cell, BrainwaveCell | BrainwaveLayer)
    return cell


def restore(name: str, arrays: Arrays) -> Unit:
    """The part that `arrays` came from. Raises ProgramError for arrays that make none."""
    try:
        part = (restore_cell if "mantissas_x" in arrays else restore_layer)(name, arrays)
        _check_program(part, arrays)
    except (KeyError, ValueError, IndexError, TypeError, StopIteration, OptionError) as error:
        raise ProgramError(
            f"cell {name} of the program file is damaged ({error!r}); compile the network again"
        ) from None
    return part


def _check_program(part: Unit, arrays: Arrays) -> None:
    code = np.frombuffer(encode(part.program), np.uint8)
    if not np.array_equal(typed(arrays, "program", np.uint8, code.shape), code):
        raise ValueError("its instructions are not those of the cell")

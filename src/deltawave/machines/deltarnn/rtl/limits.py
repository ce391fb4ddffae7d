"""How large a design may get: what its counters hold, and what can be written and simulated in reasonable time."""

from deltawave.errors import OptionError
from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.rtl.shape import CoreShape, core_shape

MOST_LANES = 1 << 12
MOST_RATE = 1 << 10
MOST_LATENCY_CYCLES = 1 << 10
MOST_PASS_CYCLES = (1 << 32) - 1
MOST_ELEMENTS = (1 << 16) - 1
MOST_COLUMNS = (1 << 17) - 1


def legal_shape(machine: DeltaMachine, cell: QuantisedCell, name: str) -> CoreShape:
    """The design for a cell. Raises OptionError for parameters that no design of ours can meet, or a size that is too
    large; the message names it."""
    shape = core_shape(machine, cell, name)
    _check_sizes(machine, shape)
    return shape


def _check_sizes(machine: DeltaMachine, shape: CoreShape) -> None:
    column_words = max(shape.column_words(source) for source in range(shape.sources))
    for what, size, most in (
        ("multipliers", shape.channels * shape.lanes, MOST_LANES),
        ("elements compared in a cycle", max(shape.input_rate, shape.hidden_rate), MOST_RATE),
        ("values sent in a cycle", shape.scheduler_rate, MOST_RATE),
        ("cycles of the encoder", shape.encoder_latency_cycles, MOST_LATENCY_CYCLES),
        ("cycles from weight to sum", shape.sum_latency_cycles, MOST_LATENCY_CYCLES),
        ("places of the FIFO", shape.fifo_depth, MOST_ELEMENTS),
        ("cycles of an activation pass", shape.pass_cycles, MOST_PASS_CYCLES),
        ("elements of a vector", max(shape.cell.inputs, shape.cell.hidden), MOST_ELEMENTS),
        ("words of a column", column_words, MOST_ELEMENTS),
        ("columns", shape.cell.columns, MOST_COLUMNS),
    ):
        if size > most:
            raise OptionError(f"{machine.name}: {size} {what}; the RTL is written for up to {most}")

"""How large a design may get: what its counters hold, and what can be written and simulated in reasonable time."""

from deltawave.errors import OptionError
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.rtl.shape import CoreShape

MOST_LANES = 1 << 12
MOST_RATE = 1 << 10
MOST_LATENCY_CYCLES = 1 << 10
MOST_PASS_CYCLES = (1 << 32) - 1
MOST_ELEMENTS = (1 << 16) - 1
MOST_COLUMNS = (1 << 17) - 1


def check_stack(machine: DeltaMachine, shape: CoreShape) -> None:
    """Raise OptionError, naming the size, for cells that are together too large."""
    columns = sum(layer.cell.columns for layer in shape.layers)
    if columns > MOST_COLUMNS:
        raise OptionError(
            f"{machine.name}: {columns} columns of {len(shape.layers)} cells on one core; the RTL is written for up to "
            f"{MOST_COLUMNS}"
        )


def check_limits(machine: DeltaMachine, shape: CoreShape) -> None:
    """Raise OptionError, naming the size, for a design that is too large."""
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

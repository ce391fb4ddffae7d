"""What a run costs on a delta machine.

Two bases of energy, which do not add. "operations": what was done, times the energy of each operation in an
ASIC of 28 nm; it holds for any parameters and compares machines like with like, so it is the headline.
"published power": the measured power of the built FPGA board times the run's time; given only for a machine
with the parameters of the built one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from deltawave.hardware import constants
from deltawave.hardware.constants import NODE_NM, add_pj, multiply_pj
from deltawave.hardware.cost import AreaRow, Cost, EnergyRow, TrafficRow
from deltawave.hardware.tasks import Cycles
from deltawave.hardware.timeline import Timeline
from deltawave.kernels.cell import MEMORIES, QuantisedCell
from deltawave.machines.base import Activity, Compiled
from deltawave.machines.deltarnn import timing_edgedrnn, timing_spartus
from deltawave.machines.deltarnn.compiled import delta_cell
from deltawave.machines.deltarnn.published import POWERS, RESOURCES, built

if TYPE_CHECKING:
    from deltawave.machines.deltarnn.machine import DeltaMachine
    from deltawave.machines.deltarnn.machine_deltarnn import DeltaRNN
    from deltawave.machines.deltarnn.machine_edgedrnn import EdgeDRNN
    from deltawave.machines.deltarnn.machine_spartus import Spartus

OPERATIONS = f"operations, {NODE_NM} nm"
BRAM36_BITS = 36 * 1024
ACTIVATION_PRODUCTS = {"gru": 3, "gru_before": 3, "lstm": 3, "rnn": 0}
"""Of a neuron: a GRU's (1-u)*c, u*h, r*M_ch or r*h; an LSTM's f*c, i*g, o*tanh(c)."""


@dataclass(frozen=True, eq=False)
class Columns:
    """What the columns of a cell take, int64 [columns]: products, bits read from the weight memory, and bits that a
    machine without compression would read."""

    products: Cycles
    bits: Cycles
    dense_bits: Cycles


@dataclass(frozen=True)
class Work:
    """What a run did, summed over its cells. `weight_bits_dense`: what reading every weight in every step
    would have been."""

    products: int = 0
    weight_bits: int = 0
    weight_bits_dense: int = 0
    scanned: int = 0
    sent: int = 0
    activation_products: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


def cost(machine: DeltaMachine, cells: Sequence[Compiled], activity: Activity, timeline: Timeline) -> Cost:
    """Energy, area and traffic of a run. activity: bool [steps, columns] by cell name."""
    work = sum((_work(machine, cell, activity) for cell in cells), Work())
    energy = (*_operations(machine, work), *_published(machine, cells, timeline))
    return Cost(OPERATIONS, energy, area(machine, cells), _traffic(machine, work))


def _work(machine: DeltaMachine, compiled: Compiled, activity: Activity) -> Work:
    cell, rows = delta_cell(compiled).cell, activity[compiled.name]
    columns, counts = machine.columns(cell), rows.sum(axis=0, dtype=np.int64)
    return Work(
        products=int(counts @ columns.products),
        weight_bits=int(counts @ columns.bits),
        weight_bits_dense=len(rows) * int(columns.dense_bits.sum()),
        scanned=rows.size,
        sent=int(counts.sum()),
        activation_products=len(rows) * cell.hidden * ACTIVATION_PRODUCTS[cell.kind],
    )


def _operations(machine: DeltaMachine, work: Work) -> list[EnergyRow]:
    value, word = machine.activation.bits, machine.accumulator_bits
    sram, registers = constants.SRAM_BIT, constants.REGISTER_FILE_BIT
    store = constants.DRAM_BIT if machine.weight_store == "DRAM" else sram
    product = multiply_pj(machine.weight_bits, value) + add_pj(word)
    encoding = work.scanned * (2 * value * sram.scaled + add_pj(value)) + work.sent * value * sram.scaled
    activation = multiply_pj(value, value) + add_pj(word) + 2 * word * registers.scaled
    arithmetic = f"{constants.MULTIPLY_32.reference}; {constants.ADD_32.reference}; by width"
    rows = {
        "multiply-accumulate": (work.products * product, arithmetic),
        "accumulators": (
            work.products * 2 * word * registers.scaled,
            f"read and written a product; {registers.reference}",
        ),
        f"weights from {machine.weight_store}": (work.weight_bits * store.scaled, store.reference),
        "delta encoder": (
            encoding,
            f"two reads and a subtraction an element, a write a value sent; {sram.reference}",
        ),
        "activations": (
            work.activation_products * activation,
            f"3 products a neuron of a GRU or LSTM; {arithmetic}",
        ),
    }
    return [EnergyRow(name, picojoules, OPERATIONS, source) for name, (picojoules, source) in rows.items()]


def _published(machine: DeltaMachine, cells: Sequence[Compiled], timeline: Timeline) -> list[EnergyRow]:
    """Measured watts times the run's time, for what the measured board can run."""
    if any(delta_cell(cell).cell.kind not in machine.published_cells for cell in cells):
        return []
    return [
        EnergyRow(
            f"measured power: {power.what}",
            power.watts * timeline.seconds * 1e12,
            f"published power, {power.watts:.3g} W ({power.name})",
            f"{power.source} [{power.certainty}]",
        )
        for power in POWERS
        if built(machine, power.design)
    ]


def _traffic(machine: DeltaMachine, work: Work) -> tuple[TrafficRow, ...]:
    weights = f"weights from {machine.weight_store}"
    value = machine.activation.bits
    return (
        TrafficRow(weights, _bytes(work.weight_bits), _bytes(work.weight_bits_dense)),
        TrafficRow("inputs and states sent", _bytes(work.sent * value), _bytes(work.scanned * value)),
    )


def _bytes(bits: int) -> int:
    return -(-bits // 8)


def area(machine: DeltaMachine, cells: Sequence[Compiled]) -> tuple[AreaRow, ...]:
    """What the machine is made of, with these cells in its memories."""
    bits = machine.on_chip_bits([delta_cell(cell).cell for cell in cells])
    blocks = sum(-(-size // BRAM36_BITS) for size in bits.values())
    logic = (
        machine.multipliers * machine.weight_bits * machine.activation.bits * constants.MULTIPLIER_AREA.scaled
    )
    memory = sum(bits.values()) * constants.SRAM_AREA.scaled
    memories = ", ".join(f"{name} {size / 8e3:.0f} kB" for name, size in bits.items())
    return (
        AreaRow("DSP48E1", machine.multipliers, "slices", "one a multiplier"),
        AreaRow("BRAM36", blocks, "blocks", f"36 Kb each: {memories}"),
        *(
            AreaRow(r.name, r.amount, "", f"{r.source} [{r.certainty}]")
            for r in RESOURCES
            if built(machine, r.design)
        ),
        AreaRow(
            "multipliers",
            logic / 1e6,
            "mm2",
            f"{machine.multipliers} of them; {constants.MULTIPLIER_AREA.reference}",
        ),
        AreaRow("memories", memory / 1e6, "mm2", f"{memories}; {constants.SRAM_AREA.reference}"),
    )


def state_bits(machine: DeltaMachine, cell: QuantisedCell) -> int:
    """Bits of the state of a cell: what was sent, h, the LSTM's c, and the accumulators."""
    values = cell.columns + cell.hidden * (2 if cell.kind == "lstm" else 1)
    return (
        values * machine.activation.bits + len(MEMORIES[cell.kind]) * cell.hidden * machine.accumulator_bits
    )


def deltarnn_columns(machine: DeltaRNN, cell: QuantisedCell) -> Columns:
    """Every weight of a column that was sent is read and multiplied."""
    rows = cell.column_words
    return Columns(rows, rows * machine.weight_bits, rows * machine.weight_bits)


def edgedrnn_columns(machine: EdgeDRNN, cell: QuantisedCell) -> Columns:
    """As DeltaRNN; columns are read in whole groups of PEs and whole bytes. The bias' column is left out: it
    is read once a stream."""
    bits = 8 * timing_edgedrnn.column_bytes(machine, cell)
    return Columns(cell.column_words, bits, bits)


def spartus_columns(machine: Spartus, cell: QuantisedCell) -> Columns:
    """The stored entries of a column: non-zero weights and padding, each with its row index."""
    entries = timing_spartus.column_entries(machine, cell)
    stored = entries * (machine.weight_bits + machine.index_bits)
    return Columns(entries, stored, cell.column_words * machine.weight_bits)


def deltarnn_memories(machine: DeltaRNN, cells: Sequence[QuantisedCell]) -> dict[str, int]:
    """Weights, and the states of these cells."""
    return {
        "weights": 8 * machine.weight_memory_bytes,
        "states": sum(state_bits(machine, cell) for cell in cells),
    }


def edgedrnn_memories(machine: EdgeDRNN, cells: Sequence[QuantisedCell]) -> dict[str, int]:
    """The states of as many layers as the machine holds; a sent vector and a state a layer, four accumulators
    a neuron."""
    neurons = machine.max_layers * machine.max_layer_size
    return {
        "states": 3 * neurons * machine.activation.bits,
        "accumulators": 4 * neurons * machine.accumulator_bits,
    }


def spartus_memories(machine: Spartus, cells: Sequence[QuantisedCell]) -> dict[str, int]:
    """Weights with their row indices, and the states of these cells."""
    return {
        "weights": 8 * machine.weight_memory_bytes,
        "states": sum(state_bits(machine, cell) for cell in cells),
    }

"""What a run costs on LSTM dies.

Two bases of energy, which do not add. "operations": what was done, times the energy of each operation in an ASIC of
28 nm; it holds for any parameters and compares machines like with like, so it is the headline. Bits from die to die are
counted at the machine's own energy (an interface does not shrink); what comes from the host or goes there is left out,
as for the other machines.
"published points": the measured power of a die at its operating points, scaled to the machine's voltage and clock, and
every bit over a link, those from and to the host included; given only for dies as they were built.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deltawave.hardware import constants
from deltawave.hardware.constants import NODE_NM, add_pj, multiply_pj
from deltawave.hardware.cost import AreaRow, Cost, EnergyRow, TrafficRow
from deltawave.hardware.timeline import Timeline
from deltawave.machines.base import Activity
from deltawave.machines.muntaniala import timing
from deltawave.machines.muntaniala.compiled import MuntanialaCell
from deltawave.machines.muntaniala.points import cycle_pj

if TYPE_CHECKING:
    from deltawave.machines.muntaniala.machine import Muntaniala

OPERATIONS = f"operations, {NODE_NM} nm"
PUBLISHED = "published points"
BUILT = {"units": 96, "weight_bits": 8, "state_bits": 8, "accumulator_bits": 16}
DIE_MM2, CORE_MM2 = 1.57, 0.93
AREA_SOURCE = "Chipmunk (CICC 2018), UMC 65 nm [text-ai]"


@dataclass(frozen=True)
class Bits:
    """What crosses links in a step of a cell. `host`: between host and array; `dies`: from die to die."""

    host: int = 0
    dies: int = 0

    def __add__(self, other: Bits) -> Bits:
        return Bits(self.host + other.host, self.dies + other.dies)

    def __mul__(self, times: int) -> Bits:
        return Bits(self.host * times, self.dies * times)


def step_bits(machine: Muntaniala, cell: MuntanialaCell, *, is_fed: bool, feeds_on: bool) -> Bits:
    """Bits of a step. is_fed: whether dies make the features; feeds_on: whether other dies hear the outputs.

    A bit is counted for each link that it crosses: features and states go down a column from die to die, sums of four
    gates along a row. What the last column sends is sent once, whoever hears it.
    """
    tiling, cell_ = cell.tiling, cell.cell
    features, states = cell_.inputs * machine.state_bits, cell_.hidden * machine.state_bits
    sums = timing.GATES * cell_.hidden * machine.accumulator_bits * (tiling.columns - 1)
    down = (tiling.rows - 1) * (features + states)
    from_host = 0 if is_fed else features
    to_dies = tiling.is_split or feeds_on
    return Bits(from_host + (0 if to_dies else states), sums + down + (states if to_dies else 0))


def run_bits(machine: Muntaniala, cells: Sequence[MuntanialaCell], activity: Activity) -> Bits:
    """Bits of a run; with layers one after another, all that lies between them goes to the host and comes back."""
    return sum((_loop_bits(machine, loop, activity) for loop in timing.loops(machine, cells)), Bits())


def _loop_bits(machine: Muntaniala, loop: Sequence[MuntanialaCell], activity: Activity) -> Bits:
    names, sources, total = {cell.name for cell in loop}, {cell.source for cell in loop}, Bits()
    for cell in loop:
        steps = len(activity[cell.name])
        total += step_bits(machine, cell, is_fed=cell.source in names, feeds_on=cell.name in sources) * steps
        if machine.layers == "in-turn" and steps:
            total += Bits(host=loaded_bits(machine, cell))
    return total


def loaded_bits(machine: Muntaniala, cell: MuntanialaCell) -> int:
    """Bits of all parameters of a cell."""
    return machine.die_bits((cell.cell.hidden, cell.cell.inputs, cell.cell.hidden))


def cost(
    machine: Muntaniala, cells: Sequence[MuntanialaCell], activity: Activity, timeline: Timeline
) -> Cost:
    """Energy, area and traffic of a run. activity: bool [steps, columns] by cell name."""
    bits = run_bits(machine, cells, activity)
    neurons = sum(cell.cell.hidden * len(activity[cell.name]) for cell in cells)
    products = sum(
        timing.GATES * cell.cell.hidden * (cell.cell.inputs + cell.cell.hidden) * len(activity[cell.name])
        for cell in cells
    )
    peepholes = any(cell.cell.peepholes is not None for cell in cells)
    energy = [*_operations(machine, products, neurons, bits, peepholes=peepholes)]
    if all(getattr(machine, name) == value for name, value in BUILT.items()):
        energy += _published(machine, cells, timeline, bits)
    return Cost(OPERATIONS, tuple(energy), _area(machine, cells), _traffic(machine, products, bits))


def _operations(
    machine: Muntaniala, products: int, neurons: int, bits: Bits, *, peepholes: bool
) -> list[EnergyRow]:
    byte, weight, word = machine.state_bits, machine.weight_bits, machine.accumulator_bits
    sram, registers = constants.SRAM_BIT, constants.REGISTER_FILE_BIT
    arithmetic = f"{constants.MULTIPLY_32.reference}; {constants.ADD_32.reference}; by width"
    element = timing.PRODUCTS * (multiply_pj(word, word) + add_pj(word)) + timing.LOOKUPS * word * sram.scaled
    if peepholes:
        element += timing.PEEPHOLES * (multiply_pj(weight, word) + add_pj(word))
    rows = {
        "multiply-accumulate": (products * (multiply_pj(weight, byte) + add_pj(word)), arithmetic),
        "accumulators": (
            products * 2 * word * registers.scaled,
            f"read and written a product; {registers.reference}",
        ),
        "weights from SRAM": (products * weight * sram.scaled, sram.reference),
        "element-wise phase": (
            neurons * element,
            f"products, and five look-ups of {word} bits a neuron; {arithmetic}; {sram.reference}",
        ),
        "links between dies": (
            bits.dies * machine.link_pj_per_bit,
            f"{machine.link_pj_per_bit:g} pJ a bit: link_pj_per_bit",
        ),
    }
    return [EnergyRow(name, picojoules, OPERATIONS, source) for name, (picojoules, source) in rows.items()]


def _published(
    machine: Muntaniala, cells: Sequence[MuntanialaCell], timeline: Timeline, bits: Bits
) -> list[EnergyRow]:
    a_cycle = cycle_pj(machine.points, machine.voltage_v)
    points = "; ".join(dict.fromkeys(f"{point.source} [{point.certainty}]" for point in machine.points))
    link = f"{machine.link_pj_per_bit:g} pJ a bit: link_pj_per_bit, calibrated on the prototype"
    return [
        EnergyRow(
            "dies",
            die_cycles(machine, cells, timeline) * a_cycle,
            PUBLISHED,
            f"{a_cycle:.1f} pJ a cycle at {machine.voltage_v:g} V: {points}",
        ),
        EnergyRow(
            "links, host included",
            (bits.host + bits.dies) * machine.link_pj_per_bit,
            PUBLISHED,
            link,
        ),
    ]


def die_cycles(machine: Muntaniala, cells: Sequence[MuntanialaCell], timeline: Timeline) -> float:
    """Cycles of all dies, those without products at their share."""
    dies = machine.dies_used(cells)
    busy = 0
    for loop, part in zip(timing.loops(machine, cells), timeline.parts, strict=True):
        for cell in loop:
            unit = f"MAC {cell.name}" if len(loop) > 1 else "MAC"
            busy += cell.tiling.tiles * part.busy_cycles[unit]
    return busy + machine.waiting_share * (dies * timeline.cycles - busy)


def _traffic(machine: Muntaniala, products: int, bits: Bits) -> tuple[TrafficRow, ...]:
    weights = -(-products * machine.weight_bits // 8)
    between, outside = -(-bits.dies // 8), -(-bits.host // 8)
    return (
        TrafficRow("weights from SRAM", weights, weights),
        TrafficRow("from die to die", between, between),
        TrafficRow("from and to the host", outside, outside),
    )


def _area(machine: Muntaniala, cells: Sequence[MuntanialaCell]) -> tuple[AreaRow, ...]:
    dies = machine.dies_used(cells)
    logic = machine.units * machine.weight_bits * machine.state_bits * constants.MULTIPLIER_AREA.scaled
    memory = 8 * machine.sram_bytes * constants.SRAM_AREA.scaled
    of_dies = f"{dies} dies"
    built = machine.silicon == "chipmunk" and all(getattr(machine, k) == v for k, v in BUILT.items())
    return (
        AreaRow(
            "multipliers",
            dies * logic / 1e6,
            "mm2",
            f"{of_dies} of {machine.units}; {constants.MULTIPLIER_AREA.reference}",
        ),
        AreaRow(
            "memories",
            dies * memory / 1e6,
            "mm2",
            f"{of_dies} of {machine.sram_bytes / 1e3:.1f} kB; {constants.SRAM_AREA.reference}",
        ),
        *([AreaRow("dies as built", dies * DIE_MM2, "mm2 of 65 nm", AREA_SOURCE)] if built else []),
        *([AreaRow("cores as built", dies * CORE_MM2, "mm2 of 65 nm", AREA_SOURCE)] if built else []),
    )

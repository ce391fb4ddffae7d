"""What a run costs on the Brainwave NPU.

Two bases of energy, which do not add. "operations": what was done, padding included, times the energy of each operation
in an ASIC of 28 nm; it holds for any parameters and compares machines like with like, so it is the headline. Not
counted: converters between float16 and block floating point, exponents, the scalar core, networks.
"published power": that of the built FPGA under a power virus times the run's time, so an upper bound; only for a
machine with the parameters of the built one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deltawave.hardware import constants
from deltawave.hardware.constants import NODE_NM, add_pj, multiply_pj
from deltawave.hardware.cost import AreaRow, Cost, EnergyRow, TrafficRow
from deltawave.hardware.timeline import Timeline
from deltawave.machines.base import Activity, Compiled
from deltawave.machines.brainwave.compiled import brainwave_cell
from deltawave.machines.brainwave.critical_path import Sizes
from deltawave.machines.brainwave.isa import UNITS, BwProgram, Chain, Memory, Unit
from deltawave.machines.brainwave.published import BUILDS, ISCA

if TYPE_CHECKING:
    from deltawave.machines.brainwave.machine import Brainwave

OPERATIONS = f"operations, {NODE_NM} nm"
M20K_BITS = 20 * 1024
HALF_BITS = 16
EXPONENT_BITS = 5


@dataclass(frozen=True)
class Work:
    """What a run did: tiles multiplied; native vectors by what an MFU did with them; native vectors read from or
    written into register files, and into or out of the network queue; products without padding."""

    tiles: int = 0
    multiplied: int = 0
    added: int = 0
    activated: int = 0
    moved: int = 0
    queued: int = 0
    products: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def __mul__(self, times: int) -> Work:
        return Work(*(count * times for count in vars(self).values()))


def cost(machine: Brainwave, cells: Sequence[Compiled], activity: Activity, timeline: Timeline) -> Cost:
    """Energy, area and traffic of a run. activity: bool [steps, 1] by cell name."""
    work = sum((_of_cell(cell) * len(activity[cell.name]) for cell in cells), Work())
    energy = (*_operations(machine, work), *_published(machine, timeline))
    return Cost(OPERATIONS, energy, _area(machine), _traffic(machine, work))


def _of_cell(compiled: Compiled) -> Work:
    cell = brainwave_cell(compiled)
    return of_step(cell.program) + Work(products=Sizes.of(cell.cell).products)


def of_step(program: BwProgram) -> Work:
    """What a step of a program does, products without padding left out: only the cell knows."""
    return sum((_of_chain(chain) for chain in program.chains("body")), Work())


def _of_chain(chain: Chain) -> Work:
    units = [UNITS[operation.opcode] for operation, _ in chain.operations]
    vectors = [access for access in chain.accesses if not access.moves_tiles]
    queued = sum(access.entries for access in vectors if access.memory is Memory.NETQ)
    return Work(
        tiles=chain.rows * chain.cols if chain.multiplication else 0,
        multiplied=units.count(Unit.MULTIPLY) * chain.entries_written,
        added=units.count(Unit.ADD_SUB) * chain.entries_written,
        activated=units.count(Unit.ACTIVATION) * chain.entries_written,
        moved=sum(access.entries for access in vectors) - queued,
        queued=queued,
    )


def tile_bits(machine: Brainwave) -> int:
    """Bits of a tile in the MatrixRf: a sign and a mantissa for each weight, an exponent for each row."""
    return machine.native_dim * (machine.native_dim * (1 + machine.mantissa_bits) + EXPONENT_BITS)


def memory_bits(machine: Brainwave) -> dict[str, int]:
    """Bits of each memory on the chip."""
    of_mfu = machine.add_sub_vrf_entries + machine.multiply_vrf_entries
    vectors = machine.initial_vrf_entries + machine.mfus * of_mfu
    return {
        "MatrixRf": machine.mrf_tiles * tile_bits(machine),
        "VRFs": vectors * machine.native_dim * HALF_BITS,
    }


def _operations(machine: Brainwave, work: Work) -> list[EnergyRow]:
    n, mantissa, sram = machine.native_dim, machine.mantissa_bits, constants.SRAM_BIT
    dot_bits = 2 * mantissa + (n - 1).bit_length() + 1
    product = multiply_pj(mantissa, mantissa) + add_pj(dot_bits)
    rows = {
        "block-float products": (
            work.tiles * n * n * product,
            f"{mantissa} x {mantissa} bit and an addition of {dot_bits} bits each; "
            f"{constants.MULTIPLY_32.reference}; {constants.ADD_32.reference}",
        ),
        "sums over tiles": (
            work.tiles * n * constants.FLOAT_ADD_32.scaled,
            f"one for each row of a tile; {constants.FLOAT_ADD_32.reference}",
        ),
        "weights from MatrixRf": (work.tiles * tile_bits(machine) * sram.scaled, sram.reference),
        "vectors from and to VRFs": (work.moved * n * HALF_BITS * sram.scaled, sram.reference),
        "float16 multiplications": (
            work.multiplied * n * constants.FLOAT_MULTIPLY_16.scaled,
            constants.FLOAT_MULTIPLY_16.reference,
        ),
        "float16 additions": (
            work.added * n * constants.FLOAT_ADD_16.scaled,
            constants.FLOAT_ADD_16.reference,
        ),
        "activations": (
            work.activated * n * HALF_BITS * sram.scaled,
            f"a look-up of {HALF_BITS} bits each; {sram.reference}",
        ),
    }
    return [EnergyRow(name, picojoules, OPERATIONS, source) for name, (picojoules, source) in rows.items()]


def _published(machine: Brainwave, timeline: Timeline) -> list[EnergyRow]:
    return [
        EnergyRow(
            "power of the FPGA",
            build.watts * timeline.seconds * 1e12,
            f"published power, {build.watts:.3g} W (power virus)",
            f"{ISCA}, Table IV [text]",
        )
        for build in BUILDS
        if build.watts and build.is_build_of(machine)
    ]


def _traffic(machine: Brainwave, work: Work) -> tuple[TrafficRow, ...]:
    moved = -(-work.tiles * tile_bits(machine) // 8)
    dense = -(-work.products * (1 + machine.mantissa_bits) // 8)
    queued = work.queued * machine.native_dim * HALF_BITS // 8
    return (
        TrafficRow("weights from MatrixRf", moved, dense),
        TrafficRow("inputs and outputs over the network", queued, queued),
    )


def _area(machine: Brainwave) -> tuple[AreaRow, ...]:
    bits = memory_bits(machine)
    memories = ", ".join(f"{name} {size / 8e6:.2f} MB" for name, size in bits.items())
    blocks = sum(-(-size // M20K_BITS) for size in bits.values())
    logic = machine.multipliers * machine.mantissa_bits**2 * constants.MULTIPLIER_AREA.scaled
    return (
        AreaRow("M20K", blocks, "blocks", f"20 Kb each, filled without a gap: {memories}"),
        *_built(machine),
        AreaRow(
            "multipliers",
            logic / 1e6,
            "mm2",
            f"{machine.multipliers} of {machine.mantissa_bits} x {machine.mantissa_bits} bits; "
            f"{constants.MULTIPLIER_AREA.reference}",
        ),
        AreaRow(
            "memories",
            sum(bits.values()) * constants.SRAM_AREA.scaled / 1e6,
            "mm2",
            f"{memories}; {constants.SRAM_AREA.reference}",
        ),
    )


def _built(machine: Brainwave) -> list[AreaRow]:
    return [
        AreaRow(f"{name}, as built", amount, "", f"{ISCA}, Table III, {build.device} [text]")
        for build in BUILDS
        if build.is_build_of(machine)
        for name, amount in (("ALM", build.alms), ("M20K", build.m20ks), ("DSP", build.dsps))
    ]

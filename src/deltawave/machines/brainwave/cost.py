"""What a run costs on the Brainwave NPU.

Two bases of energy, which do not add. "operations": what was done, padding included, times the energy of each operation
in an ASIC of 28 nm; it holds for any parameters and compares machines like with like, so it is the headline. Not
counted: converters between float16 and block floating point, exponents, the scalar core, networks.
"published power": that of the built FPGA under a power virus times the run's time, so an upper bound; only for a
machine with the parameters of the built one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from deltawave.hardware import constants
from deltawave.hardware.constants import NODE_NM, add_pj, multiply_pj
from deltawave.hardware.cost import AreaRow, Cost, EnergyRow, TrafficRow
from deltawave.hardware.timeline import Timeline
from deltawave.machines.base import Activity, Compiled
from deltawave.machines.brainwave.isa import UNITS, Access, BwProgram, Chain, Memory, Unit
from deltawave.machines.brainwave.plan import Loop
from deltawave.machines.brainwave.published import BUILDS, ISCA
from deltawave.machines.brainwave.restore import unit

if TYPE_CHECKING:
    from deltawave.machines.brainwave.machine import Brainwave

OPERATIONS = f"operations, {NODE_NM} nm"
M20K_BITS = 20 * 1024
HALF_BITS = 16
EXPONENT_BITS = 5


@dataclass(frozen=True)
class Work:
    """What a run did: tiles multiplied, and read for that, once for all engines that share one; native vectors by what
    an MFU did with them; native vectors read from or written into register files, and into or out of the network queue;
    tiles loaded from DRAM; products without padding."""

    tiles: int = 0
    tiles_read: int = 0
    multiplied: int = 0
    added: int = 0
    activated: int = 0
    moved: int = 0
    queued: int = 0
    loaded: int = 0
    products: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))

    def __mul__(self, times: int) -> Work:
        return Work(*(count * times for count in vars(self).values()))


def cost(machine: Brainwave, cells: Sequence[Compiled], activity: Activity, timeline: Timeline) -> Cost:
    """Energy, area and traffic of a run. activity: bool [steps, 1] by cell name."""
    loops = machine.plan(cells)
    sharing = machine.tile_engines if machine.shares_windows else 1
    work = sum((_of_loop(loop, sharing) * loop.steps(activity) for loop in loops), Work())
    products = sum(unit(cell).products * len(activity.get(cell.name, ())) for cell in cells)
    work = replace(work, products=products)
    devices = len({device for loop in loops for device in loop.programs})
    energy = (*_operations(machine, work), *_published(machine, timeline, devices))
    return Cost(OPERATIONS, energy, _area(machine, devices), _traffic(machine, work))


def _of_loop(loop: Loop, sharing: int) -> Work:
    return sum((of_step(program.assembled.program, sharing) for program in loop.programs.values()), Work())


def of_step(program: BwProgram, sharing: int = 1) -> Work:
    """What a step of a program does, products without padding left out: only the cell knows.

    sharing: engines that read a tile together.
    """
    return sum((_of_chain(chain, sharing) for chain in program.chains("body")), Work())


def _of_chain(chain: Chain, sharing: int) -> Work:
    if chain.moves_matrix:
        return Work(loaded=chain.entries_read)
    units = [UNITS[operation.opcode] for operation, _ in chain.operations]
    return Work(
        tiles=chain.rows * chain.cols * chain.times if chain.multiplication else 0,
        tiles_read=chain.rows * chain.cols * -(-chain.times // sharing) if chain.multiplication else 0,
        multiplied=units.count(Unit.MULTIPLY) * chain.entries_written,
        added=units.count(Unit.ADD_SUB) * chain.entries_written,
        activated=units.count(Unit.ACTIVATION) * chain.entries_written,
        moved=sum(_moved(chain, access) for access in chain.accesses if access.memory is not Memory.NETQ),
        queued=sum(access.entries for access in chain.accesses if access.memory is Memory.NETQ),
    )


def _moved(chain: Chain, access: Access) -> int:
    """Native vectors that an access reads or writes; what all windows share is read for each."""
    if access.moves_tiles:
        return 0
    return chain.times * (chain.cols if access.instruction is chain.read else chain.width)


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
        "weights from MatrixRf": (work.tiles_read * tile_bits(machine) * sram.scaled, sram.reference),
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
    if work.loaded:
        dram = constants.DRAM_BIT
        rows["weights from DRAM"] = work.loaded * tile_bits(machine) * dram.scaled, dram.reference
    return [EnergyRow(name, picojoules, OPERATIONS, source) for name, (picojoules, source) in rows.items()]


def _published(machine: Brainwave, timeline: Timeline, devices: int) -> list[EnergyRow]:
    return [
        EnergyRow(
            "power of the FPGA" if devices == 1 else f"power of {devices} FPGAs",
            devices * build.watts * timeline.seconds * 1e12,
            f"published power, {build.watts:.3g} W (power virus)",
            f"{ISCA}, Table IV [text]",
        )
        for build in BUILDS
        if build.watts and build.is_build_of(machine)
    ]


def _traffic(machine: Brainwave, work: Work) -> tuple[TrafficRow, ...]:
    moved = -(-work.tiles_read * tile_bits(machine) // 8)
    dense = -(-work.products * (1 + machine.mantissa_bits) // 8)
    queued = work.queued * machine.native_dim * HALF_BITS // 8
    loaded = -(-work.loaded * tile_bits(machine) // 8)
    return (
        *([TrafficRow("weights from DRAM", loaded, loaded)] if loaded else []),
        TrafficRow("weights from MatrixRf", moved, dense),
        TrafficRow("inputs and outputs over the network", queued, queued),
    )


def _area(machine: Brainwave, devices: int) -> tuple[AreaRow, ...]:
    bits = memory_bits(machine)
    several = f"{devices} devices; " if devices > 1 else ""
    memories = several + ", ".join(f"{name} {size / 8e6:.2f} MB" for name, size in bits.items())
    blocks = sum(-(-size // M20K_BITS) for size in bits.values())
    logic = machine.multipliers * machine.mantissa_bits**2 * constants.MULTIPLIER_AREA.scaled
    return (
        AreaRow("M20K", devices * blocks, "blocks", f"20 Kb each, filled without a gap: {memories}"),
        *_built(machine, devices),
        AreaRow(
            "multipliers",
            devices * logic / 1e6,
            "mm2",
            f"{devices * machine.multipliers} of {machine.mantissa_bits} x {machine.mantissa_bits} bits; "
            f"{constants.MULTIPLIER_AREA.reference}",
        ),
        AreaRow(
            "memories",
            devices * sum(bits.values()) * constants.SRAM_AREA.scaled / 1e6,
            "mm2",
            f"{memories}; {constants.SRAM_AREA.reference}",
        ),
    )


def _built(machine: Brainwave, devices: int) -> list[AreaRow]:
    return [
        AreaRow(f"{name}, as built", devices * amount, "", f"{ISCA}, Table III, {build.device} [text]")
        for build in BUILDS
        if build.is_build_of(machine)
        for name, amount in (("ALM", build.alms), ("M20K", build.m20ks), ("DSP", build.dsps))
    ]

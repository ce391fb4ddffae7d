"""Every published figure of the Brainwave NPU, and ours.

ISCA: Fowers et al., ISCA 2018. Micro: Chung et al., IEEE Micro, March/April 2018. Top Picks: Fowers et al., IEEE Micro,
May/June 2019. The decks are those of HotChips 2017 and of the ISCA talk.

Latencies are those of the programs that our compiler writes for layers of the published sizes; weights' values do not
matter for them. They hold at one set of stage latencies, four of them calibrated on the eleven DeepBench rows.
Calibrated on ten of them, the machine predicts the eleventh as well, but for GRU 512 of one step: it alone says how
long an invocation takes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, partial

from deltawave.machines.brainwave import timing
from deltawave.machines.brainwave.cell_programs import CellShape, cell_program
from deltawave.machines.brainwave.cost import M20K_BITS, memory_bits
from deltawave.machines.brainwave.critical_path import Sizes, sdm_cycles, udm_cycles
from deltawave.machines.brainwave.machine import BW_A10, BW_S5, BW_S10, Brainwave
from deltawave.machines.brainwave.paper_cnn import CNN_CLAIMS
from deltawave.machines.brainwave.published import (
    BATCH_1,
    BUILDS,
    ISCA,
    POWER_WATTS,
    TABLE_1,
    TABLE_5,
    TOP_PICKS,
    Build,
    DeepBench,
)
from deltawave.machines.claims import Claim

NO_SYNTHESIS = "needs a synthesised netlist, which this version does not make"
OTHER_PLATFORM = "a comparison with another platform, which we do not run"
NOT_DESCRIBED = "steps, batch and instance of the production service are not published"
OTHER_BUILD = "a build whose parameters are not published"
MEASURED = "measured on a board; we model energy by operations and do not predict the power of a board"
MEMORY_FILLED = (
    "ours fills blocks without a gap and knows MatrixRf and VRFs only; "
    "2 mantissa bits are published for BW_S10 alone"
)
RAN_AS_2800 = (
    "run as 7 x 7 tiles, 2,800 units: the 384 tiles of 2,816 exceed the 306 there are; operations for 2,816"
)
CALIBRATED = "ours holds at stage latencies calibrated on Table V"
MICRO = "Chung et al., IEEE Micro 2018"
HOT_CHIPS = "Brainwave, HotChips 2017"
MACHINES = {machine.name: machine for machine in (BW_S5, BW_A10, BW_S10)}
s10 = partial(Claim, machine=BW_S10.name)
s10_text = partial(s10, certainty="text")


@dataclass(frozen=True)
class SquareLayer:
    """A layer with as many inputs as units. Its GRU resets before the product: the paper's bounds have two products
    in sequence."""

    cell: str
    units: int

    @property
    def kind(self) -> str:
        """As the compiler names it."""
        return "gru_before" if self.cell == "gru" else self.cell

    @property
    def sizes(self) -> Sizes:
        """What the bounds depend on."""
        return Sizes(self.kind, self.units, self.units)


@cache
def cycles(layer: SquareLayer, steps: int) -> int:
    """Cycles of a run on BW_S10."""
    vectors = -(-layer.units // BW_S10.native_dim)
    shape = CellShape(layer.kind, vectors, vectors, ("sigmoid", "tanh", "tanh"))
    return timing.part(BW_S10, "layer", cell_program(shape).program, steps).cycles


def step_cycles(layer: SquareLayer) -> float:
    """Cycles of a step, the invocation not counted."""
    return cycles(layer, 101) - cycles(layer, 100)


def latency_seconds(row: DeepBench) -> float:
    """Of a whole run."""
    return cycles(SquareLayer(row.cell, row.units_run), row.steps) / BW_S10.clock_hz


def flops(row: DeepBench) -> float:
    """Operations of the benchmark over our time."""
    return SquareLayer(row.cell, row.hidden).sizes.operations * row.steps / latency_seconds(row)


def _instance(build: Build) -> Iterable[Claim]:
    machine = MACHINES[build.machine]
    claim = partial(Claim, machine=build.machine, source=f"{ISCA}, Table III", certainty="text")
    yield claim(
        name="peak throughput",
        unit="TFLOP/s",
        reported=build.peak_tflops,
        ours=lambda: machine.peak_flops / 1e12,
    )
    yield claim(
        name="M20K", unit="blocks", reported=build.m20ks, ours=partial(_m20ks, machine), reason=MEMORY_FILLED
    )
    yield claim(name="ALM", unit="", reported=build.alms, reason=NO_SYNTHESIS)
    yield claim(name="DSP", unit="blocks", reported=build.dsps, reason=NO_SYNTHESIS)


def _m20ks(machine: Brainwave) -> float:
    return sum(-(-bits // M20K_BITS) for bits in memory_bits(machine).values())


def _critical_path(layer: SquareLayer, operations: float, udm: int, sdm: int, ours: int) -> Iterable[Claim]:
    name = f"{layer.cell.upper()} {layer.units}"
    claim = partial(s10_text, source=TABLE_1)
    yield claim(
        name=f"{name}, operations of a step",
        unit="MOp",
        reported=operations,
        ours=lambda: layer.sizes.operations / 1e6,
    )
    yield claim(name=f"{name}, UDM", unit="cycle", reported=udm, ours=lambda: udm_cycles(layer.sizes))
    yield claim(
        name=f"{name}, SDM",
        unit="cycle",
        reported=sdm,
        ours=lambda: sdm_cycles(layer.sizes, BW_S10.multipliers),
    )
    yield claim(
        name=f"{name}, step", unit="cycle", reported=ours, ours=lambda: step_cycles(layer), reason=CALIBRATED
    )


def _deepbench(row: DeepBench) -> Iterable[Claim]:
    claim = partial(s10_text, source=TABLE_5)
    layer = SquareLayer(row.cell, row.hidden)
    reason = "; ".join([CALIBRATED, *([RAN_AS_2800] if row.units_run != row.hidden else [])])
    yield claim(
        name=f"{row.name}, SDM",
        unit="ms",
        reported=row.sdm_ms,
        ours=lambda: 1e3 * row.steps * sdm_cycles(layer.sizes, BW_S10.multipliers) / BW_S10.clock_hz,
    )
    yield claim(
        name=f"{row.name}, latency",
        unit="ms",
        reported=row.latency_ms,
        ours=lambda: 1e3 * latency_seconds(row),
        reason=reason,
    )
    yield claim(
        name=f"{row.name}, throughput",
        unit="TFLOP/s",
        reported=row.tflops,
        ours=lambda: flops(row) / 1e12,
        reason=reason,
    )
    yield claim(
        name=f"{row.name}, utilisation",
        unit="%",
        reported=row.utilisation_percent,
        ours=lambda: 100 * flops(row) / BW_S10.peak_flops,
        reason=reason,
    )


def _step_microseconds(choose: Callable[[Iterable[float]], float]) -> float:
    """The shortest or longest mean step of the rows that the paper's range covers."""
    return choose(1e6 * latency_seconds(row) / row.steps for row in FROM_1024_TO_2048)


LARGEST = BATCH_1[0]
BEYOND_2000 = [row for row in BATCH_1 if row.hidden > 2000]
FROM_1024_TO_2048 = [row for row in BATCH_1 if 1024 <= row.hidden <= 2048]
MORE_RNN = (
    s10_text(
        name="multiply-accumulate units",
        unit="",
        reported=96_000,
        source=ISCA,
        ours=lambda: BW_S10.multipliers,
    ),
    s10_text(
        name="operations of one instruction, largest GRU",
        unit="MOp",
        reported=7.0,
        source=f"{ISCA}: more than 7 M; 2800^2 products",
        ours=lambda: SquareLayer("gru", 2800).sizes.products / 6 / 1e6,
        reason="the paper gives a lower bound; ours counts a product as one",
    ),
    s10_text(
        name="cycles of a tile in an engine",
        unit="cycle",
        reported=10,
        source=f"{MICRO}: an instruction sustains the engines for 10 cycles",
        ours=lambda: BW_S10.tile_cycles,
    ),
    *(
        s10_text(
            name=f"GRU 2816 t={steps}, utilisation",
            unit="%",
            reported=74.8,
            source=f"{ISCA}, Figure 7",
            ours=partial(lambda row: 100 * flops(row) / BW_S10.peak_flops, replace(LARGEST, steps=steps)),
            reason=f"{CALIBRATED}; {RAN_AS_2800}",
        )
        for steps in (375, 187)
    ),
    s10_text(
        name="longest latency over SDM, more than 2,000 units",
        unit="x",
        reported=2.17,
        source=ISCA,
        ours=lambda: max(1e3 * latency_seconds(row) / row.sdm_ms for row in BEYOND_2000),
        reason=CALIBRATED,
    ),
    *(
        s10(
            name=f"{which} step, 1,024 to 2,048 units",
            unit="us",
            reported=reported,
            source=f"{ISCA}: printed as {100 * reported:.0f} us, a hundred times what Table V says",
            certainty="derived",
            ours=partial(_step_microseconds, choose),
            reason=CALIBRATED,
        )
        for which, reported, choose in (("shortest", 2.52, min), ("longest", 2.96, max))
    ),
    s10_text(
        name="power", unit="W", reported=POWER_WATTS, source=f"{ISCA}, Table IV: power virus", reason=MEASURED
    ),
    s10_text(
        name="power efficiency",
        unit="GFLOP/s/W",
        reported=287,
        source=f"{ISCA}: 35.92 TFLOP/s over 125 W",
        ours=lambda: flops(LARGEST) / 1e9 / POWER_WATTS,
        reason=f"at the published {POWER_WATTS:g} W; {CALIBRATED}",
    ),
    s10_text(
        name="power efficiency, ceiling",
        unit="GFLOP/s/W",
        reported=326,
        source=TOP_PICKS,
        reason="implies 40.75 TFLOP/s, which is no published throughput",
    ),
)
PRODUCTION = tuple(
    Claim(
        machine="brainwave",
        name=name,
        unit=unit,
        reported=reported,
        source=source,
        certainty="text",
        reason=reason,
    )
    for name, unit, reported, source, reason in (
        ("Bing TP1: LSTM 500 x 200 (x 8) and Word2Vec", "ms", 0.85, MICRO, NOT_DESCRIBED),
        ("Bing DeepScan: GRU 500 x 500 (x 4)", "ms", 5.0, MICRO, NOT_DESCRIBED),
        ("efficiency, early Stratix 10", "GOp/s/W", 320, HOT_CHIPS, OTHER_BUILD),
        ("efficiency, projected production Stratix 10", "GOp/s/W", 720, HOT_CHIPS, OTHER_BUILD),
    )
)
OTHER_BUILDS = tuple(
    Claim(
        machine="brainwave",
        name=f"peak throughput, {device}, {number}",
        unit="TOp/s",
        reported=value,
        source=f"{MICRO}, Figure 7",
        certainty="text",
        reason=OTHER_BUILD,
    )
    for device, values in (
        ("Stratix V D5 at 225 MHz", (1.4, 2.0, 2.7, 4.5)),
        ("Arria 10 1150 at 300 MHz", (1.8, 5.2, 15.0, 18.6)),
        ("Stratix 10 280 at 500 MHz", (11.5, 30.7, 65.0, 90.0)),
    )
    for number, value in zip(("16-bit integer", "8-bit integer", "ms-fp9", "ms-fp8"), values, strict=True)
)
TITAN_XP = tuple(
    Claim(
        machine="titan-xp",
        name=f"{row.name}, latency",
        unit="ms",
        reported=milliseconds,
        source=TABLE_5,
        certainty="text",
        reason=OTHER_PLATFORM,
    )
    for row, milliseconds in zip(
        BATCH_1, (178.60, 74.62, 51.59, 31.73, 59.51, 0.06, 5.27, 6.20, 1.87, 1.26, 1.99), strict=True
    )
)
CLAIMS = (
    *(claim for build in BUILDS for claim in _instance(build)),
    *_critical_path(SquareLayer("lstm", 2000), operations=64, udm=19, sdm=352, ours=718),
    *_critical_path(SquareLayer("gru", 2800), operations=94, udm=31, sdm=520, ours=662),
    *(claim for row in BATCH_1 for claim in _deepbench(row)),
    *MORE_RNN,
    *PRODUCTION,
    *CNN_CLAIMS,
    *OTHER_BUILDS,
    *TITAN_XP,
)

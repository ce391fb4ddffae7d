"""Every published figure of Chipmunk and Muntaniala that we have, and ours.

Chipmunk: Conti, Cavigelli, Paulin, Susmelj, Benini, CICC 2018 (arXiv:1711.05734). Muntaniala: Paulin, Conti, Cavigelli,
Benini, "Vau da Muntanialas", TCSI 2021 (arXiv:2202.07462). Of both only the abstracts are at hand; the rest is
recollection, checked against them, or derived.
"""

from functools import partial

from deltawave.machines.claims import Claim
from deltawave.machines.muntaniala import operating as at
from deltawave.machines.muntaniala.machine import CHIPMUNK, MUNTANIALA, PROTOTYPE, Muntaniala
from deltawave.machines.muntaniala.points import (
    CHIPMUNK_EFFICIENT,
    CHIPMUNK_FAST,
    CHIPMUNK_TABLE,
    TCSI,
    OperatingPoint,
)

CICC = "Chipmunk (CICC 2018, arXiv:1711.05734), abstract"
CALIBRATED = "the links' handshake is calibrated on this figure: three cycles a word of 8 bits is the nearest"
POWER_CALIBRATED = "the energy of a bit over a link is calibrated on this figure"
AT_POWER = "at the published power: operations are ours"
BY_CONSTRUCTION = (
    "by construction: the paper's operating points are not at hand, so ours starts from this figure"
)
NO_TIMIT = (
    "TIMIT is not public and the trained network not at hand; what the numbers cost real LSTMs is measured as output "
    "error (manual, Muntaniala)"
)
NO_SYNTHESIS = "needs a synthesised netlist, which this machine does not have"
chipmunk = partial(Claim, machine=CHIPMUNK.name)
muntaniala = partial(Claim, machine=MUNTANIALA.name, source=TCSI)
prototype = partial(Claim, machine=PROTOTYPE.name, source=TCSI)


def peak(machine: Muntaniala, clock_hz: float) -> float:
    """Operations per second of a die with every multiplier busy."""
    return 2 * machine.units * clock_hz


def die_kilobytes(machine: Muntaniala) -> float:
    """What a full tile needs on its die."""
    return machine.memory_bits((machine.units,) * 3) / 8e3


def _chipmunk_point(
    name: str, point: OperatingPoint, throughput: float, efficiency: float
) -> tuple[Claim, ...]:
    at_point = f"{point.voltage_v:g} V, {point.clock_hz / 1e6:g} MHz"
    return (
        chipmunk(
            name=f"throughput, {name} ({at_point})",
            unit="GOp/s",
            reported=throughput,
            source=CHIPMUNK_TABLE,
            certainty="recall 85%",
            ours=lambda: peak(CHIPMUNK, point.clock_hz) / 1e9,
        ),
        chipmunk(
            name=f"efficiency, {name} ({at_point})",
            unit="GOp/s/mW",
            reported=efficiency,
            source=CICC if point is CHIPMUNK_EFFICIENT else CHIPMUNK_TABLE,
            certainty="text" if point is CHIPMUNK_EFFICIENT else "recall 85%",
            ours=lambda: peak(CHIPMUNK, point.clock_hz) / 1e9 / (point.watts * 1e3),
            reason=AT_POWER,
        ),
    )


CHIPMUNK_CLAIMS = (
    *_chipmunk_point("fast", CHIPMUNK_FAST, 32.2, 1.11),
    *_chipmunk_point("efficient", CHIPMUNK_EFFICIENT, 3.8, 3.08),
    chipmunk(
        name="memory of a die",
        unit="kB",
        reported=82,
        source=CHIPMUNK_TABLE,
        certainty="recall 80%",
        ours=lambda: die_kilobytes(CHIPMUNK),
        reason="ours is what a full tile needs: weights, biases, peepholes, states and buffers",
    ),
    chipmunk(
        name="weights of a tile",
        unit="kB",
        reported=73.7,
        source="96 * 4 * (96 + 96) bytes",
        certainty="derived",
        ours=lambda: at.tile_weights(CHIPMUNK) / 1e3,
    ),
    chipmunk(
        name="tiles, 3 layers of 421 with 123 inputs",
        unit="die",
        reported=75,
        source=CICC,
        certainty="text",
        ours=lambda: at.graves().dies,
        reason="421 units are a recollection (85%); 385 to 480 give the same tiles",
    ),
    chipmunk(
        name="power of 75 tiles, a frame every 10 ms, at most",
        unit="mW",
        reported=13,
        source=CICC,
        certainty="text",
        ours=lambda: 1e3 * at.graves().step_joules / at.FRAME_S,
        reason="the paper gives an upper bound and not the frames: every 10 ms, dies off in between, and the "
        "prototype's energy for a bit over a link are ours",
    ),
    chipmunk(
        name="area of a core, 65 nm",
        unit="mm2",
        reported=0.9,
        source=CICC,
        certainty="text",
        reason=NO_SYNTHESIS,
    ),
)
MUNTANIALA_CLAIMS = (
    muntaniala(
        name="performance of a die",
        unit="GOp/s",
        reported=30.53,
        certainty="text",
        ours=lambda: peak(MUNTANIALA, MUNTANIALA.clock_hz) / 1e9,
        reason=BY_CONSTRUCTION,
    ),
    muntaniala(
        name="peak efficiency of a die",
        unit="TOp/s/W",
        reported=3.25,
        certainty="text",
        ours=lambda: at.peak_efficiency(MUNTANIALA) / 1e12,
        reason=BY_CONSTRUCTION,
    ),
    muntaniala(
        name="dies, 3 layers of 384 with 123 inputs",
        unit="die",
        reported=48,
        source="3 * 4 * 4",
        certainty="derived",
        ours=lambda: at.nh384().dies,
    ),
    muntaniala(
        name="weights, 3 layers of 384 with 123 inputs",
        unit="",
        reported=3_138_048,
        source="4 * 384 * (123 + 384) + 2 * 4 * 384 * 768",
        certainty="derived",
        ours=lambda: at.nh384().operations / 2,
    ),
    muntaniala(
        name="phone error rate lost, 3 layers of 384, 8/16 bit, TIMIT",
        unit="%",
        reported=3,
        certainty="text",
        reason=NO_TIMIT,
    ),
    muntaniala(
        name="throughput, 3 layers of 384, if no die ever waited",
        unit="GOp/s",
        reported=48 * 30.53,
        source="48 * 30.53 GOP/s; the paper's own figure is not at hand",
        certainty="derived",
        ours=lambda: at.nh384().operations_per_second / 1e9,
        reason="ours is what three layers of 384 get out of them, side by side: links of the prototype's width at the "
        "dies' clock keep them waiting most of the time",
    ),
)
PROTOTYPE_CLAIMS = (
    prototype(
        name="latency of a step, 192 units at 10 MHz",
        unit="us",
        reported=330,
        certainty="text",
        ours=lambda: 1e6 * at.prototype().step_seconds,
        reason=CALIBRATED,
    ),
    prototype(
        name="cycles of a step, 192 units",
        unit="cycle",
        reported=3300,
        source="330 us at 10 MHz",
        certainty="derived",
        ours=lambda: at.prototype().step_cycles,
        reason=CALIBRATED,
    ),
    prototype(
        name="system power, links included",
        unit="mW",
        reported=9.0,
        certainty="text",
        ours=lambda: 1e3 * at.prototype().watts,
        reason=POWER_CALIBRATED,
    ),
    prototype(
        name="energy of a step, links included",
        unit="uJ",
        reported=2.95,
        certainty="text",
        ours=lambda: 1e6 * at.prototype().step_joules,
        reason=POWER_CALIBRATED,
    ),
    prototype(
        name="operations of a step, 192 units, 192 inputs",
        unit="Op",
        reported=589_824,
        source="2 * 4 * 192 * (192 + 192)",
        certainty="derived",
        ours=lambda: at.prototype().operations,
    ),
    prototype(
        name="throughput of the system",
        unit="GOp/s",
        reported=1.8,
        source="589,824 operations in 330 us",
        certainty="derived",
        ours=lambda: at.prototype().operations_per_second / 1e9,
    ),
)
CLAIMS = (*CHIPMUNK_CLAIMS, *MUNTANIALA_CLAIMS, *PROTOTYPE_CLAIMS)

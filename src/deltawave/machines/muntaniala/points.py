"""Published operating points of the dies, and what follows from them: energy of a cycle, the fastest clock.

Energy of a cycle goes with the square of the voltage, times a factor that is interpolated between the points: the two
of Chipmunk give 110 and 112 pJ/V^2, so next to nothing but switched capacitance is seen in them. The fastest clock is
interpolated between the points, too. Below the lowest voltage and above the highest nothing is known.
"""

from dataclasses import dataclass

import numpy as np

CHIPMUNK_TABLE = "Chipmunk (CICC 2018), table"
TCSI = "Vau da Muntanialas (TCSI 2021, arXiv:2202.07462), abstract"
DIE_OPERATIONS_A_CYCLE = 2 * 96


@dataclass(frozen=True)
class OperatingPoint:
    """A die with all units busy. `certainty`: as for a claim."""

    voltage_v: float
    clock_hz: float
    watts: float
    source: str
    certainty: str

    @property
    def cycle_pj(self) -> float:
        """Energy of a cycle."""
        return self.watts / self.clock_hz * 1e12


CHIPMUNK_FAST = OperatingPoint(1.24, 168e6, 29.03e-3, CHIPMUNK_TABLE, "recall 85%")
CHIPMUNK_EFFICIENT = OperatingPoint(0.75, 20e6, 1.24e-3, CHIPMUNK_TABLE, "recall 85%")
CHIPMUNK_POINTS = (CHIPMUNK_EFFICIENT, CHIPMUNK_FAST)

MUNTANIALA_OPERATIONS_PER_JOULE = 3.25e12
MUNTANIALA_OPERATIONS_PER_SECOND = 30.53e9
ASSUMED = f"{TCSI}; its voltages and clocks are not in what we have: those of Chipmunk, ours"


def _muntaniala(voltage_v: float, clock_hz: float) -> OperatingPoint:
    """The most efficient point as published, at the voltages of Chipmunk."""
    cycle_j = DIE_OPERATIONS_A_CYCLE / MUNTANIALA_OPERATIONS_PER_JOULE
    scale = (
        CHIPMUNK_FAST.cycle_pj / CHIPMUNK_EFFICIENT.cycle_pj if voltage_v == CHIPMUNK_FAST.voltage_v else 1.0
    )
    return OperatingPoint(voltage_v, clock_hz, cycle_j * scale * clock_hz, ASSUMED, "derived")


MUNTANIALA_POINTS = (
    _muntaniala(CHIPMUNK_EFFICIENT.voltage_v, CHIPMUNK_EFFICIENT.clock_hz),
    _muntaniala(CHIPMUNK_FAST.voltage_v, MUNTANIALA_OPERATIONS_PER_SECOND / DIE_OPERATIONS_A_CYCLE),
)
POINTS = {"chipmunk": CHIPMUNK_POINTS, "muntaniala": MUNTANIALA_POINTS}


def cycle_pj(points: tuple[OperatingPoint, ...], voltage_v: float) -> float:
    """Energy of a die's cycle with all units busy."""
    volts = [point.voltage_v for point in points]
    per_square = [point.cycle_pj / point.voltage_v**2 for point in points]
    return float(np.interp(voltage_v, volts, per_square)) * voltage_v**2


def fastest_hz(points: tuple[OperatingPoint, ...], voltage_v: float) -> float:
    """The fastest clock at a voltage."""
    volts = [point.voltage_v for point in points]
    return float(np.interp(voltage_v, volts, [point.clock_hz for point in points]))

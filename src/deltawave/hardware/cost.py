"""What a run costs: rows of energy, area and traffic, each saying where its constant comes from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class EnergyRow:
    """Energy of one kind of work over the run. `basis` groups rows of one estimate: rows of different bases
    do not add."""

    name: str
    picojoules: float
    basis: str
    source: str


@dataclass(frozen=True)
class AreaRow:
    """How much of a resource the machine is made of: DSP48E1, BRAM36, LUT, mm2."""

    name: str
    amount: float
    unit: str
    source: str


@dataclass(frozen=True)
class TrafficRow:
    """Bytes moved over the run, and what a dense network would have moved."""

    name: str
    bytes_moved: int
    bytes_dense: int


@dataclass(frozen=True)
class Cost:
    """`basis`: the energy estimate that the headline figure uses."""

    basis: str
    energy: tuple[EnergyRow, ...] = ()
    area: tuple[AreaRow, ...] = ()
    traffic: tuple[TrafficRow, ...] = ()

    @property
    def energy_pj(self) -> float:
        """Energy of the run on the headline basis."""
        return sum(row.picojoules for row in self.energy if row.basis == self.basis)

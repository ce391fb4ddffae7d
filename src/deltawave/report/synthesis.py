"""What the cores of a program take on an FPGA, beside what was published of its machine."""

from dataclasses import dataclass
from typing import Any

from deltawave.errors import OptionError
from deltawave.machines.claims import Claim
from deltawave.machines.program import Program, Progress, quiet
from deltawave.machines.registry import families
from deltawave.report.tables import listed, plain, rendered, table
from deltawave.rtl.synthesis import SYNTHESIS, Clock, Resources, maximum_clock, resources

PUBLISHED = ("LUT", "FF", "DSP48E1", "BRAM36")
"""Names of claims that are resources of Xilinx' FPGAs."""


@dataclass(frozen=True)
class Synthesised:
    """A core on a family of FPGAs. clock: None if it was not placed and routed."""

    core: str
    family: str
    resources: Resources
    clock: Clock | None


@dataclass(frozen=True)
class SynthesisReport:
    """All cores on all families; published figures of the machine as it was built, whatever was compiled here."""

    machine: str
    cores: tuple[Synthesised, ...]
    published: tuple[Claim, ...]

    def as_dict(self) -> dict[str, Any]:
        """Numbers and names only."""
        return {
            "machine": self.machine,
            "cores": [_row(core) for core in self.cores],
            "published": [
                {"name": c.name, "reported": c.reported, "source": c.source, "certainty": c.certainty}
                for c in self.published
            ],
        }

    def text(self, width: int) -> str:
        """A table, and the published figures below it."""
        grid = table("core", "FPGA", "LUT", "FF", "DSP", "block RAM", "clock MHz", texts=(0, 1))
        for core in self.cores:
            found = core.resources
            clock = "" if core.clock is None else plain(core.clock.frequency_hz / 1e6)
            counts = (found.luts, found.flip_flops, found.dsps, found.block_rams)
            grid.add_row(core.core, core.family, *map(plain, counts), clock)
        published = [f"{c.name} {plain(c.reported)}: {c.source} [{c.certainty}]" for c in self.published]
        parts = [listed(f"published of {self.machine}", "-", published)] if published else []
        return rendered(grid, *parts, width=width)


def synthesise(program: Program, *, routes: bool = False, progress: Progress = quiet) -> SynthesisReport:
    """Synthesise the core of each cell for Xilinx' 7 series and Lattice ECP5. routes: place and route it on an ECP5,
    too, for its clock, which takes minutes. Raises OptionError for a machine or parameters without RTL, ToolError."""
    if not program.machine.writes_rtl:
        raise OptionError(f"{program.machine.name} has no RTL yet")
    jobs = [
        (name, verilog, family)
        for name, verilog in program.machine.rtl_modules(program).items()
        for family in SYNTHESIS
    ]
    found = []
    for done, (name, verilog, family) in enumerate(jobs):
        progress("cores synthesised", done, len(jobs))
        routed = maximum_clock(verilog, name) if routes and family == "ecp5" else None
        found.append(Synthesised(name, family, resources(verilog, name, family), routed))
    return SynthesisReport(program.machine.name, tuple(found), _published(program.machine.name))


def _published(machine: str) -> tuple[Claim, ...]:
    claims = [claim for family in families().values() for claim in family.CLAIMS]
    return tuple(claim for claim in claims if claim.machine == machine and claim.name in PUBLISHED)


def _row(core: Synthesised) -> dict[str, Any]:
    found = core.resources
    return {
        "core": core.core,
        "family": core.family,
        "luts": found.luts,
        "flip_flops": found.flip_flops,
        "dsps": found.dsps,
        "block_rams": found.block_rams,
        "frequency_hz": None if core.clock is None else core.clock.frequency_hz,
    }

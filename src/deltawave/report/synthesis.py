"""What the cores of a program take on FPGAs and as a chip, beside what the model says and what was published."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from deltawave.errors import OptionError
from deltawave.hardware.constants import NAND2_AREA, SRAM_AREA
from deltawave.hardware.cost import AreaRow
from deltawave.machines.claims import Claim
from deltawave.machines.program import Program, Progress, quiet
from deltawave.machines.registry import families
from deltawave.rtl.area import Area, area
from deltawave.rtl.synthesis import SYNTHESIS, Clock, Resources, maximum_clock, resources

GATES = "gates"
TARGETS = (*SYNTHESIS, GATES)
"""What cores are synthesised for: families of FPGAs, and standard cells."""
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
class Chip:
    """A core in standard cells and memories."""

    core: str
    area: Area

    @property
    def logic_mm2(self) -> float:
        """Gates at the node of the constants."""
        return self.area.gates * NAND2_AREA.scaled / 1e6

    @property
    def memory_mm2(self) -> float:
        """Memories, all of them at the density of a large one."""
        return self.area.memory_bits * SRAM_AREA.scaled / 1e6


@dataclass(frozen=True)
class SynthesisReport:
    """All cores on all targets. modelled: the same machine in the cost model, with all cells in its memories;
    published: the machine as it was built, whatever was compiled here."""

    machine: str
    cores: tuple[Synthesised, ...] = ()
    chips: tuple[Chip, ...] = ()
    modelled: tuple[AreaRow, ...] = ()
    published: tuple[Claim, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Numbers and names only."""
        return {
            "machine": self.machine,
            "cores": [_core(core) for core in self.cores],
            "chips": [_chip(chip) for chip in self.chips],
            "modelled": [vars(row) for row in self.modelled],
            "published": [
                {"name": c.name, "reported": c.reported, "source": c.source, "certainty": c.certainty}
                for c in self.published
            ],
        }

    def text(self, width: int) -> str:
        """Tables of FPGAs, of gates and of memories, and where the figures of others come from."""
        from deltawave.report.synthesis_text import text

        return text(self, width)


def check_targets(targets: Sequence[str], *, routes: bool = False) -> None:
    """Raise OptionError for a target that there is not, for none, and for routes without the FPGA that they are for."""
    for target in targets or ("",):
        if target not in TARGETS:
            raise OptionError(f"cores are synthesised for {', '.join(TARGETS)}, not for {target!r}")
    if routes and "ecp5" not in targets:
        raise OptionError(
            f"cores are placed and routed on ecp5, which is not among the targets {', '.join(targets)}"
        )


def synthesise(
    program: Program, *, targets: Sequence[str] = TARGETS, routes: bool = False, progress: Progress = quiet
) -> SynthesisReport:
    """Synthesise the core of each cell for each target, which takes minutes each. routes: place and route it on an
    ECP5, too, for its clock. Raises OptionError for a machine or parameters without RTL, ToolError."""
    check_targets(targets, routes=routes)
    machine = program.machine
    if not machine.writes_rtl:
        raise OptionError(f"{machine.name} has no RTL yet")
    modules = machine.rtl_modules(program)
    modelled = machine.area(list(program.cells.values()))
    report = SynthesisReport(machine.name, modelled=modelled, published=_published(machine.name))
    jobs = [(core, target) for core in modules for target in dict.fromkeys(targets)]
    for done, (core, target) in enumerate(jobs):
        progress("cores synthesised", done, len(jobs))
        report = _with_core(report, core, modules[core], target, routes=routes)
    return report


def _with_core(
    report: SynthesisReport, core: str, verilog: str, target: str, *, routes: bool
) -> SynthesisReport:
    if target == GATES:
        return replace(report, chips=(*report.chips, Chip(core, area(verilog, core))))
    clock = maximum_clock(verilog, core) if routes and target == "ecp5" else None
    found = Synthesised(core, target, resources(verilog, core, target), clock)
    return replace(report, cores=(*report.cores, found))


def _published(machine: str) -> tuple[Claim, ...]:
    claims = [claim for family in families().values() for claim in family.CLAIMS]
    return tuple(claim for claim in claims if claim.machine == machine and claim.name in PUBLISHED)


def _core(core: Synthesised) -> dict[str, Any]:
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


def _chip(chip: Chip) -> dict[str, Any]:
    found = chip.area
    return {
        "core": chip.core,
        "gates": found.gates,
        "combinational_gates": found.combinational,
        "sequential_gates": found.sequential,
        "flip_flops": found.flip_flops,
        "memory_bits": found.memory_bits,
        "logic_mm2": chip.logic_mm2,
        "memory_mm2": chip.memory_mm2,
        "memories": [vars(memory) for memory in found.memories],
    }

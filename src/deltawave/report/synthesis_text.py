"""The report on synthesised cores as people like to read it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from deltawave.hardware.constants import NAND2_AREA, NODE_NM, SRAM_AREA
from deltawave.report.tables import digits, listed, plain, rendered, table
from deltawave.rtl.area import LEAST_WORDS

if TYPE_CHECKING:
    from deltawave.report.synthesis import SynthesisReport

FPGAS = {"xc7": "7 series", "ecp5": "ECP5"}
COLUMNS = ("LUT", "FF", "DSP48E1", "BRAM36")
COUNTED = ("DSP48E1", "BRAM36")
"""What the cost model counts of an FPGA by itself."""
MODELLED, PUBLISHED = "whole machine, modelled", "whole machine, published"


def text(report: "SynthesisReport", width: int) -> str:
    """Tables, and below them what the figures mean."""
    parts = [
        *([_fpgas(report)] if report.cores else []),
        *([_chips(report), _memories(report)] if report.chips else []),
        listed(f"about these figures of {report.machine}", "-", _notes(report)),
    ]
    return rendered(*parts, width=width)


def _fpgas(report: "SynthesisReport") -> Table:
    grid = table("core", "FPGA", "LUT", "FF", "DSP", "block RAM", "clock MHz", texts=(0, 1))
    for core in report.cores:
        found = core.resources
        clock = "" if core.clock is None else plain(core.clock.frequency_hz / 1e6)
        counts = (found.luts, found.flip_flops, found.dsps, found.block_rams)
        grid.add_row(core.core, FPGAS[core.family], *map(plain, counts), clock)
    modelled = {row.name: row.amount for row in report.modelled if row.name in COUNTED}
    published = {claim.name: claim.reported for claim in report.published}
    for who, amounts in ((MODELLED, modelled), (PUBLISHED, published)):
        if any(name in amounts for name in COLUMNS):
            cells = (plain(amounts[name]) if name in amounts else "" for name in COLUMNS)
            grid.add_row(who, FPGAS["xc7"], *cells, "")
    return grid


def _chips(report: "SynthesisReport") -> Table:
    headings = ("kGE", "combinational", "flip-flops", "logic mm2", "memory kbit", "memory mm2")
    grid = table("core", *headings)
    for chip in report.chips:
        found = chip.area
        kilogates = (found.gates / 1e3, found.combinational / 1e3, found.sequential / 1e3)
        rest = (chip.logic_mm2, found.memory_bits / 1e3, chip.memory_mm2)
        grid.add_row(chip.core, *map(digits, (*kilogates, *rest)))
    areas = {row.name: digits(row.amount) for row in report.modelled if row.unit == "mm2"}
    if areas:
        grid.add_row(MODELLED, "", "", "", areas.get("multipliers", ""), "", areas.get("memories", ""))
    return grid


def _memories(report: "SynthesisReport") -> Table:
    grid = table("memories of", "number", "words", "bits a word", "read ports", "write ports", "kbit")
    for chip in report.chips:
        for memory in chip.area.memories:
            reads = f"{memory.reads}{', not clocked' if memory.asynchronous else ''}"
            sizes = map(plain, (memory.count, memory.words, memory.word_bits))
            grid.add_row(chip.core, *sizes, reads, plain(memory.writes), digits(memory.bits / 1e3))
    return grid


def _notes(report: "SynthesisReport") -> Iterator[str]:
    yield "a core has what its cells need, without pads; the whole machine is modelled as chosen, published as built"
    if report.cores:
        yield "counts by Yosys; a block RAM has 36 kbit on 7 series and 18 kbit on ECP5"
    for core in report.cores:
        if core.clock is not None:
            yield f"clock of {core.core}: the slowest path goes from {core.clock.path_from} to {core.clock.path_to}"
    if report.chips:
        yield from _notes_on_chips()
    for row in report.modelled:
        if row.unit == "mm2" and report.chips:
            yield f"modelled {row.name}: {row.source}"
    for claim in report.published:
        yield f"published {claim.name} {plain(claim.reported)}: {claim.source} [{claim.certainty}]"


def _notes_on_chips() -> Iterator[str]:
    yield (
        f"GE: gate equivalents, the area of a NAND2; mm2 at {NODE_NM} nm, {NAND2_AREA.reference}; smallest area, no "
        "timing, clock tree or space between cells"
    )
    yield (
        f"memories of {LEAST_WORDS} words and more are macros, not gates, at the density of a large one, which small "
        f"ones miss; {SRAM_AREA.reference}"
    )
    yield "the modelled logic is the multipliers alone; the core's has everything else, too"

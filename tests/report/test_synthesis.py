"""The report on synthesised cores, of figures made up here: no tool runs."""

import json
from collections.abc import Sequence
from dataclasses import replace

from deltawave.hardware.cost import AreaRow
from deltawave.machines.claims import Claim
from deltawave.report.synthesis import Chip, Synthesised, SynthesisReport
from deltawave.rtl.area import Area, Memory
from deltawave.rtl.synthesis import Clock, Resources

CHIP = Chip(
    "gru_core", Area({"DFF": 3000, "NAND2": 5000}, (Memory(1024, 16, 2, 1, 1), Memory(64, 8, 1, 1, 0, 2)))
)
MODELLED = (
    AreaRow("DSP48E1", 8, "slices", "one a multiplier"),
    AreaRow("BRAM36", 17, "blocks", "36 Kb each"),
    AreaRow("LUT", 5_000, "", "a paper [recall 50%]"),
    AreaRow("multipliers", 0.0048, "mm2", "8 of them"),
    AreaRow("memories", 0.1023, "mm2", "states 25 kB"),
)
DSPS = Claim(
    machine="edge",
    name="DSP48E1",
    unit="slices",
    reported=9,
    source="a paper",
    certainty="recall 50%",
    reason=".",
)
REPORT = SynthesisReport(
    "edge",
    (
        Synthesised("gru_core", "xc7", Resources(4108, 3534, 33, 8, {}), None),
        Synthesised("gru_core", "ecp5", Resources(9803, 5128, 34, 27, {}), Clock(25.9e6, "here", "there")),
    ),
    (CHIP,),
    MODELLED,
    (DSPS,),
)


def rows(report: SynthesisReport, first: Sequence[str]) -> list[list[str]]:
    """The words of the lines that begin with one of these."""
    return [line.split() for line in report.text(300).splitlines() if line.startswith(tuple(first))]


def test_cores_stand_beside_the_model_and_what_was_published() -> None:
    found = rows(replace(REPORT, chips=()), ("core", "gru", "whole"))
    assert [" ".join(row) for row in found] == [
        "core FPGA LUT FF DSP block RAM clock MHz",
        "gru_core 7 series 4,108 3,534 33 8",
        "gru_core ECP5 9,803 5,128 34 27 25.90",
        "whole machine, modelled 7 series 8 17",
        "whole machine, published 7 series 9",
    ]


def test_gates_memories_and_their_area() -> None:
    found = rows(replace(REPORT, cores=()), ("core", "gru", "whole", "memories"))
    gates = 3000 * 17 / 3 + 5000
    logic, memory = gates * 0.57 * 1.4 * (28 / 45) ** 2, 17408 * 594_786 / (162 * 1024 * 8) * (28 / 45) ** 2
    assert [" ".join(row) for row in found] == [
        "core kGE combinational flip-flops logic mm2 memory kbit memory mm2",
        f"gru_core 22.00 5.000 17.00 {logic / 1e6:.6f} 17.41 {memory / 1e6:.6f}",
        "whole machine, modelled 0.004800 0.1023",
        "memories of number words bits a word read ports write ports kbit",
        "gru_core 1 1,024 16 2, not clocked 1 16.38",
        "gru_core 2 64 8 1 1 1.024",
    ]


def test_the_notes_say_where_figures_come_from() -> None:
    notes = [line for line in REPORT.text(1000).splitlines() if line.startswith("- ")]
    assert notes == [
        "- a core has what its cells need, without pads; the whole machine is modelled as chosen, published as built",
        "- counts by Yosys; a block RAM has 36 kbit on 7 series and 18 kbit on ECP5",
        "- clock of gru_core: the slowest path goes from here to there",
        "- GE: gate equivalents, the area of a NAND2; mm2 at 28 nm, 0.798 um2: NanGate 45 nm Open Cell Library: "
        "NAND2_X1 is 0.57 um x 1.4 um [text], x (28/45)^2; smallest area, no timing, clock tree or space between cells",
        "- memories of 16 words and more are macros, not gates, at the density of a large one, which small ones miss; "
        "0.448183 um2/bit: EIE (ISCA 2016) table II: 162 KB of SRAM take 594,786 um2 [text], x (28/45)^2",
        "- the modelled logic is the multipliers alone; the core's has everything else, too",
        "- modelled multipliers: 8 of them",
        "- modelled memories: states 25 kB",
        "- published DSP48E1 9: a paper [recall 50%]",
    ]


def test_numbers_for_programs() -> None:
    read = json.loads(json.dumps(REPORT.as_dict()))
    assert read["cores"][1]["frequency_hz"] == 25.9e6
    assert read["chips"] == [
        {
            "core": "gru_core",
            "gates": 22000,
            "combinational_gates": 5000,
            "sequential_gates": 17000,
            "flip_flops": 3000,
            "memory_bits": 17408,
            "logic_mm2": CHIP.logic_mm2,
            "memory_mm2": CHIP.memory_mm2,
            "memories": [vars(memory) for memory in CHIP.area.memories],
        }
    ]
    assert [row["name"] for row in read["modelled"]] == [row.name for row in MODELLED]
    assert read["published"] == [
        {"name": "DSP48E1", "reported": 9, "source": "a paper", "certainty": "recall 50%"}
    ]

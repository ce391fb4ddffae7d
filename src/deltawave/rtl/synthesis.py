"""What a core in Verilog takes on an FPGA, by Yosys and nextpnr as the YoWASP packages bring them.

The core is synthesised alone, without pads. Counts are Yosys' own, with inverters taken into the LUTs that they feed: a
vendor's tools give others. The clock is that of an ECP5 of the slowest grade, placed and routed: no place and route
for Xilinx' 7 series comes through pip. Results are kept in the cache; the first run of each package takes a minute
more, in which it compiles itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltawave.errors import OptionError, ToolError
from deltawave.rtl.yosys import NEXTPNR, YOSYS, all_cells, made, run_nextpnr, run_yosys

ONE_LUT = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "RAM32X1S", "RAM64X1S", "SRL16E", "SRLC32E")
TWO_LUTS = ("RAM32X1D", "RAM64X1D", "RAM128X1S")
FOUR_LUTS = ("RAM32M", "RAM64M", "RAM128X1D", "RAM256X1S")
LUTS: dict[str, dict[str, int]] = {
    "xc7": dict.fromkeys(ONE_LUT, 1) | dict.fromkeys(TWO_LUTS, 2) | dict.fromkeys(FOUR_LUTS, 4),
    "ecp5": {"LUT4": 1, "CCU2C": 2, "TRELLIS_DPR16X4": 6},
}
FLIP_FLOPS: dict[str, dict[str, int]] = {
    "xc7": dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), 1),
    "ecp5": {"TRELLIS_FF": 1},
}
DSPS: dict[str, dict[str, int]] = {"xc7": {"DSP48E1": 1}, "ecp5": {"MULT18X18D": 1}}
BLOCK_RAMS: dict[str, dict[str, float]] = {"xc7": {"RAMB36E1": 1, "RAMB18E1": 0.5}, "ecp5": {"DP16KD": 1}}
SYNTHESIS = {
    "xc7": "synth_xilinx -family xc7 -flatten -noiopad -noclkbuf -top",
    "ecp5": "synth_ecp5 -top",
}
"""Yosys' command for a family of FPGAs."""
DEVICE = ("--85k", "--package", "CABGA756", "--speed", "6")
PLACE_AND_ROUTE = (*DEVICE, "--out-of-context", "--timing-allow-fail", "--quiet")


@dataclass(frozen=True)
class Resources:
    """Cells of an FPGA. LUTs that are memories or shift registers count with the others."""

    luts: int
    flip_flops: int
    dsps: int
    """xc7: DSP48E1; ecp5: MULT18X18D."""
    block_rams: float
    """xc7: of 36 kbit; ecp5: of 18 kbit."""
    cells: Mapping[str, int]
    """All cells by their type."""


@dataclass(frozen=True)
class Clock:
    """The fastest clock of a core, and the ends of the path that keeps it from being faster."""

    frequency_hz: float
    path_from: str
    """The cell in which it begins, by the name of a signal that it drives or is driven by."""
    path_to: str


def resources(verilog: str, top: str, family: str = "xc7") -> Resources:
    """Resources of module `top`. family: xc7 (Xilinx' 7 series) or ecp5. Raises OptionError, ToolError."""
    if family not in SYNTHESIS:
        raise OptionError(f"cores are synthesised for {' or '.join(SYNTHESIS)}, not for {family}")
    script = f"{SYNTHESIS[family]} {top}; tee -q -o stat.json stat -json"

    def build(folder: Path) -> Path:
        run_yosys(folder, verilog, script)
        return folder / "stat.json"

    return _counted(all_cells(made((verilog, script), build), top), family)


def maximum_clock(verilog: str, top: str, seed: int = 1) -> Clock:
    """The clock that module `top` reaches on an ECP5, placed and routed alone; minutes for a core of thousands of LUTs.
    seed: of the placement. Raises ToolError."""
    script = f"{SYNTHESIS['ecp5']} {top} -json netlist.json"
    arguments = (*PLACE_AND_ROUTE, "--seed", str(seed), "--json", "netlist.json", "--report", "report.json")

    def build(folder: Path) -> Path:
        run_yosys(folder, verilog, script)
        run_nextpnr(folder, arguments)
        return folder / "report.json"

    return _slowest(made((verilog, script, *arguments), build, (YOSYS, NEXTPNR)), top)


def _counted(cells: Mapping[str, int], family: str) -> Resources:
    def count(weights: Mapping[str, float]) -> float:
        return sum(weights.get(cell, 0) * number for cell, number in cells.items())

    luts, flip_flops, dsps = (int(count(kind[family])) for kind in (LUTS, FLIP_FLOPS, DSPS))
    return Resources(luts, flip_flops, dsps, count(BLOCK_RAMS[family]), cells)


def _slowest(report: Any, top: str) -> Clock:
    clocks = {name: clock["achieved"] * 1e6 for name, clock in report["fmax"].items()}
    if not clocks:
        raise ToolError(f"{top} has no path from one register to another: it has no fastest clock")
    name = min(clocks, key=lambda name: clocks[name])
    ends = f"posedge {name}"
    path = next(p["path"] for p in report["critical_paths"] if p["from"] == p["to"] == ends)
    return Clock(clocks[name], path[0]["from"]["cell"], path[-1]["to"]["cell"])

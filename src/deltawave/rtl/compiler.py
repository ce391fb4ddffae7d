"""The C++ compiler that is there: $CXX, g++, clang++, or the one of the package ziglang.

-O1 makes a large core in half the time of -O2. Where long runs are worth more, `CXXFLAGS="-O2 -march=native"` makes
them up to twice as fast.
"""

import os
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

from deltawave.errors import ToolError
from deltawave.rtl.tools import run_tool

FLAGS = ("-std=c++17", "-O1", "-DNDEBUG", "-fPIC", "-fvisibility=hidden", "-w")


def find_compiler() -> tuple[str, ...]:
    """The command of the compiler. Raises ToolError if there is none."""
    if chosen := shlex.split(os.environ.get("CXX", "")):
        return tuple(chosen)
    for name in ("g++", "clang++"):
        if found := shutil.which(name):
            return (found,)
    if find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang", "c++")
    raise ToolError(
        "simulating Verilog needs a C++ compiler, and neither g++ nor clang++ was found; "
        "set CXX, or pip install 'deltawave[compiler]'"
    )


def version_of(compiler: tuple[str, ...]) -> str:
    """What the compiler says of its version, with its command and flags."""
    said = run_tool("asking the C++ compiler for its version", (*compiler, "--version"), Path.cwd())
    return f"{shlex.join((*compiler, *_flags()))} {said}"


def compile_cpp(compiler: tuple[str, ...], arguments: tuple[str | Path, ...], folder: Path) -> None:
    """Run the compiler with the common flags."""
    run_tool("compiling the simulation", (*compiler, *_flags(), *arguments), folder)


def _flags() -> tuple[str, ...]:
    return (*FLAGS, *shlex.split(os.environ.get("CXXFLAGS", "")))

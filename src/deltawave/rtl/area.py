"""What a core in Verilog takes as a chip: gate equivalents by Yosys with the cells of `liberty`, and memory bits.

The core is mapped to the smallest area that ABC finds, without timing: clock tree, buffers for long wires and the
space that placing leaves free come on top. A memory that is written and has at least LEAST_WORDS words is an SRAM, or a
file of registers, that a generator makes: it is listed, not counted as gates. Smaller ones are flip-flops, and tables
that nothing writes are logic. A module that keeps its hierarchy is mapped once and counted as often as it is there.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from deltawave.rtl.liberty import FLIP_FLOP, NAND2_SITES, SITES, liberty
from deltawave.rtl.yosys import all_cells, cells_by_module, instances, made, run_yosys

LEAST_WORDS = 16
MEMORY = "$mem_v2"
SMALLEST = "+strash;ifraig;dc2;map,-a;topo"
"""What ABC does: more of it (scorr, dch) saves 0.1 % of a core of 60,000 gates and takes far longer for large ones."""
SCRIPT = f"""
hierarchy -top {{top}}
synth -flatten -booth -run begin:fine
memory_map r:SIZE<{LEAST_WORDS}
memory_map -rom-only
opt -fast -full
techmap
opt -fast
dfflibmap -liberty gates.lib
abc -liberty gates.lib -script {SMALLEST}
opt_clean
tee -q -o stat.json stat -json
setparam -set INIT 1'x t:{MEMORY}
select t:{MEMORY}
write_json -selected memories.json
"""


@dataclass(frozen=True, order=True)
class Memory:
    """Equal memories of a design. A read that is not clocked (`asynchronous`) counts among the reads, too."""

    words: int
    word_bits: int
    reads: int
    writes: int
    asynchronous: int
    count: int = 1

    @property
    def bits(self) -> int:
        """Of all of them."""
        return self.count * self.words * self.word_bits


@dataclass(frozen=True)
class Area:
    """What a core is made of. cells: by type, as in `liberty`; memories: the largest first."""

    cells: Mapping[str, int]
    memories: tuple[Memory, ...]

    @property
    def gates(self) -> float:
        """Gate equivalents: the area in that of a NAND2 with two inputs."""
        return self.combinational + self.sequential

    @property
    def combinational(self) -> float:
        """Gate equivalents of what is no flip-flop."""
        sites = {cell: SITES[cell] * number for cell, number in self.cells.items() if cell != FLIP_FLOP}
        return sum(sites.values()) / NAND2_SITES

    @property
    def sequential(self) -> float:
        """Gate equivalents of the flip-flops."""
        return self.flip_flops * SITES[FLIP_FLOP] / NAND2_SITES

    @property
    def flip_flops(self) -> int:
        """How many flip-flops."""
        return self.cells.get(FLIP_FLOP, 0)

    @property
    def memory_bits(self) -> int:
        """Bits of all memories."""
        return sum(memory.bits for memory in self.memories)


def area(verilog: str, top: str) -> Area:
    """Gates and memories of module `top`. Raises ToolError, for latches, too."""
    cells_text, script = liberty(), SCRIPT.format(top=top)

    def build(folder: Path) -> Path:
        (folder / "gates.lib").write_text(cells_text)
        (folder / "area.ys").write_text(script)
        run_yosys(folder, verilog, "script area.ys")
        found = folder / "area.json"
        found.write_bytes(msgspec.json.encode(_found(folder)))
        return found

    found = made((verilog, script, cells_text), build)
    cells = all_cells(found["statistics"], top)
    cells.pop(MEMORY, None)
    assert SITES.keys() >= cells.keys(), cells
    return Area(cells, _memories(found, top))


def _found(folder: Path) -> dict[str, Any]:
    """Statistics, and the parameters of the memories of each module."""
    modules = msgspec.json.decode((folder / "memories.json").read_bytes())["modules"]
    memories = {
        name: [cell["parameters"] for cell in module["cells"].values()] for name, module in modules.items()
    }
    statistics = msgspec.json.decode((folder / "stat.json").read_bytes())
    return {"statistics": statistics, "memories": memories}


def _memories(found: Any, top: str) -> tuple[Memory, ...]:
    times = instances(cells_by_module(found["statistics"]), top)
    counts: Counter[Memory] = Counter()
    for module, memories in found["memories"].items():
        for parameters in memories:
            counts[_memory(parameters)] += times[module]
    memories = [replace(memory, count=number) for memory, number in counts.items()]
    return tuple(sorted(memories, key=lambda memory: (-memory.bits, memory)))


def _memory(parameters: Mapping[str, str]) -> Memory:
    words, word_bits, reads, writes = (
        int(parameters[name], 2) for name in ("SIZE", "WIDTH", "RD_PORTS", "WR_PORTS")
    )
    clocked = parameters["RD_CLK_ENABLE"][-reads:].count("1") if reads else 0
    return Memory(words, word_bits, reads, writes, reads - clocked)

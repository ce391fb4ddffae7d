"""Components that are written as Verilog once and instantiated many times."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from amaranth.hdl import Module, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator

from deltawave.rtl.shared import shared
from deltawave.rtl.simulation import Simulation
from deltawave.rtl.verilog import to_verilog

ROOT = Path(__file__).parents[2]
TABLES = ((3, 1, 4, 1), (5, 9, 2, 6))
LANES = 6
WRITE = """
from rtl.test_shared import Lanes
from deltawave.rtl.verilog import to_verilog
print(to_verilog(Lanes(), "core"), end="")
"""


class Table(wiring.Component):
    """Without a clock."""

    def __init__(self, values: tuple[int, ...]) -> None:
        self.values = values
        super().__init__({"at": In(range(len(values))), "value": Out(8)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.Switch(self.at):
            for place, value in enumerate(self.values):
                with m.Case(place):
                    m.d.comb += self.value.eq(value)
        return m


class TableLane(wiring.Component):
    """Adds what its table has at `at` to the sum of that place."""

    def __init__(self, values: tuple[int, ...]) -> None:
        self.values = values
        super().__init__({"at": In(2), "adds": In(1), "sum": Out(signed(16))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        table = shared(m, "values", Table, self.values)
        m.submodules.sums = sums = Memory(shape=signed(16), depth=4, init=[])
        read, write = sums.read_port(domain="comb"), sums.write_port()
        m.d.comb += [
            table.at.eq(self.at),
            read.addr.eq(self.at),
            self.sum.eq(read.data),
            write.addr.eq(self.at),
            write.data.eq(read.data - table.value),
            write.en.eq(self.adds),
        ]
        return m


class Lanes(wiring.Component):
    """Lanes of two tables in turn; lane i adds at x + i. h: the sums before that."""

    def __init__(self) -> None:
        streams = {"x_valid": In(1), "x_ready": Out(1), "h_valid": Out(1), "h_ready": In(1)}
        super().__init__({**streams, "x_data": In(2), "h_data": Out(16 * LANES)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.x_ready.eq(self.h_ready), self.h_valid.eq(self.x_valid)]
        for number in range(LANES):
            lane = shared(m, f"lane{number}", TableLane, TABLES[number % 2])
            m.d.comb += [
                lane.at.eq(self.x_data + number),
                lane.adds.eq(self.x_valid & self.h_ready),
                self.h_data.word_select(number, 16).eq(lane.sum),
            ]
        return m


def sums_before(places: list[int]) -> list[list[int]]:
    """What `Lanes` gives, [beats][lanes]."""
    sums, found = np.zeros((LANES, 4), np.int64), []
    for place in places:
        at = (place + np.arange(LANES)) % 4
        found.append(sums[range(LANES), at].tolist())
        for lane in range(LANES):
            sums[lane, at[lane]] -= TABLES[lane % 2][at[lane]]
    return found


def modules_of(verilog: str) -> list[str]:
    return re.findall(r"^module \\?([\w.]+)", verilog, re.MULTILINE)


def test_equal_components_are_one_module() -> None:
    verilog = to_verilog(Lanes(), "core")
    assert modules_of(verilog) == [
        "core",
        *("core_table", "core_table_2"),
        *("core_table_lane", "core_table_lane_2"),
    ]
    for name, instances in (("table_lane", 3), ("table_lane_2", 3), ("table", 1), ("table_2", 1)):
        assert len(re.findall(rf"^  core_{name} \S+ \($", verilog, re.MULTILINE)) == instances
    assert verilog.count("(* keep_hierarchy =") == 4
    assert verilog.count("(* top =") == 1
    assert "clk" not in verilog[verilog.index("module core_table(") :].partition("endmodule")[0]


def test_shared_components_in_verilator() -> None:
    places = np.random.default_rng(0).integers(0, 4, 200).tolist()
    core = Simulation(to_verilog(Lanes(), "core"), "core")
    taken = core.run({"x_data": places}, {"h": len(places)}, limit_cycles=1000).taken["h"]
    core.close()
    assert taken.values(lanes=LANES, signed=True).tolist() == sums_before(places)


def test_plain_submodules_elsewhere() -> None:
    places, lanes, found = np.random.default_rng(1).integers(0, 4, 40).tolist(), Lanes(), []

    async def bench(ctx: object) -> None:
        ctx.set(lanes.h_ready, 1), ctx.set(lanes.x_valid, 1)
        for place in places:
            ctx.set(lanes.x_data, place)
            data = ctx.get(lanes.h_data)
            words = np.array([data >> 16 * lane & 0xFFFF for lane in range(LANES)], np.uint16)
            found.append(words.view(np.int16).tolist())
            await ctx.tick()

    simulator = Simulator(lanes)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == sums_before(places)


def test_the_text_is_the_same_each_time() -> None:
    def written(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT / 'src'}"}
        command = [sys.executable, "-c", WRITE]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    assert to_verilog(Lanes(), "core") == written("1") == written("2")


def test_two_designs_have_no_module_in_common() -> None:
    first, second = (set(modules_of(to_verilog(Lanes(), name))) for name in ("one_core", "other_core"))
    assert not first & second

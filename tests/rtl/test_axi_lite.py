"""The register file against a dictionary, whatever comes first on its five streams."""

from collections.abc import Iterator

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import SimulationError
from deltawave.rtl.axi_lite import OKAY, SLVERR, Register, RegisterFile, axi_lite_slave, forward_axi_lite
from deltawave.rtl.core import StreamSimulation
from deltawave.rtl.verilog import to_verilog

REGISTERS = (
    Register("theta", 0, 16, reset=77),
    Register("wide", 4, 32, reset=0xDEADBEEF),
    Register("bit", 12, 1),
    Register("busy", 16, 8, writable=False),
)
CHANNELS = ("axil_aw", "axil_w", "axil_b", "axil_ar", "axil_r")
patterns = st.lists(st.booleans(), min_size=1, max_size=9).filter(lambda pattern: not all(pattern))
addresses = st.sampled_from([0, 4, 8, 12, 16, 20, 0xFC])


@pytest.fixture(scope="module")
def registers() -> Iterator[StreamSimulation]:
    core = StreamSimulation(to_verilog(RegisterFile(REGISTERS), "registers"), "registers")
    yield core
    core.close()


class Model:
    """What the registers hold: read-only ones, that nothing drives, are zero."""

    def __init__(self) -> None:
        self.values = {r.offset: r.reset for r in REGISTERS}
        self.masks = {r.offset: (1 << r.bits) - 1 for r in REGISTERS if r.writable}

    def write(self, address: int, value: int, strobe: int) -> int:
        if address not in self.masks:
            return SLVERR
        mask = sum(0xFF << (8 * i) for i in range(4) if strobe >> i & 1) & self.masks[address]
        self.values[address] = self.values[address] & ~mask | value & mask
        return OKAY

    def read(self, address: int) -> tuple[int, int]:
        return (self.values[address], OKAY) if address in self.values else (0, SLVERR)


def drawn_stalls(data: st.DataObject) -> dict[str, np.ndarray]:
    return {channel: np.array(data.draw(patterns)) for channel in CHANNELS}


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_writes_and_reads_in_any_order_of_valid_and_ready(
    registers: StreamSimulation, data: st.DataObject
) -> None:
    write = st.tuples(addresses, st.integers(0, (1 << 32) - 1), st.integers(0, 15))
    writes = data.draw(st.lists(write, min_size=1, max_size=10))
    reads = data.draw(st.lists(addresses, min_size=1, max_size=10))
    model = Model()
    registers.reset()

    columns = [list(column) for column in zip(*writes, strict=True)]
    inputs = dict(zip(("axil_awaddr", "axil_wdata", "axil_wstrb"), columns, strict=True))
    wanted = {"axil_b": len(writes)}
    written = registers.run(inputs, wanted, limit_cycles=5000, stalls=drawn_stalls(data)).taken["axil_b"]
    assert written.values().tolist() == [model.write(*w) for w in writes]

    wanted = {"axil_r": len(reads)}
    read = registers.run({"axil_araddr": reads}, wanted, limit_cycles=5000, stalls=drawn_stalls(data)).taken[
        "axil_r"
    ]
    pairs = zip(read.values("axil_rdata").tolist(), read.values("axil_rresp").tolist(), strict=True)
    assert list(pairs) == [model.read(address) for address in reads]


@settings(deadline=None, max_examples=20)
@given(st.data())
def test_a_read_beside_writes_sees_the_old_value_or_the_new(
    registers: StreamSimulation, data: st.DataObject
) -> None:
    registers.reset()
    inputs = {"axil_awaddr": [4], "axil_wdata": [5], "axil_wstrb": [15], "axil_araddr": [4] * 6}
    wanted = {"axil_b": 1, "axil_r": 6}
    taken = registers.run(inputs, wanted, limit_cycles=5000, stalls=drawn_stalls(data)).taken
    values = taken["axil_r"].values("axil_rdata").tolist()
    old = values.count(0xDEADBEEF)
    assert values == [0xDEADBEEF] * old + [5] * (6 - old)


def test_an_access_takes_two_cycles(registers: StreamSimulation) -> None:
    registers.reset()
    inputs = {"axil_awaddr": [0, 4], "axil_wdata": [1, 2], "axil_wstrb": [15, 15], "axil_araddr": [0, 4]}
    taken = registers.run(inputs, {"axil_b": 2, "axil_r": 2}, limit_cycles=10).taken
    assert taken["axil_b"].cycles.tolist() == [2, 4]
    assert taken["axil_r"].cycles.tolist() == [1, 3]


class PulseCounter(wiring.Component):
    """Counts the cycles in which a pulse is high in a read-only register, beside one that keeps its value."""

    def __init__(self) -> None:
        registers = (
            Register("go", 0, 2, pulse=True),
            Register("kept", 4, 2),
            Register("count", 8, 8, writable=False),
        )
        self.file = RegisterFile(registers)
        super().__init__(axi_lite_slave(8))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.file = file = self.file
        m.d.comb += forward_axi_lite(self, file)
        m.d.sync += file.count.eq(file.count + file.go)
        return m


def test_a_pulse_is_high_for_one_cycle() -> None:
    core = StreamSimulation(to_verilog(PulseCounter(), "pulses"), "pulses")
    core.write_register(4, 3)
    for value in (1, 0, 3):
        core.write_register(0, value)
    core.run_for(10)
    assert [core.read_register(address) for address in (0, 4, 8)] == [0, 3, 4]


def test_one_register_at_a_time(registers: StreamSimulation) -> None:
    registers.reset()
    assert registers.read_register(0) == 77
    registers.write_register(0, 0x1234)
    registers.write_register(0, 0xFFFF, strobe=0b0010)
    assert registers.read_register(0) == 0xFF34
    registers.reset()
    assert registers.read_register(0) == 77


def test_what_is_not_there_or_read_only_is_refused(registers: StreamSimulation) -> None:
    with pytest.raises(SimulationError) as caught:
        registers.write_register(16, 1)
    assert str(caught.value) == "the core answers SLVERR to a write at 0x10"
    with pytest.raises(SimulationError) as caught:
        registers.read_register(8)
    assert str(caught.value) == "the core answers SLVERR to a read at 0x8"

"""Registers behind an AXI4-Lite slave, as ARM IHI 0022 describes it.

One write and one read are under way at a time; address and data of a write come in any order. Every output is a
register: no ready waits for a valid in the same cycle. What has no register, and a write to one that is read only,
is answered SLVERR and changes nothing. Bits beyond a register's read as zeros, and are ignored when written.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

OKAY, SLVERR = 0, 2
BYTES = 4


@dataclass(frozen=True)
class Register:
    """A register of 1 to 32 bits at a byte offset, a multiple of 4. `reset` is what it holds before it is written;
    one that is a `pulse` holds what is written for one cycle."""

    name: str
    offset: int
    bits: int
    reset: int = 0
    writable: bool = True
    pulse: bool = False


def axi_lite_slave(address_bits: int) -> dict[str, Any]:
    """The members of a slave's signature, without the protection bits, which we do not look at."""
    to_slave = {"awaddr": address_bits, "awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "bready": 1}
    to_slave |= {"araddr": address_bits, "arvalid": 1, "rready": 1}
    to_master = {"awready": 1, "wready": 1, "bresp": 2, "bvalid": 1}
    to_master |= {"arready": 1, "rdata": 32, "rresp": 2, "rvalid": 1}
    members = {name: In(bits) for name, bits in to_slave.items()}
    members |= {name: Out(bits) for name, bits in to_master.items()}
    return {f"axil_{name}": member for name, member in members.items()}


def forward_axi_lite(outer: Any, inner: Any) -> list[Any]:
    """Statements that make a component's slave that of a part of it."""
    return [
        getattr(inner, name).eq(getattr(outer, name))
        if member.flow is In
        else getattr(outer, name).eq(getattr(inner, name))
        for name, member in axi_lite_slave(len(outer.axil_awaddr)).items()
    ]


class RegisterFile(wiring.Component):
    """The slave and its registers: each is a member of its name, an output if it is writable, else an input."""

    def __init__(self, registers: Sequence[Register], address_bits: int = 8) -> None:
        _check(registers, address_bits)
        self.registers = tuple(registers)
        members = {r.name: Out(r.bits, init=r.reset) if r.writable else In(r.bits) for r in registers}
        super().__init__({**axi_lite_slave(address_bits), **members})

    def elaborate(self, platform: Any) -> Module:
        """The circuit."""
        m = Module()
        self._write(m)
        self._read(m)
        return m

    def _write(self, m: Module) -> None:
        has_address = Signal()
        address = Signal.like(self.axil_awaddr)
        has_data = Signal()
        data = Signal(32)
        strobe = Signal(BYTES)
        m.d.sync += [getattr(self, register.name).eq(0) for register in self.registers if register.pulse]
        m.d.comb += [self.axil_awready.eq(~has_address), self.axil_wready.eq(~has_data)]
        with m.If(self.axil_awvalid & self.axil_awready):
            m.d.sync += [has_address.eq(1), address.eq(self.axil_awaddr)]
        with m.If(self.axil_wvalid & self.axil_wready):
            m.d.sync += [has_data.eq(1), data.eq(self.axil_wdata), strobe.eq(self.axil_wstrb)]

        with m.If(self.axil_bready):
            m.d.sync += self.axil_bvalid.eq(0)
        with m.If(has_address & has_data & ~self.axil_bvalid):
            m.d.sync += [
                has_address.eq(0),
                has_data.eq(0),
                self.axil_bvalid.eq(1),
                self.axil_bresp.eq(SLVERR),
            ]
            with m.Switch(address[2:]):
                for register in self.registers:
                    if register.writable:
                        self._write_register(m, register, data, strobe)

    def _write_register(self, m: Module, register: Register, data: Signal, strobe: Signal) -> None:
        value = getattr(self, register.name)
        with m.Case(register.offset // BYTES):
            m.d.sync += self.axil_bresp.eq(OKAY)
            for bit in range(register.bits):
                with m.If(strobe[bit // 8]):
                    m.d.sync += value[bit].eq(data[bit])

    def _read(self, m: Module) -> None:
        m.d.comb += self.axil_arready.eq(~self.axil_rvalid)
        with m.If(self.axil_rready):
            m.d.sync += self.axil_rvalid.eq(0)
        with m.If(self.axil_arvalid & self.axil_arready):
            m.d.sync += [self.axil_rvalid.eq(1), self.axil_rresp.eq(SLVERR), self.axil_rdata.eq(0)]
            with m.Switch(self.axil_araddr[2:]):
                for register in self.registers:
                    with m.Case(register.offset // BYTES):
                        m.d.sync += [
                            self.axil_rresp.eq(OKAY),
                            self.axil_rdata.eq(getattr(self, register.name)),
                        ]


def _check(registers: Sequence[Register], address_bits: int) -> None:
    names, offsets = {r.name for r in registers}, {r.offset for r in registers}
    assert len(names) == len(offsets) == len(registers), "two registers share a name or an offset"
    for r in registers:
        assert r.offset in range(0, 1 << address_bits, BYTES), f"{r.name}: offset {r.offset}"
        assert r.bits in range(1, 33), f"{r.name}: {r.bits} bits"
        assert r.reset in range(1 << r.bits), f"{r.name}: reset {r.reset}"

"""Memories that are loaded at run time and read a cycle after their address: weights, biases, tables of columns."""

from typing import Any

from amaranth import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.image import BEAT_BITS
from deltawave.rtl.shared import shared


class Bank(wiring.Component):
    """A part of every word of a memory; if there is one word it is a register."""

    def __init__(self, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        address_bits = max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "read_at": In(address_bits),
                "data": Out(width),
                "write_at": In(address_bits),
                "write_data": In(width),
                "writes": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if self.depth == 1:
            word = Signal(self.width, reset_less=True)  # a reset leaves what was loaded
            m.d.comb += self.data.eq(word)
            with m.If(self.writes):
                m.d.sync += word.eq(self.write_data)
            return m
        m.submodules.words = words = Memory(shape=self.width, depth=self.depth, init=[])
        read = words.read_port()
        write = words.write_port()
        m.d.comb += [
            read.addr.eq(self.read_at),
            self.data.eq(read.data),
            write.addr.eq(self.write_at),
            write.data.eq(self.write_data),
            write.en.eq(self.writes),
        ]
        return m


class LoadedMemory(wiring.Component):
    """data: the word whose address `at` was in the cycle before. loads: load_data is the next beat of a word, its
    lowest bits first, from the first word's first beat on after rewind; bits of a last beat that are left over belong
    to no word. Every beat has a bank of its own."""

    def __init__(self, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        super().__init__(
            {
                "at": In(max(1, (depth - 1).bit_length())),
                "data": Out(width),
                "loads": In(1),
                "load_data": In(BEAT_BITS),
                "rewind": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beats = range(0, self.width, BEAT_BITS)
        beat = Signal(range(len(beats)))
        loaded = Signal(range(self.depth + 1))
        is_last = beat == len(beats) - 1
        with m.If(self.loads):
            m.d.sync += [beat.eq(Mux(is_last, 0, beat + 1)), loaded.eq(loaded + is_last)]
        with m.If(self.rewind):
            m.d.sync += [beat.eq(0), loaded.eq(0)]
        for number, first in enumerate(beats):
            mine = slice(first, min(first + BEAT_BITS, self.width))
            bank = shared(m, f"bank{number}", Bank, mine.stop - first, self.depth)
            m.d.comb += [
                bank.read_at.eq(self.at),
                self.data[mine].eq(bank.data),
                bank.write_at.eq(loaded),
                bank.write_data.eq(self.load_data),
                bank.writes.eq(self.loads & (beat == number)),
            ]
        return m


def read_loaded(m: Module, name: str, memory: LoadedMemory, at: Value, component: Any, select: int) -> Value:
    """The word at an address, a cycle later, of a memory that is added to a component's module: it is loaded by the
    component's ports load_data, load_valid, load_select, and rewind."""
    m.submodules[name] = memory
    m.d.comb += [
        memory.at.eq(at),
        memory.load_data.eq(component.load_data),
        memory.loads.eq(component.load_valid & (component.load_select == select)),
        memory.rewind.eq(component.rewind),
    ]
    return memory.data

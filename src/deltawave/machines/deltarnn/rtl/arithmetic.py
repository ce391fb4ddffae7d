"""Fixed point in gates: the roundings and overflows of `numerics.fixed`, and tables."""

from itertools import pairwise

from amaranth import Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltawave.numerics import ActivationTable, Fixed
from deltawave.rtl.shared import shared


def round_shift(m: Module, value: Value, shift: int, name: str) -> Signal:
    """value / 2**shift to nearest, ties to even; a negative shift multiplies."""
    rounded = Signal(signed(rounded_bits(len(value), shift)), name=name)
    if shift <= 0:
        m.d.comb += rounded.eq(value << -shift)
        return rounded
    wide = Signal(signed(max(len(value), shift) + 1), name=f"{name}_half")
    half_less_one = (1 << (shift - 1)) - 1
    odd = value.as_unsigned()[shift] if shift < len(value) else value.as_unsigned()[-1]
    m.d.comb += [wide.eq(value + half_less_one + odd), rounded.eq(wide >> shift)]
    return rounded


def rounded_bits(bits: int, shift: int) -> int:
    """Width of a rounded value of so many bits."""
    return bits - shift if shift <= 0 else max(2, max(bits, shift) + 1 - shift)


def narrowed(m: Module, value: Value, number: Fixed, name: str) -> Signal:
    """The value in the format's width: saturated or wrapped."""
    result = Signal(signed(number.bits), name=name)
    if number.overflow == "wrap" or len(value) <= number.bits:
        m.d.comb += result.eq(value)
        return result
    is_high, is_low = value > number.highest, value < number.lowest
    m.d.comb += result.eq(Mux(is_high, number.highest, Mux(is_low, number.lowest, value)))
    return result


def divided(m: Module, number: Value, divisor: int, name: str) -> tuple[Value, Value]:
    """Quotient and remainder of a number that begins at 0 and in every cycle stays, goes on by one or begins again."""
    bits = (divisor - 1).bit_length()
    if divisor == 1 << bits:
        return number >> bits, number[:bits] if bits else Const(0, 1)
    before, quotient = (
        Signal.like(number, name=f"{name}_before"),
        Signal.like(number, name=f"{name}_quotient"),
    )
    remainder = Signal(bits, name=f"{name}_remainder")
    last_quotient = Signal.like(quotient)
    last_remainder = Signal.like(remainder)
    m.d.sync += [before.eq(number), last_quotient.eq(quotient), last_remainder.eq(remainder)]
    with m.If(number == 0):
        m.d.comb += [quotient.eq(0), remainder.eq(0)]
    with m.Elif(number == before):
        m.d.comb += [quotient.eq(last_quotient), remainder.eq(last_remainder)]
    with m.Elif(last_remainder == divisor - 1):
        m.d.comb += [quotient.eq(last_quotient + 1), remainder.eq(0)]
    with m.Else():
        m.d.comb += [quotient.eq(last_quotient), remainder.eq(last_remainder + 1)]
    return quotient, remainder


class Table(wiring.Component):
    """The entries of an activation table; `value` is that of `index` in the cycle before."""

    def __init__(self, values: tuple[int, ...]) -> None:
        self.values = values
        bits = 1 + max((v if v >= 0 else ~v).bit_length() for v in values)  # may be wider than the format's
        super().__init__({"index": In(range(len(values))), "value": Out(signed(bits))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        if all(after - before == 1 for before, after in pairwise(self.values)):
            m.d.sync += self.value.eq(self.index + self.values[0])  # a ReLU's entries count up
            return m
        bits = len(self.value)
        # without the sign that no entry has it may take half a block RAM
        shape = signed(bits) if min(self.values) < 0 else unsigned(max(1, bits - 1))
        memory = Memory(shape=shape, depth=len(self.values), init=self.values)
        m.submodules.entries = memory
        port = memory.read_port()
        m.d.comb += [port.addr.eq(self.index), self.value.eq(port.data)]
        return m


class Lookup:
    """An activation table, for every reader a memory of its own: synthesis finds no block with many ports."""

    def __init__(self, table: ActivationTable) -> None:
        self._table = table
        self._values = tuple(table.values.tolist())

    def index(self, m: Module, value: Value, name: str) -> Signal:
        """The entry for an input."""
        table, last = self._table, len(self._values) - 1
        index = Signal(range(last + 1), name=name)
        m.d.comb += index.eq(Mux(value < table.first, 0, Mux(value > table.last, last, value - table.first)))
        return index

    def read(self, m: Module, index: Value, name: str) -> Value:
        """The entry, a cycle later."""
        table = shared(m, f"table_{name}", Table, self._values)
        m.d.comb += table.index.eq(index)
        return Value.cast(table.value)

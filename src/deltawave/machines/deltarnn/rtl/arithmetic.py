"""Fixed point in gates: the roundings and overflows of `numerics.fixed`, and tables."""

import numpy as np
from amaranth import Const, Module, Mux, Signal, Value, signed
from amaranth.lib.memory import Memory, MemoryData

from deltawave.numerics import ActivationTable, Fixed


def round_shift(m: Module, value: Value, shift: int, name: str) -> Signal:
    """value / 2**shift to nearest, ties to even; a negative shift multiplies."""
    width = max(len(value), shift) + 1
    if shift <= 0:
        shifted = Signal(signed(len(value) - shift), name=name)
        m.d.comb += shifted.eq(value << -shift)
        return shifted
    wide = Signal(signed(width), name=f"{name}_half")
    rounded = Signal(signed(max(2, width - shift)), name=name)
    half_less_one = (1 << (shift - 1)) - 1
    odd = value.as_unsigned()[shift] if shift < len(value) else value.as_unsigned()[-1]
    m.d.comb += [wide.eq(value + half_less_one + odd), rounded.eq(wide >> shift)]
    return rounded


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
    last_quotient, last_remainder = Signal.like(quotient), Signal.like(remainder)
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


class Lookup:
    """An activation table, for every reader a memory of its own: synthesis finds no block with many ports. It is as
    wide as its widest entry, which may be wider than the values of the format."""

    def __init__(self, table: ActivationTable, name: str) -> None:
        self._table, self._name, self._readers = table, name, 0
        bits = self._bits = 1 + max(int(v if v >= 0 else ~v).bit_length() for v in table.values)
        mask = (1 << bits) - 1
        self._values = [int(v) & mask for v in table.values]

    def read(self, m: Module, value: Value) -> Signal:
        """The table's output for an input, in the same cycle."""
        table, name = self._table, f"{self._name}_{self._readers}"
        self._readers += 1
        last = len(table.values) - 1
        index = Signal(range(last + 1), name=f"{name}_index")
        m.d.comb += index.eq(Mux(value < table.first, 0, Mux(value > table.last, last, value - table.first)))
        result = Signal(signed(self._bits), name=name)
        if np.all(np.diff(table.values) == 1):  # a ReLU's entries count up: the index says it all
            m.d.comb += result.eq(index + int(table.values[0]))
            return result
        memory = Memory(MemoryData(shape=self._bits, depth=len(self._values), init=self._values))
        m.submodules[name] = memory
        port = memory.read_port(domain="comb")
        m.d.comb += [port.addr.eq(index), result.eq(port.data)]
        return result

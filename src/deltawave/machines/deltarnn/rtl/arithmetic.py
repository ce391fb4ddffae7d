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


def later(m: Module, value: Value, name: str) -> Signal:
    """The value a cycle later."""
    kept = Signal(value.shape(), name=name)
    m.d.sync += kept.eq(value)
    return kept


class Lookup:
    """An activation table, for every reader a memory of its own: synthesis finds no block with many ports. It is as
    wide as its widest entry, which may be wider than the values of the format."""

    def __init__(self, table: ActivationTable) -> None:
        self._table = table
        self._bits = 1 + max(int(v if v >= 0 else ~v).bit_length() for v in table.values)

    def index(self, m: Module, value: Value, name: str) -> Signal:
        """The entry for an input."""
        table, last = self._table, len(self._table.values) - 1
        index = Signal(range(last + 1), name=name)
        m.d.comb += index.eq(Mux(value < table.first, 0, Mux(value > table.last, last, value - table.first)))
        return index

    def read(self, m: Module, index: Value, name: str) -> Value:
        """The entry, a cycle later."""
        values = self._table.values
        if np.all(np.diff(values) == 1):  # a ReLU's entries count up: the index says it all
            result = Signal(signed(self._bits), name=name)
            m.d.sync += result.eq(index + int(values[0]))
            return result
        memory = Memory(MemoryData(shape=signed(self._bits), depth=len(values), init=values.tolist()))
        m.submodules[f"table_{name}"] = memory
        port = memory.read_port()
        m.d.comb += port.addr.eq(index)
        return Value.cast(port.data)

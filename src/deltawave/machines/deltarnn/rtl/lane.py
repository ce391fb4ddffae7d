"""A multiplier and the sums that its products are added to: what a DeltaRNN or an EdgeDRNN has many of."""

from operator import attrgetter
from typing import Any

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.arithmetic import narrowed
from deltawave.machines.deltarnn.rtl.delay import delayed
from deltawave.machines.deltarnn.rtl.shape import SUM_STAGES, CoreShape


def sums_port(depth: int, bits: int) -> wiring.Signature:
    """Of a memory of sums. sum: that at `read_at`, in the same cycle. With a product it becomes the one at `write_at`;
    starts: that becomes `start`, instead."""
    address_bits = max(1, (depth - 1).bit_length())
    return wiring.Signature(
        {
            "read_at": Out(address_bits),
            "sum": In(signed(bits)),
            "write_at": Out(address_bits),
            "starts": Out(1),
            "start": Out(signed(bits)),
        }
    )


class Lane(wiring.Component):
    """weight, delta: their product is added `product_cycles` later, if it `adds` then. sums: of all gates of the
    channel, by word; second: of a GRU's candidate over h, where `has_second`, to which a product is added, instead, if
    it goes `to_second`. lent_bits: of factors a, b for which the multiplier is lent, if `lends`; product: theirs, a
    cycle later."""

    def __init__(self, shape: CoreShape, has_second: bool, lent_bits: tuple[int, int] | None = None) -> None:
        cell = shape.cell
        self.shape, self.has_second, self.lent_bits = shape, has_second, lent_bits
        words = {"sums": shape.turns * shape.most_words, "second": shape.most_words}
        self.depths = {name: shape.for_layers(depth) for name, depth in words.items()}
        sums, second = (In(sums_port(depth, cell.accumulator_bits)) for depth in self.depths.values())
        super().__init__(
            {
                "weight": In(signed(cell.weight_bits)),
                "delta": In(signed(cell.activation.bits + 1)),
                "adds": In(1),
                "sums": sums,
                **({"to_second": In(1), "second": second} if has_second else {}),
                **(_lending(*lent_bits) if lent_bits else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        product = delayed(m, self._product(m), product_cycles(self.shape) - 1, "product")
        if not self.has_second:
            self._keep(m, "sums", self.adds, self._after(m, self.sums.sum, product))
            return m
        before = Signal.like(self.sums.sum)
        m.d.comb += before.eq(Mux(self.to_second, self.second.sum, self.sums.sum))
        after = self._after(m, before, product)
        self._keep(m, "sums", self.adds & ~self.to_second, after)
        self._keep(m, "second", self.adds & self.to_second, after)
        return m

    def _product(self, m: Module) -> Value:
        """Of weight and delta, or of the factors that the multiplier is lent for, a cycle later."""
        if not self.lent_bits:
            return delayed(m, self.weight * self.delta, 1, "product_1")
        factors = (Mux(self.lends, self.a, self.weight), Mux(self.lends, self.b, self.delta))
        left, right = (
            Signal(signed(bits), name=name) for bits, name in zip(self.lent_bits, "ab", strict=True)
        )
        m.d.comb += [left.eq(factors[0]), right.eq(factors[1])]
        product = delayed(m, left * right, 1, "product_1")
        m.d.comb += self.product.eq(product)
        return product[: len(self.weight) + len(self.delta)].as_signed()

    def _after(self, m: Module, before: Value, product: Value) -> Signal:
        """The sum with the product."""
        total = Signal(signed(max(len(before), len(product)) + 1))
        m.d.comb += total.eq(before + product)
        return narrowed(m, total, self.shape.cell.accumulator, "after")

    def _keep(self, m: Module, name: str, adds: Value, after: Signal) -> None:
        port, memory = getattr(self, name), Memory(shape=len(after), depth=self.depths[name], init=[])
        m.submodules[f"{name}_memory"] = memory
        read = memory.read_port(domain="comb")
        write = memory.write_port()
        m.d.comb += [
            read.addr.eq(port.read_at),
            port.sum.eq(read.data),
            write.addr.eq(port.write_at),
            write.data.eq(Mux(port.starts, port.start, after)),
            write.en.eq(adds | port.starts),
        ]


def _lending(a_bits: int, b_bits: int) -> dict[str, wiring.Member]:
    return {
        "lends": In(1),
        "a": In(signed(a_bits)),
        "b": In(signed(b_bits)),
        "product": Out(signed(a_bits + b_bits)),
    }


def product_cycles(shape: CoreShape) -> int:
    """From a weight, which is there a cycle after its issue, to its product at the sums."""
    return shape.sum_latency_cycles - SUM_STAGES + 1


def drive(m: Module, lanes: list[Any], port: str, value: Value) -> None:
    """The same value for a port of every lane."""
    signal = Signal(value.shape(), name=f"lanes_{port.replace('.', '_')}")
    m.d.comb += signal.eq(value)
    m.d.comb += [attrgetter(port)(lane).eq(signal) for lane in lanes]


def start_from(m: Module, lanes: list[Any], port: str, word: Value) -> None:
    """For that port of every lane its part of a word."""
    starts = [attrgetter(port)(lane) for lane in lanes]
    m.d.comb += [start.eq(word.word_select(lane, len(start))) for lane, start in enumerate(starts)]

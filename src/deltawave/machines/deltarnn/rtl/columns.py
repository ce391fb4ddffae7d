"""Lists of values to send, between the delta encoder and the channels."""

from collections.abc import Callable

from amaranth import Array, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class ColumnList(wiring.Component):
    """A list that takes up to `picks` entries a cycle (those with the lower numbers first) and gives one. An entry that
    came in can be taken in the next cycle. Whoever pushes sees to it that there is room.

    register: behind the list is one that holds what this function makes, of `head_bits`, of the first entry; an entry
    can be taken a cycle later then."""

    def __init__(
        self,
        width: int,
        depth: int,
        picks: int,
        register: Callable[[Module, Value], Value] | None = None,
        head_bits: int = 0,
    ) -> None:
        self.width, self.picks, self.register = width, picks, register
        self.depth = 1 << max(1, (depth - 1).bit_length(), (picks - 1).bit_length())
        super().__init__(
            {
                **{f"push{k}": In(1) for k in range(picks)},
                **{f"entry{k}": In(width) for k in range(picks)},
                "head": Out(head_bits or width),
                "valid": Out(1),
                "pop": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bank_bits = (self.picks - 1).bit_length()
        entries = [getattr(self, f"entry{min(k, self.picks - 1)}") for k in range(1 << bank_bits)]
        bits = (self.depth - 1).bit_length()
        written = Signal(bits + 1)
        taken = Signal(bits + 1)
        pushes = [getattr(self, f"push{k}") for k in range(self.picks)]
        count = Signal(range(self.picks + 1))
        m.d.comb += count.eq(sum(pushes[1:], pushes[0] + 0))
        heads = []
        for bank in range(1 << bank_bits):
            memory = Memory(shape=self.width, depth=self.depth >> bank_bits, init=[])
            m.submodules[f"bank{bank}"] = memory
            write, read = memory.write_port(), memory.read_port(domain="comb")
            offset = Signal(max(1, bank_bits), name=f"offset{bank}")
            place = Signal(bits + 1, name=f"place{bank}")
            if bank_bits:
                m.d.comb += offset.eq(bank - written[:bank_bits])
            m.d.comb += [
                place.eq(written + offset),
                write.addr.eq(place >> bank_bits),
                write.data.eq(Array(entries)[offset]),
                write.en.eq(offset < count),
                read.addr.eq(taken >> bank_bits),
            ]
            heads.append(read.data)
        first = Array(heads)[taken[:bank_bits]] if bank_bits else heads[0]
        pops = self._give(m, first, written != taken)
        m.d.sync += [written.eq(written + count), taken.eq(taken + pops)]
        return m

    def _give(self, m: Module, first: Value, has_one: Value) -> Value:
        """The first entry goes out; whether it leaves the list."""
        if self.register is None:
            m.d.comb += [self.head.eq(first), self.valid.eq(has_one)]
            return self.pop & has_one
        goes, head = has_one & (self.pop | ~self.valid), self.register(m, first)
        m.d.sync += self.valid.eq(has_one | (self.valid & ~self.pop))
        with m.If(goes):
            m.d.sync += self.head.eq(head)
        return goes

"""The delta encoder: looks through vectors for values to send, a group of elements at a time.

In the cycle in which a group is compared its first `picks` values to send leave, in the cycles after that the others;
then comes the next group.
"""

from amaranth import Array, Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Picker(wiring.Component):
    """The first `picks` ones of a mask: `index` and `valid` of each, and the mask without them (`rest`)."""

    def __init__(self, width: int, picks: int) -> None:
        self.width, self.picks = width, picks
        bits = max(1, (width - 1).bit_length())
        super().__init__(
            {
                "mask": In(width),
                "rest": Out(width),
                **{f"index{k}": Out(bits) for k in range(picks)},
                **{f"valid{k}": Out(1) for k in range(picks)},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        mask: Value = self.mask
        for k in range(self.picks):
            lowest = Signal(self.width, name=f"lowest{k}")
            m.d.comb += lowest.eq(mask & ~(mask - 1)[: self.width])
            m.d.comb += getattr(self, f"valid{k}").eq(mask.any())
            for position in range(self.width):
                with m.If(lowest[position]):
                    m.d.comb += getattr(self, f"index{k}").eq(position)
            rest = Signal(self.width, name=f"rest_after{k}")
            m.d.comb += rest.eq(mask & ~lowest)
            mask = rest
        m.d.comb += self.rest.eq(mask)
        return m


class GroupScan(wiring.Component):
    """Compares a group of elements with what was last sent.

    now, sent: the elements, `bits` each; theta: unsigned; active: whether the group counts; hold: nothing may leave
    in this cycle. first: whether this is the group's first cycle. Out: `done`, when all of it has left; for each pick
    `valid`, `lane`, `delta`; `write`: lanes that were sent in this cycle (and are what was last sent from now on).
    """

    def __init__(self, rate: int, picks: int, bits: int) -> None:
        self.rate, self.picks, self.bits = rate, picks, bits
        lane_bits = max(1, (rate - 1).bit_length())
        super().__init__(
            {
                "now": In(rate * bits),
                "sent": In(rate * bits),
                "theta": In(bits + 1),
                "active": In(1),
                "hold": In(1),
                "any": Out(1),
                "done": Out(1),
                "write": Out(rate),
                **{f"valid{k}": Out(1) for k in range(picks)},
                **{f"lane{k}": Out(lane_bits) for k in range(picks)},
                **{f"delta{k}": Out(signed(bits + 1)) for k in range(picks)},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        deltas, moved = [], []
        for lane in range(self.rate):
            span = slice(lane * self.bits, (lane + 1) * self.bits)
            delta = Signal(signed(self.bits + 1), name=f"delta_of_{lane}")
            m.d.comb += delta.eq(self.now[span].as_signed() - self.sent[span].as_signed())
            deltas.append(delta)
            moved.append((delta != 0) & (abs(delta).as_unsigned() >= self.theta))
        left, is_later = Signal(self.rate), Signal()
        m.submodules.picker = picker = Picker(self.rate, self.picks)
        m.d.comb += picker.mask.eq(Mux(is_later, left, Cat(*moved)) & self.active.replicate(self.rate))
        m.d.comb += [
            self.any.eq(picker.mask.any()),
            self.done.eq(self.active & ~picker.rest.any() & ~(self.hold & self.any)),
        ]
        goes = self.active & ~self.hold
        for k in range(self.picks):
            lane = getattr(picker, f"index{k}")
            m.d.comb += [
                getattr(self, f"valid{k}").eq(getattr(picker, f"valid{k}") & goes),
                getattr(self, f"lane{k}").eq(lane),
                getattr(self, f"delta{k}").eq(Array(deltas)[lane]),
            ]
        m.d.comb += self.write.eq((picker.mask & ~picker.rest) & goes.replicate(self.rate))
        with m.If(goes):
            m.d.sync += [left.eq(picker.rest), is_later.eq(picker.rest.any())]
        return m

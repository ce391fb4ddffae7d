"""The delta encoder: looks through vectors for values to send, a group of elements at a time.

In the cycle in which a group is compared, or in the one after it (see `GroupScan`), its first `picks` values to send
leave, in the cycles after that the others; then comes the next group.
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
    in this cycle. Out: `done`, when all of it has left; for each pick `valid`, `lane`, `delta`; `write`: lanes that
    leave in this cycle (and are what was last sent from now on), with the elements `leaving`.

    ahead: the values leave one cycle after the comparison: there are registers between. `done` says then that the
    group that is compared will be taken into them.
    """

    def __init__(self, rate: int, picks: int, bits: int, *, ahead: bool = False) -> None:
        self.rate, self.picks, self.bits, self.ahead = rate, picks, bits, ahead
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
                "leaving": Out(rate * bits),
                **{f"valid{k}": Out(1) for k in range(picks)},
                **{f"lane{k}": Out(lane_bits) for k in range(picks)},
                **{f"delta{k}": Out(signed(bits + 1)) for k in range(picks)},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        deltas, moved = self._compare(m)
        m.submodules.picker = picker = Picker(self.rate, self.picks)
        m.d.comb += self.any.eq(picker.mask.any())
        goes = ~self.hold
        if self.ahead:
            deltas = self._kept(m, picker, deltas, moved)
            m.d.comb += self.done.eq(~picker.rest.any() & ~(self.hold & self.any))
        else:
            goes = self._at_once(m, picker, moved)
            m.d.comb += self.done.eq(self.active & ~picker.rest.any() & ~(self.hold & self.any))
        for k in range(self.picks):
            lane = getattr(picker, f"index{k}")
            m.d.comb += [
                getattr(self, f"valid{k}").eq(getattr(picker, f"valid{k}") & goes),
                getattr(self, f"lane{k}").eq(lane),
                getattr(self, f"delta{k}").eq(Array(deltas)[lane]),
            ]
        m.d.comb += self.write.eq((picker.mask & ~picker.rest) & goes.replicate(self.rate))
        return m

    def _compare(self, m: Module) -> tuple[list[Signal], Value]:
        """The differences, and the lanes whose elements are to be sent."""
        deltas, moved = [], []
        theta = Signal(signed(self.bits + 2))
        m.d.comb += theta.eq(self.theta)
        for lane in range(self.rate):
            span = slice(lane * self.bits, (lane + 1) * self.bits)
            delta = Signal(signed(self.bits + 1), name=f"delta_of_{lane}")
            m.d.comb += delta.eq(self.now[span].as_signed() - self.sent[span].as_signed())
            deltas.append(delta)
            moved.append((delta != 0) & ((delta >= theta) | (delta <= -theta)))
        return deltas, Cat(*moved)

    def _at_once(self, m: Module, picker: Picker, moved: Value) -> Value:
        """Values leave from the cycle of the comparison on; whether any may leave."""
        left = Signal(self.rate)
        is_later = Signal()
        goes = self.active & ~self.hold
        m.d.comb += [
            picker.mask.eq(Mux(is_later, left, moved) & self.active.replicate(self.rate)),
            self.leaving.eq(self.now),
        ]
        with m.If(goes):
            m.d.sync += [left.eq(picker.rest), is_later.eq(picker.rest.any())]
        return goes

    def _kept(self, m: Module, picker: Picker, deltas: list[Signal], moved: Value) -> list[Signal]:
        """Values leave from the cycle after the comparison on; the differences then."""
        left = Signal(self.rate)
        kept = [Signal(signed(self.bits + 1), name=f"kept_delta_of_{lane}") for lane in range(self.rate)]
        m.d.comb += picker.mask.eq(left)
        with m.If(self.done):
            m.d.sync += [
                left.eq(moved & self.active.replicate(self.rate)),
                self.leaving.eq(self.now),
                *(k.eq(delta) for k, delta in zip(kept, deltas, strict=True)),
            ]
        with m.Elif(~self.hold):
            m.d.sync += left.eq(picker.rest)
        return kept

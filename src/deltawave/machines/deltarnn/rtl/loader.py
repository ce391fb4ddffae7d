"""Fills the memories of a core through a narrow port."""

from collections.abc import Mapping

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.image import BEAT_BITS


class Loader(wiring.Component):
    """Puts words together from beats of 32 bits, the lowest bits first; bits of a last beat that are left over belong
    to no word. A word is given (`valid`) in the cycle after its last beat. rewind: what came of a word is forgotten.
    beats: how many a word has, by the memory's number on load_select."""

    def __init__(self, beats: Mapping[int, int], select_bits: int) -> None:
        self.beats, self.most = beats, max(beats.values())
        super().__init__(
            {
                "beat": In(BEAT_BITS),
                "select": In(select_bits),
                "beat_valid": In(1),
                "rewind": In(1),
                "word": Out(self.most * BEAT_BITS),
                "word_select": Out(select_bits),
                "valid": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        kept, count, is_last = Signal(self.most * BEAT_BITS), Signal(range(self.most + 1)), Signal()
        with m.Switch(self.select):
            for select, beats in self.beats.items():
                with m.Case(select):
                    m.d.comb += is_last.eq(count == beats - 1)
        with m.Switch(self.word_select):
            for select, beats in self.beats.items():
                with m.Case(select):
                    m.d.comb += self.word.eq(kept[(self.most - beats) * BEAT_BITS :])
        m.d.sync += self.valid.eq(self.beat_valid & is_last & ~self.rewind)
        with m.If(self.beat_valid):
            m.d.sync += [
                kept.eq(Cat(kept[BEAT_BITS:], self.beat)),
                count.eq(count + 1),
                self.word_select.eq(self.select),
            ]
        with m.If((self.beat_valid & is_last) | self.rewind):
            m.d.sync += count.eq(0)
        return m

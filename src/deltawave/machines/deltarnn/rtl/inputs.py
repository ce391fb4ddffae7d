"""Inputs on their way into a core: one vector fills while another is used."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out


class Inputs(wiring.Component):
    """Vectors of up to `depth` beats of `width` bits. beats: those of a vector. In: the stream x. has_one: one is
    complete, and has not been taken in this cycle; taken: the one in use is used up. data: the beat whose number `at`
    was in the cycle before, of the vector in use."""

    def __init__(self, width: int, depth: int) -> None:
        self.width, self.beat_bits = width, max(1, (depth - 1).bit_length())
        super().__init__(
            {
                "x_data": In(width),
                "x_valid": In(1),
                "x_ready": Out(1),
                "beats": In(17),
                "has_one": Out(1),
                "taken": In(1),
                "at": In(self.beat_bits),
                "data": Out(width),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(shape=self.width, depth=2 << self.beat_bits, init=[])
        read, write = memory.read_port(), memory.write_port()
        filling = Signal()
        using = Signal()
        filled = Signal(2)
        beat = Signal(self.beat_bits)
        accepted = Signal()
        is_full = Signal()
        is_last = beat == self.beats - 1
        m.d.comb += [
            self.x_ready.eq(filled != 2),
            accepted.eq(self.x_valid & self.x_ready),
            is_full.eq(accepted & is_last),
            write.addr.eq(Cat(beat, filling)),
            write.data.eq(self.x_data),
            write.en.eq(accepted),
            self.has_one.eq(Mux(self.taken, filled == 2, filled != 0)),
            read.addr.eq(Cat(self.at, using ^ self.taken)),
            self.data.eq(read.data),
        ]
        with m.If(accepted):
            m.d.sync += beat.eq(Mux(is_last, 0, beat + 1))
        m.d.sync += [
            filled.eq(filled + is_full - self.taken),
            filling.eq(filling ^ is_full),
            using.eq(using ^ self.taken),
        ]
        return m

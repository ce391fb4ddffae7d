"""States on their way out of a core: two vectors may wait."""

from amaranth import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, ReadPort
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.arithmetic import divided
from deltawave.machines.deltarnn.rtl.delay import delayed


class Outputs(wiring.Component):
    """States of `bits` come in groups of `made`, `lanes` in a word, and go in beats of `rate`. write: `states` are part
    `part` of word `word` of the vector that fills; done: that vector is complete. beats: those of a vector. has_room:
    another vector may begin to fill. Out: the stream h."""

    def __init__(self, lanes: int, rate: int, made: int, bits: int, words: int) -> None:
        self.lanes, self.rate, self.made, self.bits = lanes, rate, made, bits
        self.word_bits = max(1, (words - 1).bit_length())
        super().__init__(
            {
                "write": In(1),
                "states": In(made * bits),
                "word": In(self.word_bits),
                "part": In(range(max(2, lanes // made))),
                "done": In(1),
                "beats": In(17),
                "has_room": Out(1),
                "h_data": Out(rate * bits),
                "h_valid": Out(1),
                "h_last": Out(1),
                "h_ready": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=self.lanes * self.bits, depth=2 << self.word_bits, init=[]
        )
        write = memory.write_port(granularity=self.made * self.bits)
        filling = Signal()
        m.d.sync += filling.eq(filling ^ self.done)
        m.d.comb += [
            write.addr.eq(Cat(self.word, filling)),
            write.data.eq(self.states.replicate(self.lanes // self.made)),
            write.en.eq(Mux(self.write, 1 << self.part, 0)),
        ]
        waiting = Signal(2)
        remaining = Signal(2)
        m.d.comb += [
            remaining.eq(waiting - self._send(m, memory.read_port())),
            self.has_room.eq(waiting != 2),
        ]
        m.d.sync += [waiting.eq(remaining + self.done), self.h_valid.eq(remaining != 0)]
        return m

    def _send(self, m: Module, read: ReadPort) -> Value:
        """Beat after beat; whether the last one of a vector is taken."""
        sending = Signal()
        beat = Signal(17)
        next_beat = Signal(17)
        word, part = divided(m, next_beat, self.lanes // self.rate, "beat")
        took = Signal()
        ends = Signal()
        m.d.comb += [
            took.eq(self.h_valid & self.h_ready),
            self.h_last.eq(beat == self.beats - 1),
            ends.eq(took & self.h_last),
            next_beat.eq(Mux(ends, 0, beat + took)),
            read.addr.eq(Cat(word[: self.word_bits], sending ^ ends)),
            self.h_data.eq(read.data.word_select(delayed(m, part, 1, "part"), self.rate * self.bits)),
        ]
        m.d.sync += [beat.eq(next_beat), sending.eq(sending ^ ends)]
        return ends

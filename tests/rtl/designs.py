"""Small cores with streams, each with a meaning of a few lines."""

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

STREAM_IN = {"x_valid": In(1), "x_ready": Out(1)}
STREAM_OUT = {"h_valid": Out(1), "h_ready": In(1)}


class SquareSum(wiring.Component):
    """Adds the squares of all lanes, beat by beat, in a register that holds until it is taken; a step is 4 beats."""

    def __init__(self, lanes: int, bits: int, sum_bits: int) -> None:
        self.lanes, self.bits = lanes, bits
        data = {"x_data": In(lanes * bits), "h_data": Out(signed(sum_bits)), "h_last": Out(1)}
        step = {"step_done": Out(1), "step_cycles": Out(32)}
        super().__init__({**STREAM_IN, **STREAM_OUT, **data, **step})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = [self.x_data.word_select(i, self.bits).as_signed() for i in range(self.lanes)]
        count, age = Signal(2), Signal(32)
        m.d.comb += self.x_ready.eq(~self.h_valid | self.h_ready)
        m.d.comb += [
            self.step_done.eq(self.h_valid & self.h_ready & self.h_last),
            self.step_cycles.eq(age + 1),
        ]
        m.d.sync += age.eq(age + 1)
        with m.If(self.step_done):
            m.d.sync += age.eq(0)
        with m.If(self.x_ready):
            m.d.sync += self.h_valid.eq(self.x_valid)
        with m.If(self.x_ready & self.x_valid):
            m.d.sync += self.h_data.eq(self.h_data + sum(lane * lane for lane in lanes))
            m.d.sync += [count.eq(count + 1), self.h_last.eq(count == 3)]
        return m


class Queue(wiring.Component):
    """A FIFO that gives a value the cycle after it came, and takes none when it is full."""

    def __init__(self, bits: int, depth: int) -> None:
        self.bits, self.depth = bits, depth
        super().__init__({**STREAM_IN, **STREAM_OUT, "x_data": In(bits), "h_data": Out(bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        places = Array(Signal(self.bits) for _ in range(self.depth))
        read, write, level = (
            Signal(range(self.depth)),
            Signal(range(self.depth)),
            Signal(range(self.depth + 1)),
        )
        put, get = self.x_valid & self.x_ready, self.h_valid & self.h_ready
        m.d.comb += [
            self.x_ready.eq(level != self.depth),
            self.h_valid.eq(level != 0),
            self.h_data.eq(places[read]),
        ]
        m.d.sync += level.eq(level + put - get)
        with m.If(put):
            m.d.sync += [places[write].eq(self.x_data), write.eq(Mux(write == self.depth - 1, 0, write + 1))]
        with m.If(get):
            m.d.sync += read.eq(Mux(read == self.depth - 1, 0, read + 1))
        return m


class Reader(wiring.Component):
    """Asks for the columns that x names and passes on the words it gets, all without a register."""

    def __init__(self, word_bits: int) -> None:
        data = {"x_data": In(8), "h_data": Out(word_bits), "column_data": Out(8), "w_data": In(word_bits)}
        streams = {"column_valid": Out(1), "column_ready": In(1), "w_valid": In(1), "w_ready": Out(1)}
        super().__init__({**STREAM_IN, **STREAM_OUT, **data, **streams})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for to, of in (("column", "x"), ("h", "w")):
            m.d.comb += [
                getattr(self, f"{to}_data").eq(getattr(self, f"{of}_data")),
                getattr(self, f"{to}_valid").eq(getattr(self, f"{of}_valid")),
                getattr(self, f"{of}_ready").eq(getattr(self, f"{to}_ready")),
            ]
        return m


class Loaded(wiring.Component):
    """Two memories that are loaded, and read at the addresses that x gives, one value of each."""

    def __init__(self, bits: int, depth: int) -> None:
        self.bits, self.depth = bits, depth
        load = {"load_valid": In(1), "load_ready": Out(1), "load_select": In(1), "load_data": In(bits)}
        super().__init__(
            {**STREAM_IN, **STREAM_OUT, **load, "x_data": In(range(depth)), "h_data": Out(2 * bits)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        addresses, read = Array(Signal(range(self.depth)) for _ in range(2)), []
        m.d.comb += [self.load_ready.eq(1), self.x_ready.eq(self.h_ready | ~self.h_valid)]
        for select in range(2):
            m.submodules += (store := memory.Memory(shape=self.bits, depth=self.depth, init=[]))
            write = store.write_port()
            read.append(store.read_port())
            m.d.comb += [
                write.en.eq(self.load_valid & (self.load_select == select)),
                read[-1].en.eq(self.x_ready),
            ]
            m.d.comb += [
                write.addr.eq(addresses[select]),
                write.data.eq(self.load_data),
                read[-1].addr.eq(self.x_data),
            ]
        with m.If(self.load_valid):
            m.d.sync += addresses[self.load_select].eq(addresses[self.load_select] + 1)
        with m.If(self.x_ready):
            m.d.sync += self.h_valid.eq(self.x_valid)
        m.d.comb += self.h_data.eq(Cat(port.data for port in read))
        return m

"""The channels: columns of weights times what was sent, summed in the memories of pre-activations."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.arithmetic import narrowed
from deltawave.machines.deltarnn.rtl.scan_path import H, X
from deltawave.machines.deltarnn.rtl.shape import SUM_STAGES, CoreShape

CANDIDATE = 2
"""The gate of a GRU whose sums over x and over h are kept apart."""


class Channels(wiring.Component):
    """Takes the column (delta, index, source) at the head of a list, as soon as the one before is done, and a word of
    it every cycle. read: which words of the memories an activation reads, if `reads`; read_x, read_h: these words, the
    candidate's sum over h apart. load: words into the weight memory (0), the bias (1) and the candidate's second bias
    (2), one after the other; rewind: from their beginnings again. begins: this column is begun in this cycle. idle:
    nothing is under way; all sums are there."""

    def __init__(self, shape: CoreShape, index_bits: int) -> None:
        cell = shape.cell
        self.shape = shape
        self.width = shape.channels * shape.lanes
        self.sum_bits = cell.accumulator_bits
        self.word_bits = max(1, (shape.words - 1).bit_length())
        self.address_bits = max(1, (shape.turns * shape.words - 1).bit_length())
        members = {
            "column_valid": In(1),
            "delta": In(signed(cell.activation.bits + 1)),
            "index": In(index_bits),
            "source": In(2),
            "begins": Out(1),
            "idle": Out(1),
            "words": In(self.word_bits + 1),
            "reads": In(1),
            "read": In(self.address_bits),
            "read_second": In(self.word_bits),
            "read_x": Out(self.width * self.sum_bits),
            "read_h": Out(shape.lanes * self.sum_bits),
            "clear": In(1),
            "clear_word": In(self.address_bits + 1),
            "load_data": In(self.load_bits),
            "load_select": In(2),
            "load_valid": In(1),
            "rewind": In(1),
        }
        if shape.streams_weights:
            members |= {"w_data": In(self.width * cell.weight_bits), "w_valid": In(1), "w_ready": Out(1)}
        else:
            members |= {"base_h": In(32), "base_rh": In(32)}
        super().__init__(members)

    @property
    def load_bits(self) -> int:
        """Width of the load port."""
        weights = 0 if self.shape.streams_weights else self.shape.cell.weight_bits
        return self.shape.channels * self.shape.lanes * max(self.shape.cell.accumulator_bits, weights)

    def elaborate(self, platform: object) -> Module:
        m, shape = Module(), self.shape
        left, delta, source = Signal(16), Signal.like(self.delta), Signal(2)
        word = Signal(self.address_bits)
        now_delta, now_source = Signal.like(delta), Signal(2)
        first, count = Signal(self.address_bits), Signal(16)
        m.d.comb += [
            self.begins.eq((left == 0) & self.column_valid),
            now_delta.eq(Mux(left == 0, self.delta, delta)),
            now_source.eq(Mux(left == 0, self.source, source)),
        ]
        with m.Switch(now_source):
            for s in range(shape.sources):
                turns = shape.turns_of(s)
                with m.Case(X + s):
                    m.d.comb += [first.eq(turns.start * self.words), count.eq(len(turns) * self.words)]
        issue, at = Signal(), Signal(self.address_bits)
        fed = self.w_valid if shape.streams_weights else Const(1)
        m.d.comb += [
            issue.eq((self.begins | (left != 0)) & fed),
            at.eq(Mux(left == 0, first, word)),
        ]
        with m.If(self.begins):
            m.d.sync += [delta.eq(self.delta), source.eq(self.source), left.eq(count), word.eq(first)]
        with m.If(issue):
            m.d.sync += [left.eq(Mux(left == 0, count, left) - 1), word.eq(at + 1)]
        weights = self._weights(m, issue)
        self._sum(m, issue, at, now_delta, now_source, weights, left)
        return m

    def _weights(self, m: Module, issue: Signal) -> Signal:
        """The word of weights a cycle after its issue."""
        shape = self.shape
        weights = Signal(self.width * shape.cell.weight_bits)
        if shape.streams_weights:
            m.d.comb += self.w_ready.eq(issue)
            m.d.sync += weights.eq(self.w_data)
            return weights
        cell = shape.cell
        sizes = (cell.inputs, cell.hidden, cell.hidden)
        depth = sum(shape.column_words(s) * sizes[s] for s in range(shape.sources))
        memory = Memory(shape=len(weights), depth=depth, init=[])
        m.submodules.weights = memory
        read, write = memory.read_port(), memory.write_port()
        address, begun, column_words = Signal(32), Signal(32), Signal(16)
        with m.Switch(self.source):
            for s in range(shape.sources):
                with m.Case(X + s):
                    base = (Const(0), self.base_h, self.base_rh)[s]
                    m.d.comb += [
                        column_words.eq(len(shape.turns_of(s)) * self.words),
                        begun.eq(base + self.index * column_words),
                    ]
        now = Signal(32)
        m.d.comb += [now.eq(Mux(self.begins, begun, address)), read.addr.eq(now), weights.eq(read.data)]
        with m.If(issue):
            m.d.sync += address.eq(now + 1)
        loaded = Signal(32)
        loads = self.load_valid & (self.load_select == 0)
        m.d.comb += [write.addr.eq(loaded), write.data.eq(self.load_data), write.en.eq(loads)]
        with m.If(loads):
            m.d.sync += loaded.eq(loaded + 1)
        with m.If(self.rewind):
            m.d.sync += loaded.eq(0)
        return weights

    def _bias(self, m: Module, number: int, address: Signal, depth: int, width: int) -> Signal:
        """A word of a bias memory a cycle after its address."""
        memory = Memory(shape=width, depth=depth, init=[])
        m.submodules[f"bias{number}"] = memory
        read, write = memory.read_port(), memory.write_port()
        loaded = Signal(range(depth + 1), name=f"loaded{number}")
        loads = self.load_valid & (self.load_select == 1 + number)
        m.d.comb += [
            read.addr.eq(address),
            write.addr.eq(loaded),
            write.data.eq(self.load_data),
            write.en.eq(loads),
        ]
        with m.If(loads):
            m.d.sync += loaded.eq(loaded + 1)
        with m.If(self.rewind):
            m.d.sync += loaded.eq(0)
        return read.data

    def _sum(
        self,
        m: Module,
        issue: Signal,
        at: Signal,
        delta: Signal,
        source: Signal,
        weights: Signal,
        left: Signal,
    ) -> None:
        shape, cell = self.shape, self.shape.cell
        depth, bits, lanes = shape.turns * shape.words, self.sum_bits, shape.lanes
        has_second = shape.kind == "gru"
        turn = CANDIDATE // shape.channels
        second_at = Signal(self.word_bits + 2)
        m.d.comb += second_at.eq(at - turn * self.words)
        is_candidate = (at >= turn * self.words) & (at < (turn + 1) * self.words)

        bias = self._bias(m, 0, self.clear_word, depth, self.width * bits)
        second_cleared = self.clear_word - turn * self.words
        second_bias = self._bias(m, 1, second_cleared, shape.words, lanes * bits) if has_second else None

        # what belongs to the word whose weights are there, and then to its products
        carried = {
            "valid": issue,
            "at": at,
            "second_at": second_at,
            "delta": delta,
            "to_second": (source == H) & is_candidate if has_second else Const(0),
        }
        stage = {name: later(m, value, f"w_{name}") for name, value in carried.items()}
        products = Signal(self.width * (cell.weight_bits + len(delta)))
        width = cell.weight_bits + len(delta)
        for lane in range(self.width):
            weight = weights.word_select(lane, cell.weight_bits).as_signed()
            m.d.sync += products.word_select(lane, width).eq(weight * stage["delta"])
        stage = {name: later(m, value, f"p_{name}") for name, value in stage.items()}
        for delay in range(shape.sum_latency_cycles - SUM_STAGES):
            stage = {name: later(m, value, f"d{delay}_{name}") for name, value in stage.items()}
            products = later(m, products, f"d{delay}_products")

        is_cleared, cleared_at = Signal(), Signal(self.address_bits)
        m.d.sync += [is_cleared.eq(self.clear), cleared_at.eq(self.clear_word)]
        sums = Memory(shape=self.width * bits, depth=depth, init=[])
        m.submodules.sums = sums
        read, write = sums.read_port(domain="comb"), sums.write_port()
        m.d.comb += [read.addr.eq(Mux(self.reads, self.read, stage["at"])), self.read_x.eq(read.data)]
        first = (CANDIDATE % shape.channels) * lanes
        old = read.data
        if has_second:
            second = Memory(shape=lanes * bits, depth=shape.words, init=[])
            m.submodules.second = second
            read2, write2 = second.read_port(domain="comb"), second.write_port()
            m.d.comb += [
                read2.addr.eq(Mux(self.reads, self.read_second, stage["second_at"])),
                self.read_h.eq(read2.data),
            ]
            before, after = old[: first * bits], old[(first + lanes) * bits :]
            mine = Mux(stage["to_second"], read2.data, old[first * bits : (first + lanes) * bits])
            old = Cat(before, mine, after)
        new = []
        for lane in range(self.width):
            total = Signal(signed(max(bits, width) + 1), name=f"total{lane}")
            m.d.comb += total.eq(
                old[lane * bits : (lane + 1) * bits].as_signed()
                + products.word_select(lane, width).as_signed()
            )
            new.append(narrowed(m, total, cell.accumulator, f"sum{lane}"))
        plain = Cat(*new)
        kept = plain
        if has_second:  # the sum over x stays as it is while that over h grows
            mine = plain[first * bits : (first + lanes) * bits]
            stays = Mux(stage["to_second"], read.data[first * bits : (first + lanes) * bits], mine)
            kept = Cat(plain[: first * bits], stays, plain[(first + lanes) * bits :])
            m.d.comb += [
                write2.addr.eq(stage["second_at"]),
                write2.data.eq(mine),
                write2.en.eq(stage["valid"] & stage["to_second"]),
            ]
        m.d.comb += [
            write.addr.eq(stage["at"]),
            write.data.eq(kept),
            write.en.eq(stage["valid"]),
        ]
        with m.If(is_cleared):
            m.d.comb += [write.addr.eq(cleared_at), write.data.eq(bias), write.en.eq(1)]
            if has_second:
                m.d.comb += [
                    write2.addr.eq(cleared_at - turn * self.words),
                    write2.data.eq(second_bias),
                    write2.en.eq((cleared_at >= turn * self.words) & (cleared_at < (turn + 1) * self.words)),
                ]
        self._idle(m, issue, left)

    def _idle(self, m: Module, issue: Signal, left: Signal) -> None:
        history = Signal(self.shape.sum_latency_cycles - 1)
        m.d.sync += history.eq(Cat(issue, history[:-1]))
        m.d.comb += self.idle.eq((left == 0) & ~history.any() & ~self.column_valid)


def later(m: Module, value: Signal, name: str) -> Signal:
    """The value a cycle later."""
    kept = Signal.like(value, name=name) if isinstance(value, Signal) else Signal(value.shape(), name=name)
    m.d.sync += kept.eq(value)
    return kept

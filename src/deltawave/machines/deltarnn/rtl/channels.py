"""The channels: columns of weights times what was sent, summed in the memories of pre-activations."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
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
        """The word whose weights are there, then its products, are added to the sums."""
        stage = {
            "valid": issue,
            "at": at,
            "delta": delta,
            "to_second": (source == H) & self._is_candidate(at) if self._has_second else Const(0),
        }
        stage = {name: later(m, value, f"w_{name}") for name, value in stage.items()}
        products, width = self._products(m, weights, stage["delta"])
        stage = {name: later(m, value, f"p_{name}") for name, value in stage.items()}
        for delay in range(self.shape.sum_latency_cycles - SUM_STAGES):
            stage = {name: later(m, value, f"d{delay}_{name}") for name, value in stage.items()}
            products = later(m, products, f"d{delay}_products")
        self._add(m, stage, products, width)
        self._idle(m, issue, left)

    @property
    def _has_second(self) -> bool:
        """Whether the candidate's sum over h is kept apart."""
        return self.shape.kind == "gru"

    @property
    def _first_candidate(self) -> Value:
        """The candidate's first word."""
        return (CANDIDATE // self.shape.channels) * self.words

    def _is_candidate(self, at: Value) -> Value:
        return (at >= self._first_candidate) & (at < self._first_candidate + self.words)

    def _products(self, m: Module, weights: Signal, delta: Signal) -> tuple[Signal, int]:
        """The products of a word a cycle later, and their width."""
        bits = self.shape.cell.weight_bits
        width = bits + len(delta)
        products = Signal(self.width * width)
        for lane in range(self.width):
            weight = weights.word_select(lane, bits).as_signed()
            m.d.sync += products.word_select(lane, width).eq(weight * delta)
        return products, width

    def _add(self, m: Module, stage: dict[str, Signal], products: Signal, width: int) -> None:
        """The sums of a word are read, added to and written in one cycle, or become the bias."""
        depth, bits = self.shape.turns * self.shape.words, self.sum_bits
        bias = self._bias(m, 0, self.clear_word, depth, self.width * bits)
        sums = Memory(shape=self.width * bits, depth=depth, init=[])
        m.submodules.sums = sums
        read, write = sums.read_port(domain="comb"), sums.write_port()
        m.d.comb += [read.addr.eq(Mux(self.reads, self.read, stage["at"])), self.read_x.eq(read.data)]
        old = self._with_second(m, stage, read.data) if self._has_second else read.data
        new = Cat(*(self._total(m, lane, old, products, width) for lane in range(self.width)))
        cleared, cleared_at = Signal(), Signal(self.address_bits)
        m.d.sync += [cleared.eq(self.clear), cleared_at.eq(self.clear_word)]
        kept = self._keep_second(m, stage, read.data, new, cleared, cleared_at) if self._has_second else new
        m.d.comb += [
            write.addr.eq(Mux(cleared, cleared_at, stage["at"])),
            write.data.eq(Mux(cleared, bias, kept)),
            write.en.eq(cleared | stage["valid"]),
        ]

    def _total(self, m: Module, lane: int, old: Value, products: Signal, width: int) -> Signal:
        bits = self.sum_bits
        total = Signal(signed(max(bits, width) + 1), name=f"total{lane}")
        before = old[lane * bits : (lane + 1) * bits].as_signed()
        m.d.comb += total.eq(before + products.word_select(lane, width).as_signed())
        return narrowed(m, total, self.shape.cell.accumulator, f"sum{lane}")

    def _split(self, word: Value) -> tuple[Value, Value, Value]:
        """A word before, in and behind the candidate's channel."""
        first = (CANDIDATE % self.shape.channels) * self.shape.lanes * self.sum_bits
        last = first + self.shape.lanes * self.sum_bits
        return word[:first], word[first:last], word[last:]

    def _with_second(self, m: Module, stage: dict[str, Signal], word: Value) -> Value:
        """The word with the candidate's sum over h where that one grows."""
        self._second = Memory(shape=self.shape.lanes * self.sum_bits, depth=self.shape.words, init=[])
        m.submodules.second = self._second
        read = self._second.read_port(domain="comb")
        m.d.comb += [
            read.addr.eq(Mux(self.reads, self.read_second, stage["at"] - self._first_candidate)),
            self.read_h.eq(read.data),
        ]
        before, mine, behind = self._split(word)
        return Cat(before, Mux(stage["to_second"], read.data, mine), behind)

    def _keep_second(
        self, m: Module, stage: dict[str, Signal], old: Value, new: Value, cleared: Signal, cleared_at: Signal
    ) -> Value:
        """The candidate's sum over x stays as it is while that over h grows; the new word."""
        bits = self.shape.lanes * self.sum_bits
        bias = self._bias(m, 1, self.clear_word - self._first_candidate, self.shape.words, bits)
        write = self._second.write_port()
        before, mine, behind = self._split(new)
        m.d.comb += [
            write.addr.eq(Mux(cleared, cleared_at, stage["at"]) - self._first_candidate),
            write.data.eq(Mux(cleared, bias, mine)),
            write.en.eq(Mux(cleared, self._is_candidate(cleared_at), stage["valid"] & stage["to_second"])),
        ]
        return Cat(before, Mux(stage["to_second"], self._split(old)[1], mine), behind)

    def _idle(self, m: Module, issue: Signal, left: Signal) -> None:
        history = Signal(self.shape.sum_latency_cycles - 1)
        m.d.sync += history.eq(Cat(issue, history[:-1]))
        m.d.comb += self.idle.eq((left == 0) & ~history.any() & ~self.column_valid)


def later(m: Module, value: Signal, name: str) -> Signal:
    """The value a cycle later."""
    kept = Signal.like(value, name=name) if isinstance(value, Signal) else Signal(value.shape(), name=name)
    m.d.sync += kept.eq(value)
    return kept

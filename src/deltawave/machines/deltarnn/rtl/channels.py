"""The channels: columns of weights times what was sent, summed in the memories of pre-activations."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.delay import delayed
from deltawave.machines.deltarnn.rtl.image import BEAT_BITS
from deltawave.machines.deltarnn.rtl.images import LOAD_BIAS, LOAD_SECOND_BIAS, LOAD_WEIGHTS
from deltawave.machines.deltarnn.rtl.lane import Lane, drive, product_cycles, start_from
from deltawave.machines.deltarnn.rtl.loaded import LoadedMemory, read_loaded
from deltawave.machines.deltarnn.rtl.scan_path import H, X
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.rtl.shared import shared

CANDIDATE = 2
"""The gate of a GRU whose sums over x and over h are kept apart."""


class Channels(wiring.Component):
    """Takes the column (delta, source) at the head of a list, as soon as the one before is done, and a word of it
    every cycle; begin: the first of them in the memory of weights. layer: the number of the cell, where there are
    several. read, read_second: which words of the memories an activation reads, if `reads`; read_x, read_h: these
    words, the candidate's sum over h apart. clear: the sums of word `clear_word` become the bias. load: beats of words
    into the weight memory (0), the bias (1) and the candidate's second bias (2), one after the other; rewind: from
    their beginnings again. lent_bits: of the factors for which the multipliers are lent while `lends`: lend_a, lend_b;
    lent: their products, a cycle later. begins: this column is begun in this cycle. idle: nothing is under way; all
    sums are there."""

    def __init__(self, shape: CoreShape, lent_bits: tuple[int, int] | None = None) -> None:
        cell = shape.cell
        self.shape, self.lent_bits = shape, lent_bits
        self.width = shape.channels * shape.lanes
        self.sum_bits = cell.accumulator_bits
        self.word_bits = max(1, (shape.most_words - 1).bit_length())
        self.address_bits = max(1, (shape.turns * shape.most_words - 1).bit_length())
        members = {
            "column_valid": In(1),
            "delta": In(signed(cell.activation.bits + 1)),
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
            "load_data": In(BEAT_BITS),
            "load_select": In(2),
            "load_valid": In(1),
            "rewind": In(1),
        }
        if shape.streams_weights:
            members |= {"w_data": In(self.width * cell.weight_bits), "w_valid": In(1), "w_ready": Out(1)}
        else:
            members |= {"begin": In(self.begin_bits)}
        if shape.layer_bits:
            members |= {"layer": In(shape.layer_bits)}
        if lent_bits:
            a, b = lent_bits
            factors = {"lend_a": In(self.width * a), "lend_b": In(self.width * b)}
            members |= {"lends": In(1), **factors, "lent": Out(self.width * (a + b))}
        super().__init__(members)

    @property
    def begin_bits(self) -> int:
        """Of the place of a word of weights; 0 if they are not stored."""
        return 0 if self.shape.streams_weights else max(1, (self.shape.stored_words - 1).bit_length())

    def elaborate(self, platform: object) -> Module:
        m = Module()
        issue, at, delta, source = self._issue(m)
        weights = self._streamed(m, issue) if self.shape.streams_weights else self._stored(m, issue)
        lanes = self._lanes(m, weights, delayed(m, delta, 1, "delta"))
        self._grow(m, lanes, issue, at, source)
        return m

    def _issue(self, m: Module) -> tuple[Signal, Signal, Signal, Signal]:
        """Whether a word of weights is asked for in this cycle; of which sums, times what, and what that is of."""
        left = Signal(16)
        word = Signal(self.address_bits)
        delta = Signal.like(self.delta, name="kept_delta")
        source = Signal(2, name="kept_source")
        now_delta = Signal.like(self.delta)
        now_source = Signal(2)
        issue = Signal()
        at = Signal(self.address_bits)
        is_first = left == 0
        first, count = self._words_of(m, now_source)
        m.d.comb += [
            self.begins.eq(is_first & self.column_valid),
            now_delta.eq(Mux(is_first, self.delta, delta)),
            now_source.eq(Mux(is_first, self.source, source)),
            issue.eq((self.begins | ~is_first) & (self.w_valid if self.shape.streams_weights else 1)),
            at.eq(Mux(is_first, first, word)),
        ]
        with m.If(self.begins):
            m.d.sync += [delta.eq(self.delta), source.eq(self.source), left.eq(count), word.eq(first)]
        with m.If(issue):
            m.d.sync += [left.eq(Mux(is_first, count, left) - 1), word.eq(at + 1)]
        history = Signal(self.shape.sum_latency_cycles - 1)
        m.d.sync += history.eq(Cat(issue, history[:-1]))
        m.d.comb += self.idle.eq(is_first & ~history.any() & ~self.column_valid)
        return issue, at, now_delta, now_source

    def _words_of(self, m: Module, source: Signal) -> tuple[Signal, Signal]:
        """The first of the words that a column of a source adds to, and how many they are."""
        first = Signal(self.address_bits)
        count = Signal(16)
        with m.Switch(source):
            for s in range(self.shape.sources):
                turns = self.shape.turns_of(s)
                with m.Case(X + s):
                    m.d.comb += [first.eq(turns.start * self.words), count.eq(len(turns) * self.words)]
        return first, count

    def _streamed(self, m: Module, issue: Signal) -> Value:
        """The word of weights a cycle after its issue, from outside."""
        m.d.comb += self.w_ready.eq(issue)
        return delayed(m, self.w_data, 1, "weights")

    def _stored(self, m: Module, issue: Signal) -> Value:
        """The word of weights a cycle after its issue, from the memory."""
        shape = self.shape
        address = Signal(self.begin_bits)
        now = Signal(self.begin_bits)
        m.d.comb += now.eq(Mux(self.begins, self.begin, address))
        with m.If(issue):
            m.d.sync += address.eq(now + 1)
        memory = LoadedMemory(self.width * shape.cell.weight_bits, shape.stored_words)
        return read_loaded(m, "weights", memory, now, self, LOAD_WEIGHTS)

    def _lanes(self, m: Module, weights: Value, delta: Value) -> list[Any]:
        """All lanes, channel after channel, and what is read of them."""
        bits = self.shape.cell.weight_bits
        lanes = [
            shared(m, f"lane{number}", Lane, self.shape, self._is_second(number), self.lent_bits)
            for number in range(self.width)
        ]
        if self.lent_bits:
            self._lend(m, lanes, *self.lent_bits)
        for number, lane in enumerate(lanes):
            m.d.comb += [lane.weight.eq(weights.word_select(number, bits)), lane.delta.eq(delta)]
        m.d.comb += [
            self.read_x.eq(Cat(lane.sums.sum for lane in lanes)),
            self.read_h.eq(Cat(lane.second.sum for lane in self._with_second(lanes))),
        ]
        return lanes

    def _lend(self, m: Module, lanes: list[Any], a_bits: int, b_bits: int) -> None:
        """The multipliers for whatever factors there are."""
        drive(m, lanes, "lends", self.lends)
        for number, lane in enumerate(lanes):
            m.d.comb += [
                lane.a.eq(self.lend_a.word_select(number, a_bits)),
                lane.b.eq(self.lend_b.word_select(number, b_bits)),
            ]
        m.d.comb += self.lent.eq(Cat(lane.product for lane in lanes))

    def _grow(self, m: Module, lanes: list[Any], issue: Value, at: Value, source: Value) -> None:
        """The sums of a word are read, added to and written in one cycle, or become the bias."""
        shape, cycles = self.shape, 1 + product_cycles(self.shape)
        memory = LoadedMemory(self.width * self.sum_bits, shape.for_layers(shape.turns * shape.most_words))
        bias = read_loaded(m, "bias", memory, self._in_layer(self.clear_word), self, LOAD_BIAS)
        adds, word = delayed(m, issue, cycles, "adds"), delayed(m, at, cycles, "word")
        starts, start_word = delayed(m, self.clear, 1, "starts"), delayed(m, self.clear_word, 1, "start_word")
        drive(m, lanes, "adds", adds)
        drive(m, lanes, "sums.read_at", self._in_layer(Mux(self.reads, self.read, word)))
        drive(m, lanes, "sums.write_at", self._in_layer(Mux(starts, start_word, word)))
        drive(m, lanes, "sums.starts", starts)
        start_from(m, lanes, "sums.start", bias)
        if shape.kind == "gru":
            to_second = delayed(m, self._is_candidate(at) & (source == H), cycles, "to_second")
            self._grow_second(m, self._with_second(lanes), to_second, word, starts, start_word)

    def _grow_second(
        self, m: Module, lanes: list[Any], to_second: Value, word: Value, starts: Value, start_word: Value
    ) -> None:
        """The same for the candidate's sums over h, while those over x stay as they are."""
        shape, first = self.shape, self._first_candidate
        memory = LoadedMemory(shape.lanes * self.sum_bits, shape.for_layers(shape.most_words))
        cleared = self._in_layer(self.clear_word - first, self.shape.most_words)
        bias = read_loaded(m, "second_bias", memory, cleared, self, LOAD_SECOND_BIAS)
        drive(m, lanes, "to_second", to_second)
        read_at, write_at = (
            Mux(self.reads, self.read_second, word - first),
            Mux(starts, start_word, word) - first,
        )
        drive(m, lanes, "second.read_at", self._in_layer(read_at, shape.most_words))
        drive(m, lanes, "second.write_at", self._in_layer(write_at, shape.most_words))
        drive(m, lanes, "second.starts", starts & self._is_candidate(start_word))
        start_from(m, lanes, "second.start", bias)

    def _in_layer(self, word: Value, words: int = 0) -> Value:
        """The place of one of a cell's words, which are as many as its sums if it is not said."""
        shape = self.shape
        bits = shape.place_bits(words or shape.turns * shape.most_words)
        return Cat(word[:bits], self.layer) if shape.layer_bits else word

    def _is_second(self, number: int) -> bool:
        """Whether a lane keeps the candidate's sums over h, too."""
        return self.shape.kind == "gru" and number // self.shape.lanes == CANDIDATE % self.shape.channels

    def _with_second(self, lanes: list[Any]) -> list[Any]:
        return [lane for number, lane in enumerate(lanes) if self._is_second(number)]

    @property
    def _first_candidate(self) -> Value:
        """The candidate's first word."""
        return (CANDIDATE // self.shape.channels) * self.words

    def _is_candidate(self, word: Value) -> Value:
        return (word >= self._first_candidate) & (word < self._first_candidate + self.words)

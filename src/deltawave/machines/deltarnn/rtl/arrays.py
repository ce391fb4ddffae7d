"""The arrays of Spartus: each takes the values of its queue, and a word of their sparse columns every cycle."""

from typing import Any

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.channels import CANDIDATE
from deltawave.machines.deltarnn.rtl.columns import ColumnList
from deltawave.machines.deltarnn.rtl.delay import delayed
from deltawave.machines.deltarnn.rtl.image import BEAT_BITS
from deltawave.machines.deltarnn.rtl.images import LOAD_BIAS
from deltawave.machines.deltarnn.rtl.lane import drive, product_cycles, start_from
from deltawave.machines.deltarnn.rtl.loaded import LoadedMemory, read_loaded
from deltawave.machines.deltarnn.rtl.pe import ProcessingElement
from deltawave.machines.deltarnn.rtl.scan_path import H, PathShape, X
from deltawave.machines.deltarnn.rtl.sparse import SparseShape
from deltawave.machines.deltarnn.rtl.sparse_images import LOAD_ARRAYS
from deltawave.rtl.shared import shared

WEIGHTS, COLUMNS = range(2)
"""What is loaded into an array."""


class SparseArray(wiring.Component):
    """One array. column_valid, source, place, delta: a value to send, and where its column stands among the array's.
    read: the group of `array_pes` neurons whose sums `sums_x` and, of a GRU's candidate over h, `sums_h` are. clear:
    the sums of local row `clear_row` become the bias, or zero. load: words of weights (0), of the table of columns (1);
    in the order of their addresses, from the start after `rewind`."""

    def __init__(self, shape: SparseShape) -> None:
        self.shape, bits = shape, shape.cell.accumulator_bits
        self.columns = sum(shape.vector_lengths) // shape.arrays
        super().__init__(
            {
                "column_valid": In(1),
                "source": In(2),
                "place": In(max(1, (self.columns - 1).bit_length())),
                "delta": In(signed(shape.cell.activation.bits + 1)),
                "idle": Out(1),
                "read": In(max(1, (shape.words - 1).bit_length())),
                "sums_x": Out(shape.gates * shape.lanes * bits),
                "sums_h": Out(shape.lanes * bits),
                "clear": In(1),
                "clear_row": In(shape.row_bits),
                "clear_to": In(shape.lanes * bits),
                "clear_second_to": In(shape.lanes * bits),
                "load_data": In(BEAT_BITS),
                "load_select": In(1),
                "load_valid": In(1),
                "rewind": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m, shape = Module(), self.shape
        issue, at, delta, of_h = self._issue(m, *self._queue(m))
        memory = LoadedMemory(shape.lanes * shape.entry_bits, shape.array_words)
        entries = read_loaded(m, "weights", memory, at, self, WEIGHTS)
        pes = self._pes(m, entries, delayed(m, delta, 1, "delta"))
        cycles = 1 + product_cycles(shape)
        drive(m, pes, "adds", delayed(m, issue, cycles, "adds"))
        drive(m, pes, "starts", self.clear)
        drive(m, pes, "start_row", self.clear_row)
        start_from(m, pes, "start", self.clear_to)
        second = [pe for lane, pe in enumerate(pes) if self._first_row(lane) is not None]
        drive(m, second, "of_h", delayed(m, of_h, cycles, "of_h"))
        start_from(m, second, "second_start", self.clear_second_to)
        self._read(m, pes)
        return m

    def _queue(self, m: Module) -> tuple[ColumnList, Value]:
        """The values to send: delta, source, first word of the column, and its length; whether there is one to come."""
        memory = LoadedMemory(self.shape.column_bits, self.columns)
        column = read_loaded(m, "columns", memory, self.place, self, COLUMNS)
        entry = Cat(delayed(m, Cat(self.delta, self.source), 1, "value"), column)
        found = delayed(m, self.column_valid, 1, "found")
        depth = max(2, sum(self.shape.vector_lengths[:2]) // self.shape.arrays)
        m.submodules.queue = queue = ColumnList(len(entry), depth, 1)
        m.d.comb += [queue.push0.eq(found), queue.entry0.eq(entry)]
        return queue, self.column_valid | found | queue.valid

    def _issue(self, m: Module, queue: ColumnList, waits: Value) -> tuple[Value, Value, Value, Value]:
        """Whether a word of weights is asked for in this cycle; which, times what, and whether that is of h."""
        left = Signal(self.shape.length_bits)
        address = Signal(self.shape.address_bits)
        sent = Signal(len(self.delta) + 2)
        issue = Signal()
        begins = Signal()
        is_first = left == 0
        first, column = queue.head[: len(sent)], queue.head[len(sent) :]
        begin, length = column[: len(address)], column[len(address) :]
        now = Mux(is_first, first, sent)
        at = Mux(is_first, begin, address)
        m.d.comb += [
            begins.eq(is_first & queue.valid),
            issue.eq(begins | ~is_first),
            queue.pop.eq(begins),
        ]
        with m.If(begins):
            m.d.sync += sent.eq(now)
        with m.If(issue):
            m.d.sync += [left.eq(Mux(is_first, length, left) - 1), address.eq(at + 1)]
        history = Signal(self.shape.sum_latency_cycles - 1)
        m.d.sync += history.eq(Cat(issue, history[:-1]))
        m.d.comb += self.idle.eq(is_first & ~history.any() & ~waits)
        delta, source = now[:-2].as_signed(), now[-2:]
        return issue, at, delta, source == H

    def _pes(self, m: Module, entries: Value, delta: Value) -> list[Any]:
        pes = [
            shared(m, f"pe{lane}", ProcessingElement, self.shape, self._first_row(lane))
            for lane in range(self.shape.lanes)
        ]
        start_from(m, pes, "entry", entries)
        drive(m, pes, "delta", delta)
        return pes

    def _first_row(self, lane: int) -> int | None:
        """The first local row that is of a GRU's candidate."""
        shape = self.shape
        return -(-(CANDIDATE * shape.cell.hidden - lane) // shape.lanes) if shape.kind == "gru" else None

    def _read(self, m: Module, pes: list[Any]) -> None:
        """Neuron n of gate g is row g * hidden + n: PE and local row follow."""
        shape, bits = self.shape, self.shape.cell.accumulator_bits
        for gate in range(shape.gates):
            for lane in range(shape.lanes):
                above, number = divmod(gate * shape.cell.hidden + lane, shape.lanes)
                pe = pes[number]
                m.d.comb += [
                    pe.read[gate].eq(self.read + above),
                    self.sums_x.word_select(gate * shape.lanes + lane, bits).eq(pe.sum[gate]),
                ]
                if gate == CANDIDATE and shape.kind == "gru":
                    m.d.comb += self.sums_h.word_select(lane, bits).eq(pe.second)


class Arrays(wiring.Component):
    """All arrays, with their sums added up. push, entry: values to send (delta, element, source), as they leave the
    encoder. load: the bias (1) and the candidate's second bias (2) by local row; array a by load_select 4 + 2 a (words
    of weights) and 5 + 2 a (table of columns)."""

    def __init__(self, shape: SparseShape, path: PathShape) -> None:
        self.shape, self.path = shape, path
        self.sum_bits = bits = shape.cell.accumulator_bits
        self.address_bits = self.word_bits = max(1, (shape.words - 1).bit_length())
        super().__init__(
            {
                **{f"push{k}": In(1) for k in range(path.picks)},
                **{f"entry{k}": In(path.entry_bits) for k in range(path.picks)},
                "idle": Out(1),
                "read": In(self.address_bits),
                "read_x": Out(shape.gates * shape.lanes * bits),
                "read_h": Out(shape.lanes * bits),
                "clear": In(1),
                "clear_word": In(shape.row_bits + 1),
                "load_data": In(BEAT_BITS),
                "load_select": In((LOAD_ARRAYS + 2 * shape.arrays).bit_length()),
                "load_valid": In(1),
                "rewind": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m, shape = Module(), self.shape
        arrays = [shared(m, f"array{number}", SparseArray, shape) for number in range(shape.arrays)]
        for number, array in enumerate(arrays):
            self._route(m, array, number)
            self._load(m, array, number)
            m.d.comb += array.read.eq(self.read)
        self._clear(m, arrays)
        self._add_up(m, self.read_x, [array.sums_x for array in arrays], "sum_x")
        self._add_up(m, self.read_h, [array.sums_h for array in arrays], "sum_h")
        m.d.comb += self.idle.eq(Cat(array.idle for array in arrays).all())
        return m

    def _load(self, m: Module, array: Any, number: int) -> None:
        first = LOAD_ARRAYS + 2 * number
        m.d.comb += [
            array.rewind.eq(self.rewind),
            array.load_data.eq(self.load_data),
            array.load_select.eq(self.load_select - first),
            array.load_valid.eq(self.load_valid & (self.load_select >> 1 == first >> 1)),
        ]

    def _clear(self, m: Module, arrays: list[Any]) -> None:
        """The sums of the first array start from the bias, those of the others from zero."""
        clear = delayed(m, self.clear & (self.clear_word < self.shape.rows), 1, "clear")
        row = delayed(m, self.clear_word, 1, "clear_row")
        for array in arrays:
            m.d.comb += [array.clear.eq(clear), array.clear_row.eq(row)]
        names = ("clear_to", "clear_second_to") if self.shape.kind == "gru" else ("clear_to",)
        for number, name in enumerate(names):
            memory = LoadedMemory(self.shape.lanes * self.sum_bits, self.shape.rows)
            bias = read_loaded(m, f"bias{number}", memory, self.clear_word, self, LOAD_BIAS + number)
            m.d.comb += getattr(arrays[0], name).eq(bias)

    def _add_up(self, m: Module, word: Value, words: list[Value], name: str) -> None:
        """Every sum of a word is that of all arrays."""
        bits = self.sum_bits
        for lane in range(len(word) // bits):
            total = Signal(bits, name=f"{name}{lane}")
            m.d.comb += total.eq(
                sum((array.word_select(lane, bits) for array in words[1:]), words[0].word_select(lane, bits))
            )
            m.d.comb += word.word_select(lane, bits).eq(total)

    def _route(self, m: Module, array: Any, number: int) -> None:
        """The value for this array among those that leave in a cycle: there is at most one."""
        bits, shape = self.shape.cell.activation.bits, self.shape
        m.d.comb += array.column_valid.eq(0)
        for k in range(self.path.picks):
            entry = getattr(self, f"entry{k}")
            delta = entry[: bits + 1].as_signed()
            index = entry[bits + 1 : bits + 1 + self.path.index_bits]
            source = entry[-2:]
            with m.If(getattr(self, f"push{k}") & (index % shape.arrays == number)):
                m.d.comb += [array.column_valid.eq(1), array.delta.eq(delta), array.source.eq(source)]
                with m.Switch(source):
                    for v in range(shape.sources):
                        with m.Case(X + v):
                            m.d.comb += array.place.eq(index // shape.arrays + shape.first_place(v))

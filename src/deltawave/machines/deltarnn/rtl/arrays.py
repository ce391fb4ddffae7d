"""The arrays of Spartus: each takes the values of its queue, and a word of their sparse columns every cycle."""

from amaranth import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.channels import CANDIDATE
from deltawave.machines.deltarnn.rtl.columns import ColumnList
from deltawave.machines.deltarnn.rtl.delay import delayed
from deltawave.machines.deltarnn.rtl.scan_path import H, X
from deltawave.machines.deltarnn.rtl.shape import SUM_STAGES
from deltawave.machines.deltarnn.rtl.sparse import SparseShape


def later(m: Module, value: Signal, name: str) -> Signal:
    return delayed(m, value, 1, name)


class SparseArray(wiring.Component):
    """One array. column_valid, source, place, delta: a value to send, and where its column stands among the array's.
    read: the group of `array_pes` neurons whose sums `sums_x` and, of a GRU's candidate over h, `sums_h` are. clear:
    the sums of local row `clear_row` become the bias, or zero. load: words of weights (1), of the table of columns (2);
    in the order of their addresses, from the start after `rewind`."""

    def __init__(self, shape: SparseShape, number: int) -> None:
        cell, weights = shape.cell, shape.matrix[number]
        self.shape, self.number = shape, number
        self.address_bits, self.length_bits, self.row_bits = (
            weights.address_bits,
            weights.length_bits,
            shape.row_bits,
        )
        self.place_bits = max(1, (len(weights.lengths) - 1).bit_length())
        self.read_bits = max(1, (shape.words - 1).bit_length())
        self.entry_bits = cell.weight_bits + self.row_bits
        bits = cell.accumulator_bits
        super().__init__(
            {
                "column_valid": In(1),
                "source": In(2),
                "place": In(self.place_bits),
                "delta": In(signed(cell.activation.bits + 1)),
                "idle": Out(1),
                "read": In(self.read_bits),
                "sums_x": Out(shape.gates * shape.lanes * bits),
                "sums_h": Out(shape.lanes * bits),
                "clear": In(1),
                "clear_row": In(self.row_bits),
                "clear_to": In(shape.lanes * bits),
                "clear_second_to": In(shape.lanes * bits),
                "load_data": In(max(shape.lanes * self.entry_bits, self.address_bits + self.length_bits)),
                "load_select": In(2),
                "load_valid": In(1),
                "rewind": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m, shape = Module(), self.shape
        delta_bits = len(self.delta)
        table = self._memory(
            m, "columns", self.address_bits + self.length_bits, len(shape.matrix[self.number].lengths), 2
        )
        m.d.comb += table.addr.eq(self.place)
        found, delta, source = (
            later(m, value, name)
            for value, name in (
                (self.column_valid, "found"),
                (self.delta, "found_delta"),
                (self.source, "found_source"),
            )
        )
        depth = max(2, sum(shape.vector_lengths[:2]) // shape.arrays)
        m.submodules.queue = queue = ColumnList(delta_bits + 2 + len(table.data), depth, 1)
        m.d.comb += [queue.push0.eq(found), queue.entry0.eq(Cat(delta, source, table.data))]
        head = queue.head
        fields = (
            head[:delta_bits].as_signed(),
            head[delta_bits : delta_bits + 2],
            head[delta_bits + 2 : delta_bits + 2 + self.address_bits],
            head[delta_bits + 2 + self.address_bits :],
        )
        self._multiply(m, queue, fields, found)
        return m

    def _memory(self, m: Module, name: str, width: int, depth: int, select: int):  # type: ignore[no-untyped-def]
        """The read port of a memory that is loaded word after word."""
        memory = Memory(shape=width, depth=depth, init=[])
        m.submodules[name] = memory
        read, write = memory.read_port(), memory.write_port()
        loaded = Signal(range(depth + 1), name=f"{name}_loaded")
        loads = self.load_valid & (self.load_select == select)
        m.d.comb += [write.addr.eq(loaded), write.data.eq(self.load_data), write.en.eq(loads)]
        with m.If(loads):
            m.d.sync += loaded.eq(loaded + 1)
        with m.If(self.rewind):
            m.d.sync += loaded.eq(0)
        return read

    def _multiply(self, m: Module, queue: ColumnList, fields: tuple, found: Signal) -> None:  # type: ignore[type-arg]
        shape = self.shape
        first_delta, first_source, begin, length = fields
        left, address = Signal(self.length_bits), Signal(self.address_bits)
        delta, source = Signal.like(self.delta), Signal(2)
        begins, issue, now = Signal(), Signal(), Signal(self.address_bits)
        now_delta, now_source = Signal.like(delta), Signal(2)
        m.d.comb += [
            begins.eq((left == 0) & queue.valid),
            issue.eq(begins | (left != 0)),
            queue.pop.eq(begins),
            now.eq(Mux(left == 0, begin, address)),
            now_delta.eq(Mux(left == 0, first_delta, delta)),
            now_source.eq(Mux(left == 0, first_source, source)),
        ]
        with m.If(begins):
            m.d.sync += [delta.eq(first_delta), source.eq(first_source)]
        with m.If(issue):
            m.d.sync += [left.eq(Mux(left == 0, length, left) - 1), address.eq(now + 1)]
        width = shape.lanes * self.entry_bits
        weights = self._memory(m, "weights", width, len(shape.matrix[self.number].weights), 1)
        m.d.comb += weights.addr.eq(now)
        stage = {"valid": issue, "delta": now_delta, "of_h": now_source == H}
        stage = {name: later(m, value, f"w_{name}") for name, value in stage.items()}
        product_bits = shape.cell.weight_bits + len(delta)
        products, rows = Signal(shape.lanes * product_bits), Signal(shape.lanes * self.row_bits)
        for lane in range(shape.lanes):
            entry = weights.data.word_select(lane, self.entry_bits)
            weight, row = entry[: shape.cell.weight_bits].as_signed(), entry[shape.cell.weight_bits :]
            m.d.sync += [
                products.word_select(lane, product_bits).eq(weight * stage["delta"]),
                rows.word_select(lane, self.row_bits).eq(row),
            ]
        stage = {name: later(m, value, f"p_{name}") for name, value in stage.items()}
        for delay in range(shape.sum_latency_cycles - SUM_STAGES):
            stage = {name: later(m, value, f"d{delay}_{name}") for name, value in stage.items()}
            products, rows = later(m, products, f"d{delay}_products"), later(m, rows, f"d{delay}_rows")
        sums = [
            self._pe(
                m,
                lane,
                stage,
                products.word_select(lane, product_bits),
                rows.word_select(lane, self.row_bits),
            )
            for lane in range(shape.lanes)
        ]
        self._gather(m, sums)
        history = Signal(shape.sum_latency_cycles - 1)
        m.d.sync += history.eq(Cat(issue, history[:-1]))
        m.d.comb += self.idle.eq((left == 0) & ~history.any() & ~queue.valid & ~found & ~self.column_valid)

    def _pe(self, m: Module, lane: int, stage: dict, product: Signal, row: Signal):  # type: ignore[no-untyped-def,type-arg]
        """A PE's sums: read ports for each gate, and those of the candidate over h apart."""
        shape, bits = self.shape, self.shape.cell.accumulator_bits
        has_second = shape.kind == "gru"
        memory = Memory(shape=bits, depth=shape.rows, init=[])
        m.submodules[f"sums{lane}"] = memory
        old, write = memory.read_port(domain="comb"), memory.write_port()
        first_row = -(-(CANDIDATE * shape.cell.hidden - lane) // shape.lanes)
        to_second = stage["of_h"] & (row >= first_row) if has_second else Const(0)
        before = Signal(signed(bits), name=f"before{lane}")
        m.d.comb += [old.addr.eq(row), before.eq(old.data)]
        second = None
        if has_second:
            second = Memory(shape=bits, depth=max(1, shape.rows - first_row), init=[])
            m.submodules[f"second{lane}"] = second
            old2, write2 = second.read_port(domain="comb"), second.write_port()
            m.d.comb += old2.addr.eq(row - first_row)
            with m.If(to_second):
                m.d.comb += before.eq(old2.data)
        total = Signal(signed(bits), name=f"total{lane}")
        m.d.comb += [
            total.eq(before + product.as_signed()),
            write.addr.eq(row),
            write.data.eq(total),
            write.en.eq(stage["valid"] & ~to_second),
        ]
        with m.If(self.clear):
            m.d.comb += [
                write.addr.eq(self.clear_row),
                write.data.eq(self.clear_to.word_select(lane, bits)),
                write.en.eq(1),
            ]
        if second is not None:
            m.d.comb += [
                write2.addr.eq(row - first_row),
                write2.data.eq(total),
                write2.en.eq(stage["valid"] & to_second),
            ]
            with m.If(self.clear):
                m.d.comb += [
                    write2.addr.eq(self.clear_row - first_row),
                    write2.data.eq(self.clear_second_to.word_select(lane, bits)),
                    write2.en.eq(self.clear_row >= first_row),
                ]
        gates = [memory.read_port(domain="comb") for _ in range(shape.gates)]
        return gates, (second.read_port(domain="comb") if second is not None else None), first_row

    def _gather(self, m: Module, pes: list) -> None:  # type: ignore[type-arg]
        """Neuron n of gate g is row g * hidden + n: PE and local row follow."""
        shape, bits, lanes = self.shape, self.shape.cell.accumulator_bits, self.shape.lanes
        for gate in range(shape.gates):
            offset = gate * shape.cell.hidden
            for lane in range(lanes):
                above, pe = divmod(offset + lane, lanes)
                gates, second, first_row = pes[pe]
                m.d.comb += gates[gate].addr.eq(self.read + above)
                place = (gate * lanes + lane) * bits
                m.d.comb += self.sums_x[place : place + bits].eq(gates[gate].data)
                if second is not None and gate == CANDIDATE:
                    m.d.comb += second.addr.eq(self.read + above - first_row)
                    m.d.comb += self.sums_h[lane * bits : (lane + 1) * bits].eq(second.data)


class Arrays(wiring.Component):
    """All arrays, with their sums added up. push, entry: values to send (delta, element, source), as they leave the
    encoder. load: the bias (1) and the candidate's second bias (2) by local row; array a by load_select 4 + 2 a (words
    of weights) and 5 + 2 a (table of columns)."""

    def __init__(self, shape: SparseShape, path, index_bits: int) -> None:  # type: ignore[no-untyped-def]
        self.shape, self.path, self.index_bits = shape, path, index_bits
        self.units = [SparseArray(shape, number) for number in range(shape.arrays)]
        bits = shape.cell.accumulator_bits
        self.address_bits = self.word_bits = max(1, (shape.words - 1).bit_length())
        self.load_bits = max(shape.lanes * bits, *(len(unit.load_data) for unit in self.units))
        self.select_bits = (4 + 2 * shape.arrays).bit_length()
        self.row_bits = max(1, (shape.rows - 1).bit_length())
        super().__init__(
            {
                **{f"push{k}": In(1) for k in range(path.picks)},
                **{f"entry{k}": In(path.entry_bits) for k in range(path.picks)},
                "idle": Out(1),
                "read": In(self.address_bits),
                "read_x": Out(shape.gates * shape.lanes * bits),
                "read_h": Out(shape.lanes * bits),
                "clear": In(1),
                "clear_word": In(self.row_bits + 1),
                "load_data": In(self.load_bits),
                "load_select": In(self.select_bits),
                "load_valid": In(1),
                "rewind": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m, shape = Module(), self.shape
        bits = shape.cell.accumulator_bits
        biases = [self._bias(m, number) for number in range(2 if shape.kind == "gru" else 1)]
        is_cleared, row = (
            later(m, self.clear & (self.clear_word < shape.rows), "is_cleared"),
            Signal(self.row_bits),
        )
        m.d.sync += row.eq(self.clear_word)
        for number, unit in enumerate(self.units):
            m.submodules[f"array{number}"] = unit
            self._route(m, unit, number)
            m.d.comb += [
                unit.read.eq(self.read),
                unit.clear.eq(is_cleared),
                unit.clear_row.eq(row),
                unit.clear_to.eq(biases[0] if number == 0 else 0),
                unit.clear_second_to.eq(biases[1] if number == 0 and len(biases) == 2 else 0),
                unit.rewind.eq(self.rewind),
                unit.load_data.eq(self.load_data),
                unit.load_select.eq(Mux(self.load_select[0], 2, 1)),
                unit.load_valid.eq(self.load_valid & ((self.load_select >> 1) == 2 + number)),
            ]
        for name, wide in (("sums_x", self.read_x), ("sums_h", self.read_h)):
            for lane in range(len(wide) // bits):
                total = Signal(bits, name=f"{name}_{lane}")
                parts = [getattr(unit, name)[lane * bits : (lane + 1) * bits] for unit in self.units]
                m.d.comb += [
                    total.eq(sum(parts[1:], parts[0])),
                    wide[lane * bits : (lane + 1) * bits].eq(total),
                ]
        m.d.comb += self.idle.eq(Cat(*(unit.idle for unit in self.units)).all())
        return m

    def _bias(self, m: Module, number: int) -> Signal:
        """The bias of the local row that is cleared, a cycle later."""
        width = self.shape.lanes * self.shape.cell.accumulator_bits
        memory = Memory(shape=width, depth=self.shape.rows, init=[])
        m.submodules[f"bias{number}"] = memory
        read, write = memory.read_port(), memory.write_port()
        loaded = Signal(range(self.shape.rows + 1), name=f"loaded{number}")
        loads = self.load_valid & (self.load_select == 1 + number)
        m.d.comb += [
            read.addr.eq(self.clear_word),
            write.addr.eq(loaded),
            write.data.eq(self.load_data),
            write.en.eq(loads),
        ]
        with m.If(loads):
            m.d.sync += loaded.eq(loaded + 1)
        with m.If(self.rewind):
            m.d.sync += loaded.eq(0)
        return read.data

    def _route(self, m: Module, unit: SparseArray, number: int) -> None:
        """The value for this array among those that leave in a cycle: there is at most one."""
        bits, shape = self.shape.cell.activation.bits, self.shape
        m.d.comb += unit.column_valid.eq(0)
        for k in range(self.path.picks):
            entry = getattr(self, f"entry{k}")
            delta = entry[: bits + 1].as_signed()
            index = entry[bits + 1 : bits + 1 + self.path.index_bits]
            source = entry[-2:]
            with m.If(getattr(self, f"push{k}") & (index % shape.arrays == number)):
                m.d.comb += [unit.column_valid.eq(1), unit.delta.eq(delta), unit.source.eq(source)]
                with m.Switch(source):
                    for v in range(shape.sources):
                        with m.Case(X + v):
                            m.d.comb += unit.place.eq(index // shape.arrays + shape.first_place(v))

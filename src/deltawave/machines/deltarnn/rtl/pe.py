"""A processing element of Spartus: a multiplier, and the sums of the rows that are its own."""

from amaranth import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.channels import CANDIDATE
from deltawave.machines.deltarnn.rtl.delay import delayed
from deltawave.machines.deltarnn.rtl.lane import product_cycles
from deltawave.machines.deltarnn.rtl.sparse import SparseShape


class ProcessingElement(wiring.Component):
    """entry: a weight and, above it, a local row; its product with delta is added to the sum of that row
    `product_cycles` later, if it `adds` then. starts: the sum of `start_row` becomes `start`, instead. sum[g]: that of
    row read[g], by gate.

    first_row: from which local row on the products with h (`of_h`) have sums of their own, those of a GRU's candidate;
    None if there is no such row. second: such a sum, of the candidate's row that is read."""

    def __init__(self, shape: SparseShape, first_row: int | None) -> None:
        cell = shape.cell
        bits = cell.accumulator_bits
        self.shape, self.first_row = shape, first_row
        second = {"of_h": In(1), "second_start": In(signed(bits)), "second": Out(signed(bits))}
        super().__init__(
            {
                "entry": In(cell.weight_bits + shape.row_bits),
                "delta": In(signed(cell.activation.bits + 1)),
                "adds": In(1),
                "starts": In(1),
                "start_row": In(shape.row_bits),
                "start": In(signed(bits)),
                "read": In(shape.row_bits).array(shape.gates),
                "sum": Out(signed(bits)).array(shape.gates),
                **({} if first_row is None else second),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, cycles = self.shape.cell.weight_bits, product_cycles(self.shape)
        product = delayed(m, self.entry[:bits].as_signed() * self.delta, cycles, "product")
        row = delayed(m, self.entry[bits:], cycles, "row")
        to_second = Const(0) if self.first_row is None else self.of_h & (row >= self.first_row)
        after = Signal.like(self.start)
        sums = self._sums(m, "sums", self.shape.rows)
        before = self._grow(m, sums, 0, row, self.adds & ~to_second, after, self.start)
        for read_row, read_sum in zip(self.read, self.sum, strict=True):
            self._read(m, sums, read_row, read_sum)
        if self.first_row is not None:
            second = self._sums(m, "second_sums", max(1, self.shape.rows - self.first_row))
            adds = self.adds & to_second
            old = self._grow(m, second, self.first_row, row, adds, after, self.second_start)
            self._read(m, second, self.read[CANDIDATE] - self.first_row, self.second)
            before = Mux(to_second, old, before)
        m.d.comb += after.eq(before + product)
        return m

    def _sums(self, m: Module, name: str, depth: int) -> Memory:
        memory = Memory(shape=signed(self.shape.cell.accumulator_bits), depth=depth, init=[])
        m.submodules[name] = memory
        return memory

    def _grow(
        self, m: Module, memory: Memory, first_row: int, row: Value, adds: Value, after: Value, start: Value
    ) -> Signal:
        """The sum of a row, which becomes that `after` the product. The memory begins with `first_row`."""
        before = Signal.like(after)
        self._read(m, memory, row - first_row, before)
        write = memory.write_port()
        m.d.comb += [
            write.addr.eq(Mux(self.starts, self.start_row, row) - first_row),
            write.data.eq(Mux(self.starts, start, after)),
            write.en.eq(Mux(self.starts, self.start_row >= first_row, adds)),
        ]
        return before

    def _read(self, m: Module, memory: Memory, address: Value, found: Signal) -> None:
        port = memory.read_port(domain="comb")
        m.d.comb += [port.addr.eq(address), found.eq(port.data)]

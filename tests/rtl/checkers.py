"""Units of the RTL beside what they promise, as assertions for `deltawave.rtl.formal`.

Inputs of a checker are free but for what is assumed. Signals that a lemma names have lines of their own, for Amaranth
finds no name for the first of several that are made in one.
"""

from collections.abc import Callable
from functools import reduce
from itertools import pairwise
from operator import add

from amaranth.hdl import Array, Assert, Assume, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from deltawave.machines.deltarnn.rtl.arithmetic import divided
from deltawave.machines.deltarnn.rtl.columns import ColumnList
from deltawave.machines.deltarnn.rtl.outputs import Outputs
from deltawave.machines.deltarnn.rtl.scan_path import BIAS, RH, H, PathShape, ScanPath, X
from deltawave.rtl.axi_lite import Register, RegisterFile


def _same(m: Module, entry: Value) -> Value:
    return entry


class ListChecker(wiring.Component):
    """A list loses, doubles and reorders nothing, as long as whoever pushes sees to it that there is room.

    Any entry may be watched: it comes out when all have that came before it, as it was; the list is valid while it has
    entries. As this holds for every entry, it holds for all.
    """

    def __init__(
        self,
        picks: int,
        depth: int,
        kind: type = ColumnList,
        *,
        has_room: bool = True,
        register: bool = False,
    ) -> None:
        self.unit, self.has_room = kind(2, depth, picks, _same if register else None), has_room
        self.LEMMAS = {"list.written": "came", "list.taken": "behind" if register else "left"}
        pushes = {f"push{k}": In(1) for k in range(picks)}
        entries = {f"entry{k}": In(2) for k in range(picks)}
        super().__init__({**pushes, **entries, "pop": In(1), "watch": In(picks)})

    def elaborate(self, platform: object) -> Module:
        m, unit = Module(), self.unit
        m.submodules.list = unit
        pushes = [getattr(self, f"push{k}") for k in range(unit.picks)]
        bits = unit.depth.bit_length()
        came = Signal(bits)
        left = Signal(bits)
        inside = Signal(bits)
        behind = Signal(bits, attrs={"keep": 1})
        shown = Signal()  # with a register: there was an entry a cycle ago that was not taken
        pushed = reduce(add, pushes, Const(0))
        is_there = shown if unit.register is not None else inside != 0
        pops = self.pop & is_there
        m.d.comb += [inside.eq(came - left), unit.pop.eq(self.pop)]
        m.d.comb += behind.eq(left + shown)
        m.d.sync += shown.eq(((inside - pops) != 0) & (unit.register is not None))
        m.d.sync += [came.eq(came + pushed), left.eq(left + pops)]
        for k, push in enumerate(pushes):
            m.d.comb += getattr(unit, f"push{k}").eq(push)
            m.d.comb += getattr(unit, f"entry{k}").eq(getattr(self, f"entry{k}"))
        m.d.comb += [Assume(before | ~push) for before, push in pairwise(pushes)]
        if self.has_room:
            m.d.comb += Assume(inside + pushed <= unit.depth)
        m.d.comb += Assert(unit.valid == is_there)
        self._watch(m, pushes, came, left, pops)
        return m

    def _watch(self, m: Module, pushes: list[Signal], came: Signal, left: Signal, pops: Signal) -> None:
        watching, place, value = Signal(), Signal.like(came), Signal(2)
        for k, push in enumerate(pushes):
            with m.If(push & self.watch[k] & ~watching):
                m.d.sync += [watching.eq(1), place.eq(came + k), value.eq(getattr(self, f"entry{k}"))]
        is_first = watching & (place == left) & self.unit.valid
        with m.If(is_first):
            m.d.comb += Assert(self.unit.head == value)
            with m.If(pops):
                m.d.sync += [watching.eq(0), place.eq(0), value.eq(0)]
        with m.If(watching):
            m.d.comb += Assert((place - left)[: len(place)] < (came - left)[: len(place)])


class CreditChecker(wiring.Component):
    """No more values are on their way to the list, or in it, than the path has credits: the list always has room. It is
    connected as in the core; what the path scans, and when, is free."""

    LEMMAS = {"path.used": "used", "list.written": "came", "list.taken": "left"}  # noqa: RUF012

    def __init__(self, credits: int, latency: int, kind: type = ScanPath, *, ahead: bool = False) -> None:
        self.shape = PathShape(((BIAS, X, H), (RH,)), 1, 1, 2, 2, credits, latency, ahead)
        self.path, self.list = kind(self.shape), ColumnList(self.shape.entry_bits, credits, 1)
        inputs = {
            name: In(member.shape)
            for name, member in self.path.signature.members.items()
            if member.flow is In
        }
        super().__init__(
            {name: member for name, member in inputs.items() if name != "taken"} | {"begins": In(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m, path, columns = Module(), self.path, self.list
        m.submodules.path, m.submodules.list = path, columns
        for name in self.signature.members:
            if name != "begins":
                m.d.comb += getattr(path, name).eq(getattr(self, name))
        takes = self.begins & columns.valid
        m.d.comb += [
            columns.push0.eq(path.push0),
            columns.entry0.eq(path.entry0),
            columns.pop.eq(takes),
            path.taken.eq(takes),
        ]
        on_way = [Signal(name=f"on_way{k}") for k in range(self.shape.latency - 1 - self.shape.ahead)]
        for earlier, later in zip([path.leaves, *on_way], on_way, strict=False):
            m.d.sync += later.eq(earlier)
        bits = columns.depth.bit_length()
        came = Signal(bits)
        left = Signal(bits)
        used = Signal(range(self.shape.credits + 1))
        inside = (came - left)[:bits]
        freed = Signal()  # in the cycle before, which does not count yet
        m.d.sync += freed.eq(takes & self.shape.ahead)
        total = reduce(add, on_way, inside) + freed
        m.d.sync += [came.eq(came + path.push0), left.eq(left + takes)]
        m.d.comb += [used.eq(total), Assert(used == total), Assert(used <= self.shape.credits)]
        m.d.comb += Assert(path.push0 == [path.leaves, *on_way][-1])
        return m


class OutputChecker(wiring.Component):
    """The core's output stream, by itself: a beat that is offered stays, as it is, until it is taken; a vector has
    `beats` beats, the last one marked, and none comes before a step was done.

    The core around it is assumed: states are written in activation passes, and a pass that makes outputs begins when it
    may. sizes: lanes of a word of states, of the encoder and of the activation.
    """

    LEMMAS = {  # noqa: RUF012
        "outputs.filling": "filled",
        "outputs.sending": "emptied",
        "outputs.waiting": "vectors",
        "outputs.beat": "sent",
        **{f"outputs.memory[{word}]": f"kept{word}" for word in range(4)},
    }

    def __init__(self, sizes: tuple[int, int, int], beats: int, kind: type = Outputs) -> None:
        self.sizes, self.beats = sizes, beats
        self.unit = kind(*sizes, bits=1, words=2)
        inputs = {"begins": 1, "ends": 1, "writes": 1, "final": 1, "ready": 1}
        super().__init__(
            {name: In(bits) for name, bits in inputs.items()}
            | {
                "made": In(sizes[2]),
                "token_word": In(1),
                "token_part": In(range(max(2, sizes[0] // sizes[2]))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.outputs = unit = self.unit
        m.d.comb += [
            unit.write.eq(self.writes & self.final),
            unit.states.eq(self.made),
            unit.word.eq(self.token_word),
            unit.part.eq(self.token_part),
            unit.beats.eq(self.beats),
            unit.h_ready.eq(self.ready),
        ]
        self._pass(m, unit)
        filled = Signal()
        emptied = Signal()
        vectors = Signal(2)
        sent = Signal(17)
        took = unit.h_valid & unit.h_ready
        ended = took & unit.h_last
        m.d.sync += [filled.eq(filled ^ unit.done), emptied.eq(emptied ^ ended)]
        m.d.sync += [vectors.eq(vectors + unit.done - ended), sent.eq(Mux(ended, 0, sent + took))]
        m.d.comb += [
            Assert(~unit.h_valid | (vectors != 0)),
            Assert(vectors <= 2),
            Assert(vectors[0] == filled ^ emptied),
            Assert(unit.h_last == (sent == self.beats - 1)),
            Assert(sent < self.beats),
        ]
        stays(m, unit.h_valid, unit.h_ready, Cat(unit.h_data, unit.h_last))
        lanes, rate, made = self.sizes
        kept = [Signal(lanes, name=f"kept{word}", reset_less=True) for word in range(4)]
        with m.If(self.writes & self.final):
            m.d.sync += (
                Array(kept)[Cat(self.token_word, filled)].word_select(self.token_part, made).eq(self.made)
            )
        leaves = Mux(emptied, Cat(kept[2:]), Cat(kept[:2])).word_select(sent, rate)
        m.d.comb += Assert(~unit.h_valid | (unit.h_data == leaves))
        return m

    def _pass(self, m: Module, unit: Outputs) -> None:
        passing, final = Signal(), Signal()
        begins = self.begins & ~passing & (unit.has_room | ~self.final)
        in_pass = begins | passing
        m.d.comb += [
            Assume(in_pass | ~self.writes),
            Assume(~passing | (self.final == final)),
            unit.done.eq(in_pass & self.ends & self.final),
        ]
        m.d.comb += Assert(~(passing & final) | unit.has_room)
        m.d.sync += [passing.eq(in_pass & ~self.ends), final.eq(self.final)]


class DivisionChecker(wiring.Component):
    """Quotient and remainder of a count that stays, goes on by one or begins again."""

    LEMMAS = {}  # noqa: RUF012

    def __init__(self, divisor: int, divide: Callable = divided) -> None:
        self.divisor, self.divide = divisor, divide
        super().__init__({"number": In(5)})

    def elaborate(self, platform: object) -> Module:
        m, before = Module(), Signal(5)
        m.d.sync += before.eq(self.number)
        quotient, remainder = self.divide(m, self.number, self.divisor, "count")
        m.d.comb += [
            Assume((self.number == 0) | (self.number == before) | (self.number == before + 1)),
            Assert(quotient * self.divisor + remainder == self.number),
            Assert(remainder < self.divisor),
        ]
        return m


class RegisterChecker(wiring.Component):
    """A response of a register file stays until it is taken, there is one for each request, none without, and none
    comes later than two cycles after its request and the response before."""

    LEMMAS = {"file.has_address": "address_waits", "file.has_data": "data_waits"}  # noqa: RUF012

    def __init__(self, kind: type = RegisterFile) -> None:
        registers = (Register("level", 0, 3, 5), Register("pulse", 4, 1, pulse=True))
        self.file = kind((*registers, Register("seen", 8, 2, writable=False)), 4)
        members = self.file.signature.members.items()
        super().__init__({name: In(member.shape) for name, member in members if member.flow is In})

    def elaborate(self, platform: object) -> Module:
        m, file = Module(), self.file
        m.submodules.file = file
        for name in self.signature.members:
            m.d.comb += getattr(file, name).eq(getattr(self, name))
        stays(m, file.axil_bvalid, file.axil_bready, file.axil_bresp)
        stays(m, file.axil_rvalid, file.axil_rready, Cat(file.axil_rresp, file.axil_rdata))
        address_waits = Signal()
        data_waits = Signal()
        written = file.axil_bvalid, file.axil_bready
        addresses = owed(m, "addresses", file.axil_awvalid & file.axil_awready, *written)
        data = owed(m, "data", file.axil_wvalid & file.axil_wready, *written)
        reads = owed(m, "reads", file.axil_arvalid & file.axil_arready, file.axil_rvalid, file.axil_rready)
        m.d.comb += [address_waits.eq(addresses - file.axil_bvalid), data_waits.eq(data - file.axil_bvalid)]
        m.d.comb += Assert(address_waits == addresses - file.axil_bvalid)
        m.d.comb += Assert(data_waits == data - file.axil_bvalid)
        comes(m, (addresses != 0) & (data != 0), file.axil_bvalid)
        m.d.comb += Assert(reads == file.axil_rvalid)
        return m


def stays(m: Module, valid: Signal, ready: Signal, data: Signal) -> None:
    """What is offered and not taken is offered in the next cycle, too."""
    waits, kept = Signal(), Signal(len(data))
    m.d.sync += [waits.eq(valid & ~ready), kept.eq(data)]
    with m.If(waits):
        m.d.comb += [Assert(valid), Assert(data == kept)]


def owed(m: Module, name: str, asked: Signal, valid: Signal, ready: Signal) -> Signal:
    """Requests that have not been answered; an answer has its request."""
    count = Signal(3, name=name)
    m.d.sync += count.eq(count + asked - (valid & ready))
    m.d.comb += Assert(~valid | (count != 0))
    return count


def comes(m: Module, is_owed: Signal, valid: Signal) -> None:
    """An answer that is owed is there in this cycle or the next."""
    waited = Signal()
    m.d.sync += waited.eq(is_owed & ~valid)
    m.d.comb += Assert(~(waited & is_owed) | valid)

"""A path of the delta encoder: the vectors of a round one after another, from memory to the list of columns."""

from dataclasses import dataclass

from amaranth import Array, Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.scan import GroupScan

BIAS, X, H, RH = range(4)
"""What is scanned, and what a column is of; the bias has a place in the scan, and is never sent."""


@dataclass(frozen=True)
class PathShape:
    """`rounds`: the vectors scanned in each round; `depth`: the most groups of a vector; `credits`: places of the list
    behind, 0 if it holds all; `latency`: cycles from a comparison to the value in the list."""

    rounds: tuple[tuple[int, ...], ...]
    rate: int
    picks: int
    bits: int
    depth: int
    credits: int
    latency: int

    @property
    def vectors(self) -> tuple[int, ...]:
        """The vectors scanned in any round, the bias left out."""
        return tuple(v for vectors in self.rounds for v in vectors if v != BIAS)

    @property
    def group_bits(self) -> int:
        """Of a group's number."""
        return max(1, (self.depth - 1).bit_length())

    @property
    def index_bits(self) -> int:
        """Of an element's number."""
        return max(1, (self.depth * self.rate - 1).bit_length())

    @property
    def entry_bits(self) -> int:
        """Of an entry: delta, element, source."""
        return self.bits + 1 + self.index_bits + 2


class ScanPath(wiring.Component):
    """One path. begin: the next cycle is the first of round `round`. groups1..3: groups of x, h, r * h. now: the
    elements of group `group` of vector `vector`, asked for a cycle ahead. clear: forget what was sent, group by group
    (`clear_group`). taken: a column of the list was begun.

    finish: this is the last cycle of the scan; x_ends: that of x. push, entry: to the list, `latency` - 1 cycles after
    they left; leaves, leaving: the first of them, when it leaves; pending: some are on their way."""

    def __init__(self, shape: PathShape) -> None:
        self.shape = shape
        super().__init__(
            {
                "begin": In(1),
                "round": In(1),
                **{f"groups{v}": In(shape.group_bits + 1) for v in shape.vectors},
                **{f"theta{v}": In(shape.bits + 1) for v in shape.vectors},
                "now": In(shape.rate * shape.bits),
                "vector": Out(2),
                "group": Out(shape.group_bits),
                "clear": In(1),
                "clear_group": In(shape.group_bits),
                "taken": In(1),
                "finish": Out(1),
                "x_ends": Out(1),
                "pending": Out(1),
                "leaves": Out(1),
                "leaving": Out(shape.entry_bits),
                **{f"push{k}": Out(1) for k in range(shape.picks)},
                **{f"entry{k}": Out(shape.entry_bits) for k in range(shape.picks)},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m, shape = Module(), self.shape
        m.submodules.scan = scan = GroupScan(shape.rate, shape.picks, shape.bits)
        running, vector, group = Signal(), Signal(2), Signal(shape.group_bits)
        is_bias, done, hold = Signal(), Signal(), Signal()
        m.d.comb += [
            is_bias.eq(running & (vector == BIAS)),
            scan.active.eq(running & ~is_bias),
            scan.hold.eq(hold),
            scan.now.eq(self.now),
            done.eq(is_bias | scan.done),
        ]
        self._next(m, running, vector, group, done)
        self._remember(m, scan, vector)
        self._emit(m, scan, vector, group, hold)
        return m

    def _next(self, m: Module, running: Signal, vector: Signal, group: Signal, done: Signal) -> None:
        """`self.vector` and `self.group` are those of the next cycle."""
        shape = self.shape
        m.d.comb += [self.vector.eq(vector), self.group.eq(group)]
        is_last = Signal()
        with m.If(running & done):
            m.d.comb += self.group.eq(group + 1)
            with m.Switch(vector):
                for vectors in filter(None, shape.rounds):
                    for this, after in zip(vectors, (*vectors[1:], None), strict=True):
                        with m.Case(this):
                            self._after(m, this, after, group, is_last)
        with m.If(~running):
            first = [vectors[0] if vectors else 0 for vectors in shape.rounds]
            m.d.comb += [self.vector.eq(Array(Const(v, 2) for v in first)[self.round]), self.group.eq(0)]
        m.d.comb += self.finish.eq(running & done & is_last)
        m.d.sync += [vector.eq(self.vector), group.eq(self.group)]
        with m.If(self.finish):
            m.d.sync += running.eq(0)
        with m.If(self.begin):
            m.d.sync += running.eq(1)

    def _after(self, m: Module, this: int, after: int | None, group: Signal, is_last: Signal) -> None:
        ends = Const(1) if this == BIAS else group + 1 == getattr(self, f"groups{this}")
        if this == X:
            m.d.comb += self.x_ends.eq(ends)
        with m.If(ends):
            m.d.comb += self.group.eq(0)
            if after is None:
                m.d.comb += is_last.eq(1)
            else:
                m.d.comb += self.vector.eq(after)

    def _remember(self, m: Module, scan: GroupScan, vector: Signal) -> None:
        """What was last sent of each vector."""
        shape = self.shape
        group = Signal(shape.group_bits)
        m.d.sync += group.eq(self.group)
        for v in shape.vectors:
            memory = Memory(shape=shape.rate * shape.bits, depth=shape.depth, init=[])
            m.submodules[f"sent{v}"] = memory
            read, write = memory.read_port(), memory.write_port(granularity=shape.bits)
            m.d.comb += read.addr.eq(self.group)
            with m.If(vector == v):
                m.d.comb += [
                    scan.sent.eq(read.data),
                    scan.theta.eq(getattr(self, f"theta{v}")),
                    write.en.eq(scan.write),
                ]
            m.d.comb += [write.addr.eq(group), write.data.eq(self.now)]
            with m.If(self.clear):
                m.d.comb += [write.addr.eq(self.clear_group), write.data.eq(0), write.en.eq(~0)]

    def _emit(self, m: Module, scan: GroupScan, vector: Signal, group: Signal, hold: Signal) -> None:
        shape = self.shape
        valid, entries = [], []
        for k in range(shape.picks):
            index = Signal(shape.index_bits, name=f"element{k}")
            m.d.comb += index.eq(group * shape.rate + getattr(scan, f"lane{k}"))
            valid.append(getattr(scan, f"valid{k}"))
            entries.append(Cat(getattr(scan, f"delta{k}"), index, vector))
        m.d.comb += [self.leaves.eq(valid[0]), self.leaving.eq(entries[0])]
        pending = []
        for k in range(shape.picks):
            push, entry = valid[k], entries[k]
            pending.append(push)
            for delay in range(shape.latency - 1):
                later, kept = (
                    Signal(name=f"push{k}_{delay}"),
                    Signal(shape.entry_bits, name=f"entry{k}_{delay}"),
                )
                m.d.sync += [later.eq(push), kept.eq(entry)]
                push, entry = later, kept
                pending.append(push)
            m.d.comb += [getattr(self, f"push{k}").eq(push), getattr(self, f"entry{k}").eq(entry)]
        m.d.comb += self.pending.eq(Cat(*pending).any())
        if shape.credits:
            used = Signal(range(shape.credits + 1))
            m.d.sync += used.eq(used + valid[0] - self.taken)
            m.d.comb += hold.eq(used == shape.credits)

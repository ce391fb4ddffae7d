"""A path of the delta encoder: the vectors of a round one after another, from memory to the list of columns."""

from dataclasses import dataclass

from amaranth import Array, Cat, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.delay import delayed
from deltawave.machines.deltarnn.rtl.scan import GroupScan

BIAS, X, H, RH = range(4)
"""What is scanned, and what a column is of; the bias has a place in the scan, and is never sent."""


@dataclass(frozen=True)
class PathShape:
    """`rounds`: the vectors scanned in each round; `depth`: the most groups of a vector; `credits`: places of the list
    behind, 0 if it holds all; `latency`: cycles from a comparison to the value in the list; `ahead`: the first of them
    is between the comparison and the choice of the values that leave; `layers`: cells whose vectors are scanned in
    turn."""

    rounds: tuple[tuple[int, ...], ...]
    rate: int
    picks: int
    bits: int
    depth: int
    credits: int
    latency: int
    ahead: bool = False
    layers: int = 1

    @property
    def layer_bits(self) -> int:
        """Of a cell's number: 0 if there is one."""
        return (self.layers - 1).bit_length()

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

    def fields(self, entry: Value) -> tuple[Value, Value, Value]:
        """Delta, element, source of an entry."""
        width = self.bits + 1
        return entry[:width].as_signed(), entry[width : width + self.index_bits], entry[-2:]


class ScanPath(wiring.Component):
    """One path. begin: the next cycle is the first of round `round`. groups1..3: groups of x, h, r * h. now: the
    elements of group `group` of vector `vector`, asked for a cycle ahead. layer: the cell of that group.
    clear: forget what was sent, group by group (`clear_group`). taken: a column of the list was begun.

    finish: this is the last cycle of the scan; x_ends: that of x. push, entry: to the list, `latency` - 1 cycles after
    they left; leaves, leaving: the first of them, when it leaves; pending: some are on their way. With `ahead` all but
    `push`, `entry` are a cycle later."""

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
                **({"layer": In(shape.layer_bits)} if shape.layer_bits else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m, shape = Module(), self.shape
        m.submodules.scan = scan = GroupScan(shape.rate, shape.picks, shape.bits, ahead=shape.ahead)
        running = Signal()
        vector = Signal(2)
        group = Signal(shape.group_bits)
        is_bias = Signal()
        goes_on = Signal()
        hold = Signal()
        m.d.comb += [
            is_bias.eq(running & (vector == BIAS)),
            scan.active.eq(running & ~is_bias),
            scan.hold.eq(hold),
            scan.now.eq(self.now),
            goes_on.eq(scan.done if shape.ahead else is_bias | scan.done),
        ]
        is_last, x_ends = self._next(m, running, vector, group, goes_on)
        leaving = self._leaving(m, scan, vector, group, running & is_last, running & x_ends)
        self._remember(m, scan, vector, *leaving)
        self._emit(m, scan, *leaving, hold)
        return m

    def _next(
        self, m: Module, running: Signal, vector: Signal, group: Signal, goes_on: Signal
    ) -> tuple[Signal, Signal]:
        """`self.vector` and `self.group` are those of the next cycle. Whether this group is the last one, and whether
        it is the last of x."""
        shape = self.shape
        m.d.comb += [self.vector.eq(vector), self.group.eq(group)]
        is_last = Signal()
        x_ends = Signal()
        after_group = Signal.like(group)
        after_vector = Signal(2)
        m.d.comb += [after_group.eq(group + 1), after_vector.eq(vector)]
        with m.Switch(vector):
            for vectors in filter(None, shape.rounds):
                for this, after in zip(vectors, (*vectors[1:], None), strict=True):
                    with m.Case(this):
                        self._after(m, this, after, group, (is_last, x_ends, after_group, after_vector))
        with m.If(running & goes_on):
            m.d.comb += [self.group.eq(after_group), self.vector.eq(after_vector)]
        with m.If(~running):
            first = [vectors[0] if vectors else 0 for vectors in shape.rounds]
            m.d.comb += [self.vector.eq(Array(Const(v, 2) for v in first)[self.round]), self.group.eq(0)]
        m.d.sync += [vector.eq(self.vector), group.eq(self.group)]
        with m.If(goes_on & is_last):
            m.d.sync += running.eq(0)
        with m.If(self.begin):
            m.d.sync += running.eq(1)
        return is_last, x_ends

    def _after(
        self, m: Module, this: int, after: int | None, group: Signal, ends: tuple[Signal, ...]
    ) -> None:
        """What follows this group of this vector, and whether anything does."""
        is_last, x_ends, after_group, after_vector = ends
        is_end = Const(1) if this == BIAS else group + 1 == getattr(self, f"groups{this}")
        if this == X:
            m.d.comb += x_ends.eq(is_end)
        with m.If(is_end):
            m.d.comb += [after_group.eq(0), is_last.eq(after is None)]
            if after is not None:
                m.d.comb += after_vector.eq(after)

    def _leaving(
        self, m: Module, scan: GroupScan, vector: Signal, group: Signal, is_last: Value, x_ends: Value
    ) -> tuple[Signal, Signal]:
        """The vector and the group whose values leave."""
        values = {"leaving_vector": vector, "leaving_group": group, "ends": is_last, "ends_x": x_ends}
        if self.shape.ahead:
            with m.If(scan.done):
                values = {name: delayed(m, value, 1, name) for name, value in values.items()}
        done = scan.done if self.shape.ahead else scan.done | (vector == BIAS)
        m.d.comb += [self.finish.eq(values["ends"] & done), self.x_ends.eq(values["ends_x"] & done)]
        return values["leaving_vector"], values["leaving_group"]

    def _remember(
        self, m: Module, scan: GroupScan, vector: Signal, leaving_vector: Signal, leaving_group: Signal
    ) -> None:
        """What was last sent of each vector."""
        shape = self.shape
        for v in shape.vectors:
            depth = shape.layers << shape.group_bits if shape.layer_bits else shape.depth
            memory = Memory(shape=shape.rate * shape.bits, depth=depth, init=[])
            m.submodules[f"sent{v}"] = memory
            read, write = memory.read_port(), memory.write_port(granularity=shape.bits)
            m.d.comb += [
                read.addr.eq(self._in_layer(self.group)),
                write.addr.eq(self._in_layer(leaving_group)),
                write.data.eq(scan.leaving),
            ]
            with m.If(vector == v):
                m.d.comb += [scan.sent.eq(read.data), scan.theta.eq(getattr(self, f"theta{v}"))]
            with m.If(leaving_vector == v):
                m.d.comb += write.en.eq(scan.write)
            with m.If(self.clear):
                m.d.comb += [
                    write.addr.eq(self._in_layer(self.clear_group)),
                    write.data.eq(0),
                    write.en.eq(~0),
                ]

    def _in_layer(self, group: Signal) -> Value:
        """The place of a cell's group in a memory."""
        return Cat(group, self.layer) if self.shape.layer_bits else group

    def _emit(self, m: Module, scan: GroupScan, vector: Signal, group: Signal, hold: Signal) -> None:
        """Values that leave, on their way to the list, and those that are."""
        shape = self.shape
        pending = []
        for k in range(shape.picks):
            index = Signal(shape.index_bits, name=f"element{k}")
            m.d.comb += index.eq(group * shape.rate + getattr(scan, f"lane{k}"))
            push, entry = getattr(scan, f"valid{k}"), Cat(getattr(scan, f"delta{k}"), index, vector)
            if k == 0:
                m.d.comb += [self.leaves.eq(push), self.leaving.eq(entry)]
            pending.append(push)
            for _ in range(shape.latency - 1 - shape.ahead):
                push, entry = delayed(m, push, 1, f"push{k}"), delayed(m, entry, 1, f"entry{k}")
                pending.append(push)
            m.d.comb += [getattr(self, f"push{k}").eq(push), getattr(self, f"entry{k}").eq(entry)]
        m.d.comb += self.pending.eq(Cat(*pending).any())
        if shape.credits:
            self._count_credits(m, self.leaves, hold)

    def _count_credits(self, m: Module, leaves: Signal, hold: Signal) -> None:
        """A place that is free can be taken in the cycle after."""
        used = Signal(range(self.shape.credits + 1))
        freed = delayed(m, self.taken, 1, "freed") if self.shape.ahead else self.taken
        m.d.sync += used.eq(used + leaves - freed)
        m.d.comb += hold.eq(used == self.shape.credits)

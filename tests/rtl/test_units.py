"""The units of the delta RTL against naive models: encoder, list, rounding, tables, in Amaranth's own simulator."""

from collections.abc import Callable

import numpy as np
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.machines.deltarnn.rtl.arithmetic import Lookup, divided, narrowed, round_shift
from deltawave.machines.deltarnn.rtl.columns import ColumnList
from deltawave.machines.deltarnn.rtl.scan import GroupScan, Picker
from deltawave.machines.deltarnn.rtl.scan_path import BIAS, RH, H, PathShape, ScanPath, X
from deltawave.numerics import ActivationTable, Fixed
from deltawave.numerics import round_shift as exact_round_shift

few = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**32)


def simulated(unit: object, bench: Callable, *, clocked: bool = True) -> None:
    simulator = Simulator(unit)
    if clocked:
        simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def outputs_of(function: Callable, bits: int, values: list[int]) -> list[int]:
    """What a function (module, value) -> value makes of signed values."""
    m, value, found = Module(), Signal(signed(bits)), []
    result = function(m, value)

    async def bench(ctx: object) -> None:
        for number in values:
            ctx.set(value, number)
            found.append(ctx.get(result))

    simulated(m, bench, clocked=False)
    return found


def looked_up(table: ActivationTable, bits: int, values: list[int]) -> list[int]:
    """What a table gives for signed values, each a cycle later."""
    m, value, lookup, found = Module(), Signal(signed(bits)), Lookup(table), []
    result = lookup.read(m, lookup.index(m, value, "index"), "table")

    async def bench(ctx: object) -> None:
        for number in values:
            ctx.set(value, number)
            await ctx.tick()
            found.append(ctx.get(result))

    simulated(m, bench)
    return found


def edges(bits: int, rng: np.random.Generator) -> list[int]:
    """The ends of a format, values around zero, and some between."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    near = [low, low + 1, -1, 0, 1, high - 1, high]
    return [v for v in near if low <= v <= high] + rng.integers(low, high + 1, 40).tolist()


@few
@given(seeds, st.integers(2, 34), st.integers(-6, 36))
def test_rounding_to_nearest_even(seed: int, bits: int, shift: int) -> None:
    values = edges(bits, np.random.default_rng(seed))
    values += [v for k in range(-3, 4) if abs(v := (2 * k + 1) << max(0, shift - 1)) < 1 << (bits - 1)]
    rounded = outputs_of(lambda m, value: round_shift(m, value, shift, "rounded"), bits, values)
    assert rounded == exact_round_shift(values, shift).tolist()


@few
@given(seeds, st.integers(2, 34), st.integers(2, 34), st.sampled_from(["saturate", "wrap"]))
def test_narrowing_saturates_or_wraps(seed: int, bits: int, width: int, overflow: str) -> None:
    values, number = edges(bits, np.random.default_rng(seed)), Fixed(width, 0, overflow)
    narrow = outputs_of(lambda m, value: narrowed(m, value, number, "narrow"), bits, values)
    assert narrow == number.narrow(values).tolist()


@few
@given(seeds, st.integers(2, 14), st.integers(1, 900), st.integers(-900, 900), st.integers(1, 15))
def test_tables_have_ends(seed: int, bits: int, entries: int, first: int, reach_bits: int) -> None:
    rng = np.random.default_rng(seed)
    reach = 1 << reach_bits
    table = ActivationTable("any", first, rng.integers(-reach, reach, entries).astype(np.int16))
    values = edges(bits, rng)
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    values += [v for v in range(first - 2, first + entries + 2) if low <= v <= high]
    assert looked_up(table, bits, values) == table(values).tolist()


@few
@given(seeds, st.integers(2, 14), st.integers(1, 900), st.integers(-900, 900), st.integers(-900, 900))
def test_tables_that_count_up_need_no_memory(
    seed: int, bits: int, entries: int, first: int, least: int
) -> None:
    table = ActivationTable("relu", first, (least + np.arange(entries)).astype(np.int16))
    values = edges(bits, np.random.default_rng(seed))
    assert looked_up(table, bits, values) == table(values).tolist()


@few
@given(st.lists(st.sampled_from(["stay", "on", "on", "again"]), max_size=60), st.integers(1, 9))
def test_a_counter_divided(moves: list[str], divisor: int) -> None:
    m, number, count = Module(), Signal(6), 0
    quotient, remainder = divided(m, number, divisor, "number")
    found, wanted = [], []

    async def bench(ctx: object) -> None:
        nonlocal count
        for move in moves:
            count = {"stay": count, "on": count + 1, "again": 0}[move]
            ctx.set(number, count)
            found.append((ctx.get(quotient), ctx.get(remainder)))
            wanted.append(divmod(count, divisor))
            await ctx.tick()

    m.d.sync += Signal().eq(0)  # a divisor of two needs no clock
    simulated(m, bench)
    assert found == wanted


@few
@given(st.integers(1, 9), st.integers(1, 6), st.lists(st.integers(0, 511), min_size=1, max_size=30))
def test_the_first_ones_are_picked(width: int, picks: int, masks: list[int]) -> None:
    picker = Picker(width, picks)

    async def bench(ctx: object) -> None:
        for mask in (mask & ((1 << width) - 1) for mask in masks):
            ctx.set(picker.mask, mask)
            ones = [place for place in range(width) if mask >> place & 1]
            valid = [ctx.get(getattr(picker, f"valid{k}")) for k in range(picks)]
            found = [ctx.get(getattr(picker, f"index{k}")) for k in range(picks) if valid[k]]
            assert valid == [int(k < len(ones)) for k in range(picks)]
            assert found == ones[:picks]
            assert ctx.get(picker.rest) == sum(1 << place for place in ones[picks:])

    simulated(picker, bench, clocked=False)


def to_send(now: list[int], sent: list[int], theta: int) -> list[tuple[int, int]]:
    """(place, difference) of the values that moved by the threshold."""
    moved = enumerate(a - b for a, b in zip(now, sent, strict=True))
    return [(place, delta) for place, delta in moved if delta and abs(delta) >= theta]


def packed(values: list[int], bits: int) -> int:
    return sum((value & ((1 << bits) - 1)) << (place * bits) for place, value in enumerate(values))


@few
@given(seeds, st.integers(1, 6), st.integers(1, 5), st.integers(2, 9))
def test_a_group_leaves_picks_a_cycle(seed: int, rate: int, picks: int, bits: int) -> None:
    rng, scan = np.random.default_rng(seed), GroupScan(rate, picks, bits)
    low, high = -(1 << (bits - 1)), 1 << (bits - 1)

    async def bench(ctx: object) -> None:
        for _ in range(12):
            now, sent = (rng.integers(low, high, rate).tolist() for _ in range(2))
            sent = [a if rng.random() < 0.3 else b for a, b in zip(now, sent, strict=True)]
            theta = int(rng.choice([0, 1, 2, high, 2 * high]))
            for port, value in ((scan.now, packed(now, bits)), (scan.sent, packed(sent, bits))):
                ctx.set(port, value)
            ctx.set(scan.theta, theta)
            await one_group(ctx, to_send(now, sent, theta))

    async def one_group(ctx: object, left: list[tuple[int, int]]) -> None:
        while True:
            active, hold = rng.random() < 0.9, rng.random() < 0.3
            ctx.set(scan.active, active), ctx.set(scan.hold, hold)
            leaving = left[:picks] if active and not hold else []
            done = active and (not left if hold else len(left) <= picks)
            valid = [ctx.get(getattr(scan, f"valid{k}")) for k in range(picks)]
            assert valid == [int(k < len(leaving)) for k in range(picks)]
            assert leaving == [
                (ctx.get(getattr(scan, f"lane{k}")), ctx.get(getattr(scan, f"delta{k}")))
                for k in range(len(leaving))
            ]
            assert ctx.get(scan.write) == sum(1 << lane for lane, _ in leaving)
            assert ctx.get(scan.done) == done
            left = left[len(leaving) :]
            await ctx.tick()
            if done:
                return

    simulated(scan, bench)


@few
@given(seeds, st.integers(1, 6), st.integers(1, 20), st.booleans())
def test_a_list_is_a_queue(seed: int, picks: int, depth: int, register: bool) -> None:
    rng = np.random.default_rng(seed)
    columns = ColumnList(16, depth, picks, (lambda m, entry: ~entry) if register else None)

    async def bench(ctx: object) -> None:
        queue: list[int] = []
        shown = 0  # entries that were there a cycle ago, less what was taken
        for _ in range(120):
            count = int(rng.integers(0, min(picks, columns.depth - len(queue)) + 1))
            pushed, pops = rng.integers(0, 1 << 16, picks).tolist(), bool(rng.integers(2))
            for k in range(picks):
                ctx.set(getattr(columns, f"push{k}"), k < count)
                ctx.set(getattr(columns, f"entry{k}"), pushed[k])
            ctx.set(columns.pop, pops)
            is_there = bool(shown if register else queue)
            assert ctx.get(columns.valid) == is_there
            if is_there:
                assert ctx.get(columns.head) == (queue[0] ^ 0xFFFF if register else queue[0])
            queue = queue[int(pops and is_there) :]
            shown = len(queue)
            queue += pushed[:count]
            await ctx.tick()

    assert columns.depth >= depth
    simulated(columns, bench)


class PathModel:
    """A path of the encoder, a cycle at a time: vectors of a round one after the other, group by group."""

    def __init__(self, shape: PathShape, sizes: dict[int, int]) -> None:
        self.shape, self.used = shape, 0
        self.sent = {v: [0] * (size * shape.rate) for v, size in sizes.items()}
        self.delayed: list[list[tuple[int, int, int]]] = [[] for _ in range(shape.latency - 1)]
        self.before: dict[str, object] = {"leaving": [], "finish": False, "x_ends": False}
        self.groups: list[tuple[int, int]] = []

    def begin(self, number: int, now: dict[int, list[int]], theta: dict[int, int]) -> None:
        sizes = {BIAS: 1, **{v: len(sent) // self.shape.rate for v, sent in self.sent.items()}}
        self.groups = [(v, group) for v in self.shape.rounds[number] for group in range(sizes[v])]
        self.now, self.theta, self.left = now, theta, None

    def clock(self, taken: bool) -> dict[str, object]:
        """What is seen in this cycle. `taken`: a column of the list behind is begun."""
        leaving, finish, x_ends = [], False, False
        if self.groups:
            leaving, done = self._group()
            finish = done and len(self.groups) == 1
            x_ends = done and self.groups[0][0] == X and (finish or self.groups[1][0] != X)
            if done:
                self.groups, self.left = self.groups[1:], None
        self.used += len(leaving) - taken
        self.delayed.append(leaving)
        seen = now = {"leaving": leaving, "finish": finish, "x_ends": x_ends}
        if self.shape.ahead:
            seen, self.before = self.before, now
        return {**seen, "pushed": self.delayed.pop(0)}

    def _group(self) -> tuple[list[tuple[int, int, int]], bool]:
        vector, group = self.groups[0]
        if vector == BIAS:
            return [], True
        span = slice(group * self.shape.rate, (group + 1) * self.shape.rate)
        if self.left is None:
            self.left = to_send(self.now[vector][span], self.sent[vector][span], self.theta[vector])
        if self.left and self.shape.credits and self.used == self.shape.credits:
            return [], False
        leaving, self.left = self.left[: self.shape.picks], self.left[self.shape.picks :]
        for lane, _ in leaving:
            self.sent[vector][span.start + lane] = self.now[vector][span.start + lane]
        return [(delta, span.start + lane, vector) for lane, delta in leaving], not self.left


@settings(deadline=None, max_examples=20)
@given(seeds, st.booleans(), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.data())
def test_a_path_scans_its_vectors(
    seed: int, single: bool, rate: int, picks: int, latency: int, data: st.DataObject
) -> None:
    rng, bits, depth = np.random.default_rng(seed), 5, 4
    ahead = latency > 1 and data.draw(st.booleans())
    if single:  # EdgeDRNN's: one element a cycle, and no more on their way than the FIFO holds
        first = data.draw(st.sampled_from([(BIAS, X, H), (X, H)]))
        shape = PathShape((first, (RH,)), 1, 1, bits, depth, data.draw(st.integers(1, 3)), latency, ahead)
    else:
        rounds = data.draw(st.sampled_from([((X,), ()), ((H,), (RH,)), ((H,),)]))
        shape = PathShape(rounds, rate, picks, bits, depth, 0, latency, ahead)
    sizes = {v: int(rng.integers(1, depth + 1)) for v in shape.vectors}
    path = ScanPath(shape)

    async def bench(ctx: object) -> None:
        await scan_steps(ctx, path, PathModel(shape, sizes), sizes, rng)

    simulated(path, bench)


async def scan_steps(
    ctx: object, path: ScanPath, model: PathModel, sizes: dict[int, int], rng: np.random.Generator
) -> None:
    """Three steps, what was sent forgotten, and two more."""
    shape = path.shape
    for v, size in sizes.items():
        ctx.set(getattr(path, f"groups{v}"), size)
    for step in range(5):
        if step in (0, 3):
            await clear(ctx, path, model)
        now = {v: rng.integers(-16, 16, size * shape.rate).tolist() for v, size in sizes.items()}
        theta = {v: int(rng.choice([0, 1, 5, 40])) for v in sizes}
        for v in sizes:
            ctx.set(getattr(path, f"theta{v}"), theta[v])
        for number in (number for number, vectors in enumerate(shape.rounds) if vectors):
            model.begin(number, now, theta)
            await scan_round(ctx, path, model, number, now, rng)


async def clear(ctx: object, path: ScanPath, model: PathModel) -> None:
    model.sent = {v: [0] * len(sent) for v, sent in model.sent.items()}
    ctx.set(path.clear, 1)
    for group in range(path.shape.depth):
        ctx.set(path.clear_group, group)
        await ctx.tick()
    ctx.set(path.clear, 0)


async def scan_round(
    ctx: object,
    path: ScanPath,
    model: PathModel,
    number: int,
    now: dict[int, list[int]],
    rng: np.random.Generator,
) -> None:
    """The cycle that begins a round, the round, and what comes until all has been pushed and taken."""
    shape, groups = path.shape, model.groups
    model.groups = []
    ctx.set(path.round, number)
    ctx.set(path.begin, 1)
    waiting = 0
    while True:
        taken = bool(waiting and rng.random() < 0.4)
        ctx.set(path.taken, taken)
        asked = ctx.get(path.vector), ctx.get(path.group)
        seen = model.clock(taken)
        expect(ctx, path, seen)
        waiting += len(seen["pushed"]) - taken
        await ctx.tick()
        if ctx.get(path.begin):
            model.groups = groups
        ctx.set(path.begin, 0)
        vector, group = asked
        elements = now.get(vector, [0] * 99)[group * shape.rate : (group + 1) * shape.rate]
        ctx.set(path.now, packed(elements, shape.bits))
        is_seen = not any(model.before.values())
        if not model.groups and not waiting and not any(model.delayed) and is_seen:
            return


def expect(ctx: object, path: ScanPath, seen: dict[str, object]) -> None:
    shape = path.shape
    assert ctx.get(path.finish) == seen["finish"]
    if X in shape.vectors:
        assert ctx.get(path.x_ends) == seen["x_ends"]
    pushed = seen["pushed"]
    assert [ctx.get(getattr(path, f"push{k}")) for k in range(shape.picks)] == [
        int(k < len(pushed)) for k in range(shape.picks)
    ]
    entries = [ctx.get(getattr(path, f"entry{k}")) for k in range(len(pushed))]
    assert entries == [entry(shape, *value) for value in pushed]
    assert ctx.get(path.leaves) == bool(seen["leaving"])
    if seen["leaving"]:
        assert ctx.get(path.leaving) == entry(shape, *seen["leaving"][0])


def entry(shape: PathShape, delta: int, element: int, source: int) -> int:
    """Its bits."""
    width = shape.bits + 1
    return (delta & ((1 << width) - 1)) | element << width | source << (width + shape.index_bits)

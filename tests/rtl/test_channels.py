"""Lanes, processing elements, and what is made of them, against naive models, in Amaranth's own simulator."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deltawave.kernels.cell import GATES, HEARS, CellKind, QuantisedCell
from deltawave.machines.deltarnn.rtl.arrays import Arrays
from deltawave.machines.deltarnn.rtl.channels import CANDIDATE, Channels
from deltawave.machines.deltarnn.rtl.design import legal_shape
from deltawave.machines.deltarnn.rtl.image import BEAT_BITS, Image
from deltawave.machines.deltarnn.rtl.images import column_words
from deltawave.machines.deltarnn.rtl.images import images as dense_images
from deltawave.machines.deltarnn.rtl.lane import Lane, product_cycles
from deltawave.machines.deltarnn.rtl.loaded import LoadedMemory
from deltawave.machines.deltarnn.rtl.pe import ProcessingElement
from deltawave.machines.deltarnn.rtl.scan_path import RH, H, PathShape, X
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.machines.deltarnn.rtl.sparse import SparseShape
from deltawave.machines.deltarnn.rtl.sparse_images import images as sparse_images
from deltawave.numerics import Fixed
from rtl.delta_cases import random_case

some = settings(deadline=None, max_examples=25)
seeds = st.integers(0, 2**32)
kinds = st.sampled_from(sorted(GATES))
LIMIT = 20_000
"""Cycles that nothing here takes."""
Random = np.random.Generator
Sums = NDArray[np.int64]


def simulated(unit: object, bench: Callable) -> None:
    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def shape_of(seed: int, machine: str, kind: CellKind) -> CoreShape:
    case = random_case(seed, machine, kind)
    return legal_shape(case.machine, case.cell, "core")


def wide(values: Any, bits: int) -> int:
    """Numbers of so many bits, the first in the lowest."""
    return sum((int(value) & ((1 << bits) - 1)) << (place * bits) for place, value in enumerate(values))


def numbers(word: int, bits: int, count: int) -> list[int]:
    """The signed numbers of a word."""
    sign, mask = 1 << (bits - 1), (1 << bits) - 1
    return [((word >> place * bits & mask) ^ sign) - sign for place in range(count)]


def of_bits(rng: Random, bits: int) -> int:
    """A signed number of so many bits, often at an end of them."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return int(rng.choice([low, high, 0, rng.integers(low, high + 1)], p=[0.15, 0.15, 0.1, 0.6]))


@some
@given(seeds, st.integers(1, 200), st.integers(1, 9))
def test_a_memory_is_loaded_beat_by_beat(seed: int, width: int, depth: int) -> None:
    rng, memory = np.random.default_rng(seed), LoadedMemory(width, depth)
    beats = -(-width // BEAT_BITS)
    kept, mask = [[0] * beats for _ in range(depth)], (1 << width) - 1

    async def bench(ctx: Any) -> None:
        count, asked = 0, 0
        for _ in range(60 + beats * depth):
            loads, at = bool(count < beats * depth and rng.random() < 0.7), int(rng.integers(depth))
            rewinds, beat = rng.random() < 0.1, int(rng.integers(1 << BEAT_BITS))
            ctx.set(memory.at, at), ctx.set(memory.loads, loads)
            ctx.set(memory.load_data, beat), ctx.set(memory.rewind, rewinds)
            assert ctx.get(memory.data) == asked
            asked = wide(kept[at], BEAT_BITS) & mask  # as it was before the beat that comes in this cycle
            if loads:
                kept[count // beats][count % beats] = beat
            if depth == 1:  # a register
                asked = wide(kept[0], BEAT_BITS) & mask
            count = 0 if rewinds else count + loads
            await ctx.tick()

    simulated(memory, bench)


class LaneModel:
    """A lane, a cycle at a time."""

    def __init__(self, lane: Lane) -> None:
        self.accumulator = lane.shape.cell.accumulator
        self.sums = {name: [0] * depth for name, depth in lane.depths.items()}
        self.products = deque([0] * product_cycles(lane.shape))

    def clock(self, factors: tuple[int, int], adds: bool, to: str, ports: dict[str, dict[str, int]]) -> None:
        self.products.append(factors[0] * factors[1])
        old = self.sums[to][ports[to]["read_at"]]
        after = int(self.accumulator.narrow(old + self.products.popleft()))
        for name, port in ports.items():
            if port["starts"]:
                self.sums[name][port["write_at"]] = port["start"]
            elif adds and name == to:
                self.sums[name][port["write_at"]] = after


@some
@given(seeds, st.sampled_from(["deltarnn", "edgedrnn"]), kinds, st.booleans())
def test_a_lane_adds_products(seed: int, machine: str, kind: CellKind, has_second: bool) -> None:
    rng, lane = np.random.default_rng(seed), Lane(shape_of(seed, machine, kind), has_second)
    cell, model = lane.shape.cell, LaneModel(lane)
    names = ["sums", "second"] if has_second else ["sums"]

    def port(name: str) -> dict[str, int]:
        read_at, write_at = rng.integers(lane.depths[name], size=2).tolist()
        start = of_bits(rng, cell.accumulator_bits)
        return {"read_at": read_at, "write_at": write_at, "starts": int(rng.random() < 0.1), "start": start}

    async def bench(ctx: Any) -> None:
        for _ in range(80):
            factors = of_bits(rng, cell.weight_bits), of_bits(rng, cell.activation.bits + 1)
            adds, to, ports = rng.random() < 0.8, str(rng.choice(names)), {name: port(name) for name in names}
            ctx.set(lane.weight, factors[0]), ctx.set(lane.delta, factors[1]), ctx.set(lane.adds, adds)
            if has_second:
                ctx.set(lane.to_second, to == "second")
            for name, values in ports.items():
                for member, value in values.items():
                    ctx.set(getattr(getattr(lane, name), member), value)
            for name in names:
                assert ctx.get(getattr(lane, name).sum) == model.sums[name][ports[name]["read_at"]]
            model.clock(factors, adds, to, ports)
            await ctx.tick()

    simulated(lane, bench)


@some
@given(seeds, kinds, st.booleans())
def test_a_processing_element_adds_to_its_rows(seed: int, kind: CellKind, has_second: bool) -> None:
    rng, shape = np.random.default_rng(seed), shape_of(seed, "spartus", kind)
    assert isinstance(shape, SparseShape)
    has_second &= shape.gates > CANDIDATE
    first_row = int(rng.integers(shape.rows + 1)) if has_second else None
    pe = ProcessingElement(shape, first_row)
    cell, wraps = shape.cell, Fixed(shape.cell.accumulator_bits, 0, "wrap")
    sums, second = [0] * shape.rows, [0] * shape.rows
    entries = deque([(0, 0)] * product_cycles(shape))

    def clock(weight: int, delta: int, row: int, adds: bool, of_h: bool, starts: list[int]) -> None:
        entries.append((weight * delta, row))
        product, row = entries.popleft()
        if starts:
            sums[starts[0]], second[starts[0]] = starts[1:]
        elif adds:
            mine = second if has_second and of_h and row >= first_row else sums
            mine[row] = int(wraps.narrow(mine[row] + product))

    def check(ctx: Any, rows: list[int]) -> None:
        for gate, row in enumerate(rows):
            ctx.set(pe.read[gate], row)
            assert ctx.get(pe.sum[gate]) == sums[row]
        if has_second and rows[CANDIDATE] >= first_row:
            assert ctx.get(pe.second) == second[rows[CANDIDATE]]

    async def bench(ctx: Any) -> None:
        for _ in range(80):
            weight, delta = of_bits(rng, cell.weight_bits), of_bits(rng, cell.activation.bits + 1)
            row, start_row, *rows = rng.integers(shape.rows, size=2 + shape.gates).tolist()
            start, second_start = (of_bits(rng, cell.accumulator_bits) for _ in range(2))
            adds, of_h, starts = rng.random() < 0.8, bool(rng.integers(2)), rng.random() < 0.1
            ctx.set(pe.entry, wide([weight], cell.weight_bits) | row << cell.weight_bits)
            ctx.set(pe.delta, delta), ctx.set(pe.adds, adds), ctx.set(pe.starts, starts)
            ctx.set(pe.start_row, start_row), ctx.set(pe.start, start)
            if has_second:
                ctx.set(pe.of_h, of_h), ctx.set(pe.second_start, second_start)
            check(ctx, rows)
            clock(weight, delta, row, adds, of_h, [start_row, start, second_start] if starts else [])
            await ctx.tick()

    simulated(pe, bench)


def naive_sums(cell: QuantisedCell, columns: list[tuple[int, int, int]]) -> dict[str, Sums]:
    """The memories of pre-activations by gate, int64 [gates, hidden], and a GRU's candidate's over h apart, after the
    columns (source, element, delta)."""
    bias = cell.accumulator.narrow(cell.bias).astype(np.int64).reshape(-1, cell.hidden)
    gates = len(GATES[cell.kind])
    sums, second = bias[:gates].copy(), bias[-1].copy()
    matrices = [w.astype(np.int64).reshape(gates, cell.hidden, -1) for w in (cell.weights_x, cell.weights_h)]
    for source, element, delta in columns:
        products = matrices[min(source, 1)][:, :, element] * delta
        for gate in HEARS[cell.kind][source]:
            mine = second if (cell.kind, gate, source) == ("gru", CANDIDATE, 1) else sums[gate]
            mine[:] = cell.accumulator.narrow(mine + products[gate])
    return {"sums": sums, "second": second}


async def fill(ctx: Any, unit: Any, images: tuple[Image, ...]) -> None:
    """Load the memories."""
    for image in images:
        ctx.set(unit.load_select, image.select), ctx.set(unit.load_valid, 1)
        for beat in image.beats():
            ctx.set(unit.load_data, int(beat))
            await ctx.tick()
    ctx.set(unit.load_valid, 0)


async def start(ctx: Any, unit: Any, words: int) -> None:
    """Sums become the bias."""
    ctx.set(unit.clear, 1)
    for word in range(words):
        ctx.set(unit.clear_word, word)
        await ctx.tick()
    ctx.set(unit.clear, 0)
    await ctx.tick()


def random_columns(rng: Random, cell: QuantisedCell, count: int) -> list[tuple[int, int, int]]:
    """(source, element, delta)."""
    sizes = (cell.inputs, cell.hidden, cell.hidden)[: len(HEARS[cell.kind])]
    sources = rng.integers(len(sizes), size=count).tolist()
    bits = cell.activation.bits + 1
    return [(source, int(rng.integers(sizes[source])), of_bits(rng, bits)) for source in sources]


class ChannelsModel:
    """When the channels begin a column, take a word of weights, and are idle."""

    def __init__(self, shape: CoreShape) -> None:
        self.shape, self.left = shape, 0
        self.issued = deque([False] * (shape.sum_latency_cycles - 1))

    def clock(self, source: int | None, is_fed: bool) -> tuple[bool, bool, bool]:
        """begins, takes a word, idle. source: of the column that waits."""
        begins = self.left == 0 and source is not None
        if begins:
            self.left = self.shape.column_words(source)
        issues = self.left > 0 and is_fed
        idle = self.left == 0 and not any(self.issued)
        self.left -= issues
        self.issued.append(issues)
        self.issued.popleft()
        return begins, issues, idle


@settings(deadline=None, max_examples=50)
@given(seeds, st.sampled_from(["deltarnn", "edgedrnn"]), kinds, st.booleans())
def test_channels_sum_columns(seed: int, machine: str, kind: CellKind, is_smaller: bool) -> None:
    rng, case = np.random.default_rng(seed), random_case(seed, machine, kind)
    channels = Channels(legal_shape(case.machine, case.cell, "core"))
    shape = legal_shape(case.machine, case.others[0] if is_smaller else case.cell, "loaded")
    columns = random_columns(rng, shape.cell, 15)

    async def bench(ctx: Any) -> None:
        ctx.set(channels.words, shape.words)
        await fill(ctx, channels, dense_images(shape))
        await start(ctx, channels, channels.shape.turns * channels.shape.words)
        await multiply(ctx, channels, shape, rng, deque(columns))
        assert_sums(ctx, channels, shape, naive_sums(shape.cell, columns))

    simulated(channels, bench)


@some
@given(seeds, st.sampled_from(["deltarnn", "edgedrnn"]), kinds, st.integers(2, 4))
def test_channels_keep_the_sums_of_every_cell(seed: int, machine: str, kind: CellKind, count: int) -> None:
    rng, case = np.random.default_rng(seed), random_case(seed, machine, kind, smaller=count - 1)
    layers = [legal_shape(case.machine, cell, "core") for cell in (case.cell, *case.others)]
    begins = np.cumsum([0, *(layer.stored_words for layer in layers)])
    shape = replace(layers[0], others=tuple(layers[1:]))
    channels = Channels(shape)
    turns = [(number, random_columns(rng, layers[number].cell, 8)) for number in [*range(count)] * 2]

    def take_turn(ctx: Any, number: int) -> None:
        ctx.set(channels.layer, number), ctx.set(channels.words, layers[number].words)

    async def bench(ctx: Any) -> None:
        await fill(ctx, channels, dense_images(shape))
        for number in range(count):
            take_turn(ctx, number)
            await start(ctx, channels, shape.turns * shape.most_words)
        for number, columns in turns:
            take_turn(ctx, number)
            await multiply(ctx, channels, layers[number], rng, deque(columns), int(begins[number]))
        for number, layer in enumerate(layers):
            take_turn(ctx, number)
            sent = [column for whose, columns in turns if whose == number for column in columns]
            assert_sums(ctx, channels, layer, naive_sums(layer.cell, sent))

    simulated(channels, bench)


async def multiply(
    ctx: Any,
    channels: Channels,
    shape: CoreShape,
    rng: Random,
    left: deque[tuple[int, int, int]],
    begin: int = 0,
) -> None:
    """The columns wait in any cycle, and their weights come in any cycle. begin: where the cell's first column is."""
    model, stored = ChannelsModel(shape), column_words(shape)
    sizes = [len(columns) * columns.shape[1] for columns in stored]
    words = deque(word for source, element, _ in left for word in stored[source][element])
    idle = False
    while left or not idle:
        waits, is_fed = bool(left) and rng.random() < 0.7, rng.random() < 0.6
        source, element, delta = left[0] if left else (0, 0, 0)
        ctx.set(channels.column_valid, waits), ctx.set(channels.source, X + source)
        ctx.set(channels.delta, delta)
        if not shape.streams_weights:
            place = begin + sum(sizes[:source]) + element * shape.column_words(source)
            ctx.set(channels.begin, place if left else 0)
        if shape.streams_weights:
            ctx.set(channels.w_valid, is_fed)
            ctx.set(channels.w_data, wide(words[0] if words else [], shape.cell.weight_bits))
        begins, issues, idle = model.clock(source if waits else None, is_fed or not shape.streams_weights)
        assert (ctx.get(channels.begins), ctx.get(channels.idle)) == (begins, idle)
        if shape.streams_weights:
            assert ctx.get(channels.w_ready) == issues
        if issues:
            words.popleft()
        if begins:
            left.popleft()
        await ctx.tick()


def assert_sums(ctx: Any, channels: Channels, shape: CoreShape, wanted: dict[str, Sums]) -> None:
    bits, hidden = channels.sum_bits, shape.cell.hidden
    sums = np.zeros((shape.turns * shape.channels, shape.words * shape.lanes), np.int64)
    second = np.zeros(shape.words * shape.lanes, np.int64)
    ctx.set(channels.reads, 1)
    for turn, word in np.ndindex(shape.turns, shape.words):
        ctx.set(channels.read, turn * shape.words + word), ctx.set(channels.read_second, word)
        read = np.array(numbers(ctx.get(channels.read_x), bits, channels.width))
        neurons = slice(word * shape.lanes, (word + 1) * shape.lanes)
        gates = slice(turn * shape.channels, (turn + 1) * shape.channels)
        sums[gates, neurons] = read.reshape(shape.channels, shape.lanes)
        second[neurons] = numbers(ctx.get(channels.read_h), bits, shape.lanes)
    assert sums[: shape.gates, :hidden].tolist() == wanted["sums"].tolist()
    if shape.kind == "gru":
        assert second[:hidden].tolist() == wanted["second"].tolist()


@settings(deadline=None, max_examples=30)
@given(seeds, kinds)
def test_arrays_sum_sparse_columns(seed: int, kind: CellKind) -> None:
    rng, shape = np.random.default_rng(seed), shape_of(seed, "spartus", kind)
    assert isinstance(shape, SparseShape)
    rounds = ((X, H), *(((RH,),) if shape.sources == 3 else ()))
    depth = max(shape.groups(0), shape.groups(1))
    path = PathShape(rounds, shape.input_rate, shape.input_rate, shape.cell.activation.bits, depth, 0, 2)
    arrays = Arrays(shape, path)
    rounds_of_sources = ((0, 1), (2,)) if shape.sources == 3 else ((0, 1),)
    sends = [sent_once(rng, shape.cell, sources) for sources in rounds_of_sources]

    async def bench(ctx: Any) -> None:
        await fill(ctx, arrays, sparse_images(shape))
        await start(ctx, arrays, shape.rows)
        for columns in sends:
            await send(ctx, arrays, rng, deque(columns))
        assert_sparse_sums(
            ctx, arrays, naive_sums(shape.cell, [column for columns in sends for column in columns])
        )

    simulated(arrays, bench)


def sent_once(rng: Random, cell: QuantisedCell, sources: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """(source, element, delta) of some elements of vectors, each at most once: a queue holds no more."""
    sizes = (cell.inputs, cell.hidden, cell.hidden)
    places = [(source, element) for source in sources for element in range(sizes[source])]
    chosen = rng.permutation(len(places))[: rng.integers(len(places) + 1)]
    return [(*places[place], of_bits(rng, cell.activation.bits + 1)) for place in chosen]


async def send(ctx: Any, arrays: Arrays, rng: Random, left: deque[tuple[int, int, int]]) -> None:
    """Columns leave the encoder in any cycle, several at a time if they are of different arrays, until all are in."""
    shape, path, bits = arrays.shape, arrays.path, arrays.shape.cell.activation.bits + 1
    for _ in range(LIMIT):
        if not left and ctx.get(arrays.idle):
            return
        taken: set[int] = set()
        for k in range(path.picks):
            leaves = bool(left) and rng.random() < 0.7 and left[0][1] % shape.arrays not in taken
            ctx.set(getattr(arrays, f"push{k}"), leaves)
            if leaves:
                source, element, delta = left.popleft()
                taken.add(element % shape.arrays)
                entry = wide([delta], bits) | element << bits | (X + source) << (bits + path.index_bits)
                ctx.set(getattr(arrays, f"entry{k}"), entry)
        await ctx.tick()
    raise AssertionError(f"{len(left)} columns are left after {LIMIT} cycles")


def assert_sparse_sums(ctx: Any, arrays: Arrays, wanted: dict[str, Sums]) -> None:
    shape, hidden, bits = arrays.shape, arrays.shape.cell.hidden, arrays.sum_bits
    sums = np.zeros((shape.gates, shape.words, shape.lanes), np.int64)
    second = np.zeros((shape.words, shape.lanes), np.int64)
    for word in range(shape.words):
        ctx.set(arrays.read, word)
        read = numbers(ctx.get(arrays.read_x), bits, shape.gates * shape.lanes)
        sums[:, word] = np.array(read).reshape(shape.gates, shape.lanes)
        second[word] = numbers(ctx.get(arrays.read_h), bits, shape.lanes)
    assert sums.reshape(shape.gates, -1)[:, :hidden].tolist() == wanted["sums"].tolist()
    if shape.kind == "gru":
        assert second.ravel()[:hidden].tolist() == wanted["second"].tolist()

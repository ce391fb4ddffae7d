"""The activation pass alone, against a naive model of a neuron in Python's own integers."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.kernels.cell import GATES, CellKind, QuantisedCell
from deltawave.machines.deltarnn.rtl.activation import Activation
from deltawave.machines.deltarnn.rtl.design import legal_shape, stacked_shape
from deltawave.machines.deltarnn.rtl.plan import CUTS, factor_bits, plan
from deltawave.machines.deltarnn.rtl.shape import ACTIVATION_STAGES, CoreShape
from deltawave.numerics import ActivationTable, Fixed
from rtl.delta_cases import KINDS, random_case, random_stack

MOST_SPARE_CYCLES = 14
CANDIDATE = 2
PASSES = 3
SCAN_CYCLES = 20
Random = np.random.Generator


def rounded(value: int, shift: int) -> int:
    """value / 2**shift to nearest, ties to even."""
    return round(Fraction(value) / Fraction(2) ** shift)


def narrow(value: int, number: Fixed) -> int:
    if number.overflow == "saturate":
        return min(max(value, number.lowest), number.highest)
    return (value - number.lowest) % (1 << number.bits) + number.lowest


def looked_up(table: ActivationTable, value: int) -> int:
    return int(table.values[min(max(value - table.first, 0), len(table.values) - 1)])


class Neuron:
    """One neuron: its states, and the sums of its gates; a GRU's last one is the candidate's over h."""

    def __init__(self, cell: QuantisedCell) -> None:
        self.cell, self.h, self.c, self.sums = cell, 0, 0, [0] * (len(GATES[cell.kind]) + 1)

    def gate(self, number: int) -> int:
        return looked_up(self.cell.gate, rounded(self.sums[number], self.cell.weight_fraction_bits))

    def product(self, a: int, b: int) -> int:
        return rounded(a * b, self.cell.activation.fraction_bits)

    def reset_state(self) -> int:
        """r * h."""
        return narrow(self.product(self.gate(0), self.h), self.cell.activation)

    def step(self) -> int:
        """The new state."""
        self.h = narrow(
            {"gru": self.gru, "gru_before": self.gru_before, "lstm": self.lstm, "rnn": self.rnn}[
                self.cell.kind
            ](),
            self.cell.activation,
        )
        return self.h

    def gru(self) -> int:
        cell, fraction = self.cell, self.cell.activation.fraction_bits
        over_h = rounded(self.sums[3], cell.weight_fraction_bits)
        over_x = rounded(self.sums[CANDIDATE], cell.weight_fraction_bits - fraction)
        total = narrow(self.gate(0) * over_h + over_x, cell.accumulator)
        return self.updated(looked_up(cell.candidate, rounded(total, fraction)))

    def gru_before(self) -> int:
        return self.updated(self.candidate(CANDIDATE))

    def candidate(self, number: int) -> int:
        return looked_up(self.cell.candidate, rounded(self.sums[number], self.cell.weight_fraction_bits))

    def updated(self, c: int) -> int:
        one, u = 1 << self.cell.activation.fraction_bits, self.gate(1)
        return self.product(one - u, c) + self.product(u, self.h)

    def lstm(self) -> int:
        i, f, g, o = self.gate(0), self.gate(1), self.candidate(2), self.gate(3)
        total = rounded(f * self.c + i * g, self.cell.activation.fraction_bits)
        self.c = narrow(total, self.cell.activation)
        return self.product(o, looked_up(self.cell.output, self.c))

    def rnn(self) -> int:
        return self.candidate(0)

    def hear(self, rng: Random) -> None:
        """Other sums: about one, or of any size."""
        number = self.cell.accumulator
        one = 1 << min(number.fraction_bits, number.bits - 1)
        near, wide = (
            (max(number.lowest, -2 * one), min(number.highest, 2 * one)),
            (number.lowest, number.highest),
        )
        for gate in range(len(self.sums)):
            low, high = near if rng.random() < 0.8 else wide
            self.sums[gate] = int(rng.integers(low, high + 1))


class Surroundings:
    """The memories and multipliers that an activation works with, a cycle at a time."""

    def __init__(self, unit: Activation, shape: CoreShape, neurons: list[Neuron]) -> None:
        self.unit, self.shape, self.neurons = unit, shape, neurons
        self.state_data, self.lent = 0, 0
        self.written: list[tuple[int, int, list[int]]] = []
        """Cycle, group, what was made."""

    def set_inputs(self, ctx: Any) -> None:
        unit, shape = self.unit, self.shape
        ctx.set(unit.state_data, self.state_data)
        if unit.plan.lends:
            ctx.set(unit.lent, self.lent)
        turn, word = divmod(ctx.get(unit.read), shape.words)
        gates = range(turn * shape.channels, (turn + 1) * shape.channels)
        rows = [self.row(gate, word) if gate < shape.gates else [0] * shape.lanes for gate in gates]
        bits = shape.cell.accumulator_bits
        ctx.set(unit.sums_x, wide([value for row in rows for value in row], bits))
        ctx.set(unit.sums_h, wide(self.row(-1, ctx.get(unit.read_second)), bits))

    def row(self, gate: int, word: int) -> list[int]:
        """The sums of a gate of a word of neurons."""
        lanes = self.shape.lanes
        found = [neuron.sums[gate] for neuron in self.neurons[word * lanes : (word + 1) * lanes]]
        return found + [0] * (lanes - len(found))

    def clock(self, ctx: Any, cycle: int) -> None:
        """Before the clock's edge."""
        unit, lanes, bits = self.unit, self.shape.activation_lanes, self.shape.cell.activation.bits
        first = ctx.get(unit.state_read) * lanes
        self.state_data = wide([neuron.h for neuron in self.neurons[first : first + lanes]], bits)
        if unit.plan.lends:
            self.lent = self.products(ctx)
        if ctx.get(unit.write):
            made = numbers(ctx.get(unit.made), bits, lanes)
            self.written.append((cycle, ctx.get(unit.write_token), made))

    def products(self, ctx: Any) -> int:
        """Of the multipliers that are lent."""
        count, (a, b) = self.shape.channels * self.shape.lanes, factor_bits(self.unit.shape)
        left, right = (
            numbers(ctx.get(self.unit.lend_a), a, count),
            numbers(ctx.get(self.unit.lend_b), b, count),
        )
        return wide([one * other for one, other in zip(left, right, strict=True)], a + b)


def wide(values: list[int], bits: int) -> int:
    """Numbers of so many bits, the first in the lowest."""
    return sum((value & (1 << bits) - 1) << place * bits for place, value in enumerate(values))


def numbers(word: int, bits: int, count: int) -> list[int]:
    """The signed numbers of a word."""
    sign, mask = 1 << (bits - 1), (1 << bits) - 1
    return [((word >> place * bits & mask) ^ sign) - sign for place in range(count)]


def with_spare(shape: CoreShape, spare_cycles: int, *, is_slow: bool = False) -> CoreShape:
    """With so many cycles more than the shortest pass of a group takes; is_slow: the next group comes after them."""
    cycles = shape.turns - 1 + ACTIVATION_STAGES + spare_cycles
    interval = max(cycles, shape.turns) if is_slow else shape.activation_interval_cycles
    times = {"activation_interval_cycles": interval, "activation_tail_cycles": max(0, cycles - interval)}
    layers = [replace(layer, **times, others=()) for layer in shape.layers]
    return replace(layers[0], others=tuple(layers[1:]))


async def clear(ctx: Any, unit: Activation, shape: CoreShape) -> None:
    ctx.set(unit.clear, 1)
    for token in range(shape.most_tokens):
        ctx.set(unit.clear_token, token)
        await ctx.tick()
    ctx.set(unit.clear, 0)


async def scan(ctx: Any, unit: Activation, shape: CoreShape) -> None:
    """Between two passes, when the sizes are those of the next cell, nothing is made."""
    (
        ctx.set(unit.hidden, shape.cell.hidden),
        ctx.set(unit.tokens, shape.tokens),
        ctx.set(unit.words, shape.words),
    )
    for _ in range(SCAN_CYCLES):
        assert not ctx.get(unit.write)
        await ctx.tick()


async def run_pass(
    ctx: Any, unit: Activation, shape: CoreShape, neurons: list[Neuron], *, is_last: bool
) -> list[int]:
    """What the pass makes of all neurons. Groups come in order, as often as the machine begins one, and in time."""
    around = Surroundings(unit, shape, neurons)
    ctx.set(unit.last_round, is_last)
    for cycle in range(shape.pass_cycles):
        ctx.set(unit.begins, cycle == 0)
        around.set_inputs(ctx)
        around.clock(ctx, cycle)
        await ctx.tick()
    cycles, tokens, made = zip(*around.written, strict=True)
    assert tokens == tuple(range(shape.tokens))
    assert set(np.diff(cycles)) <= {shape.activation_interval_cycles}
    values = [value for group in made for value in group]
    assert not any(values[len(neurons) :])
    return values[: len(neurons)]


@settings(deadline=None, max_examples=30)
@given(
    st.integers(0, 2**32),
    st.sampled_from(["deltarnn", "edgedrnn"]),
    st.sampled_from(KINDS),
    st.integers(0, MOST_SPARE_CYCLES),
    st.booleans(),
    st.booleans(),
)
def test_a_pass_makes_what_a_neuron_makes(
    seed: int, machine: str, kind: CellKind, spare_cycles: int, is_slow: bool, is_stack: bool
) -> None:
    rng = np.random.default_rng(seed)
    shape = with_spare(shape_of(seed, machine, kind, is_stack=is_stack), spare_cycles, is_slow=is_slow)
    word_bits = max(1, (shape.most_words - 1).bit_length())
    unit = Activation(shape, max(1, (shape.turns * shape.most_words - 1).bit_length()), word_bits)
    neurons = [[Neuron(layer.cell) for _ in range(layer.cell.hidden)] for layer in shape.layers]

    async def turn(ctx: Any, layer: CoreShape, mine: list[Neuron]) -> None:
        for neuron in mine:
            neuron.hear(rng)
        if kind == "gru_before":
            wanted = [neuron.reset_state() for neuron in mine]
            assert await run_pass(ctx, unit, layer, mine, is_last=False) == wanted
        states = [neuron.h for neuron in mine]
        made = await run_pass(ctx, unit, layer, mine, is_last=True)
        assert [neuron.h for neuron in mine] == states
        assert made == [neuron.step() for neuron in mine]

    async def bench(ctx: Any) -> None:
        for number in range(len(neurons)):
            if shape.layer_bits:
                ctx.set(unit.layer, number)
            await clear(ctx, unit, shape)
        for number, mine in [*enumerate(neurons)] * PASSES:
            if shape.layer_bits:
                ctx.set(unit.layer, number)
            await scan(ctx, unit, replace(shape.layers[number], others=()))
            await turn(ctx, replace(shape.layers[number], others=()), mine)

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


def shape_of(seed: int, machine: str, kind: CellKind, *, is_stack: bool = False) -> CoreShape:
    if is_stack:
        stack = random_stack(seed, machine, kind)
        return stacked_shape(stack.machine, stack.stack, "core")
    case = random_case(seed, machine, kind)
    return legal_shape(case.machine, case.cell, "core")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("machine", ["deltarnn", "edgedrnn"])
def test_time_becomes_registers_until_all_are_there(machine: str, kind: CellKind) -> None:
    shape = shape_of(1, machine, kind)
    found = [plan(with_spare(shape, spare)).cuts for spare in range(2 * MOST_SPARE_CYCLES)]
    assert found[-1] == set(CUTS[kind])
    assert len(found[0]) < len(found[-1])

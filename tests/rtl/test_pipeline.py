"""Values on their way through stages, against plain integers."""

from typing import Any

import numpy as np
from amaranth import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.machines.deltarnn.rtl.pipeline import Pipeline, staged

BITS, LANES = 8, 2
PLACES = ("here", "there", "nowhere")
Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(st.sampled_from(["kept", "add", *PLACES]), st.integers(0, 99), st.integers(0, 99)), max_size=12
)


class Adder(wiring.Component):
    """Adds what `program` says, lane by lane; each step works on values that earlier ones made."""

    def __init__(self, program: list[Step], cuts: set[str]) -> None:
        self.program, self.cuts, self.stage = program, cuts, 0
        super().__init__({"a": In(LANES * BITS), "b": In(LANES * BITS), "out": Out(LANES * BITS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += Signal().eq(1)  # there is a clock even if nothing waits
        pipeline = Pipeline(m, self.cuts)
        words = (signal.word_select(lane, BITS) for signal in (self.a, self.b) for lane in range(LANES))
        lanes = [*words]
        values = [staged(lanes[:LANES], 0), staged(lanes[LANES:], 0)]
        for number, (what, one, other) in enumerate(self.program):
            first, second = values[one % len(values)], values[other % len(values)]
            if what == "add":
                values.append(pipeline.each(f"sum{number}_", added, first, second))
            elif what == "kept":
                values.append(pipeline.kept(first, f"kept{number}"))
            else:
                values.append(pipeline.cut(first, what))
        self.stage = values[-1].stage
        for lane, value in enumerate(values[-1].lanes):
            m.d.comb += self.out.word_select(lane, BITS).eq(value)
        return m


def added(name: str, a: Value, b: Value) -> Value:
    return (a + b)[:BITS]


def naive(program: list[Step], cuts: set[str], a: int, b: int) -> tuple[int, int]:
    """What a lane makes of its inputs, and how many cycles later."""
    values = [(a, 0), (b, 0)]
    for what, one, other in program:
        first, second = values[one % len(values)], values[other % len(values)]
        if what == "add":
            values.append(((first[0] + second[0]) % (1 << BITS), max(first[1], second[1])))
        else:
            values.append((first[0], first[1] + (what == "kept" or what in cuts)))
    return values[-1]


@settings(deadline=None, max_examples=40)
@given(steps, st.sets(st.sampled_from(PLACES[:2])), st.integers(0, 2**32))
def test_what_is_early_waits_for_what_is_late(program: list[Step], cuts: set[str], seed: int) -> None:
    unit, inputs = Adder(program, cuts), np.random.default_rng(seed).integers(0, 1 << BITS, (30, 2, LANES))
    stage = naive(program, cuts, 0, 0)[1]

    async def bench(ctx: Any) -> None:
        for cycle, (a, b) in enumerate(inputs.tolist()):
            ctx.set(unit.a, a[0] | a[1] << BITS), ctx.set(unit.b, b[0] | b[1] << BITS)
            if cycle >= stage:
                came = inputs[cycle - stage]
                out = ctx.get(unit.out)
                for lane in range(LANES):
                    wanted = naive(program, cuts, *came[:, lane].tolist())[0]
                    assert out >> lane * BITS & (1 << BITS) - 1 == wanted
            await ctx.tick()

    simulator = Simulator(unit)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert unit.stage == stage


def test_a_value_that_is_wanted_later_twice_has_one_register() -> None:
    m = Module()
    pipeline, values = Pipeline(m, set()), staged([Signal(BITS)], 0)
    assert pipeline.at(values, 2, "once") is pipeline.at(values, 2, "again")
    assert pipeline.at(values, 0, "now") is values
    Simulator(m)  # a module that nobody elaborates is warned of

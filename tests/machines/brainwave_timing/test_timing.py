"""Cycles of the Brainwave NPU, against counts by hand and against the engine's plain twin."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.hardware.timeline import simulate
from deltawave.machines.base import Samples
from deltawave.machines.brainwave import timing
from deltawave.machines.brainwave.cell_programs import CellShape, cell_program
from deltawave.machines.brainwave.isa import BwProgram, Chain, chains
from deltawave.machines.brainwave.machine import BW_S10, Brainwave
from deltawave.machines.brainwave.timing import Hazard, hazards
from deltawave.network.layers import Cell

KINDS = ("lstm", "gru", "gru_before", "rnn")
SIGMOID = ("sigmoid", "tanh", "tanh")
few = settings(deadline=None, max_examples=30)


def program(kind: str, inputs: int = 1, hidden: int = 1) -> BwProgram:
    return cell_program(CellShape(kind, inputs, hidden, SIGMOID)).program


@st.composite
def machines(draw: st.DrawFn) -> Brainwave:
    names = ("issue_cycles", "write_back_cycles", "tile_engines")
    latencies = ("loop_cycles", "invocation_cycles", "dispatch_cycles", "read_cycles", "mfu_operation_cycles")
    return replace(
        BW_S10,
        native_dim=12,
        lanes=draw(st.sampled_from([1, 2, 4])),
        mfu_lanes=draw(st.sampled_from([1, 3, 12])),
        **{name: draw(st.integers(1, 6)) for name in names},
        **{name: draw(st.integers(0, 40)) for name in latencies},
    )


def last_writers(body: tuple[Chain, ...], repeats: int) -> list[set[int]]:
    """For every chain of the repeated body: which earlier ones last wrote what it reads."""
    written: dict[tuple[object, int, int], int] = {}
    found = []
    for number, chain in enumerate(body * repeats):
        reads = list(timing.vectors(chain, written=False))
        found.append({written[entry] for entry in reads if entry in written})
        written.update(dict.fromkeys(timing.vectors(chain, written=True), number))
    return found


def clocked(machine: Brainwave, code: BwProgram, steps: int) -> list[int]:
    """When each step is over: one chain after the other, unit after unit."""
    body = timing.Body(machine, code)
    writers = last_writers(body.chains, steps)
    issued, written, ends = machine.invocation_cycles, [], []
    dispatched, released = -1, [0] * (2 + machine.mfus)
    for number, chain in enumerate(body.chains * steps):
        position = number % len(body.chains)
        issued += int(body.issue[position])
        dispatched = max([issued, dispatched + 1, *(written[writer] for writer in writers[number])])
        time = dispatched + machine.dispatch_cycles
        held, latency = int(body.product[position]), int(body.product_latency[position])
        beats = chain.entries_written * machine.vector_cycles
        stages = [(held, latency)]
        for mfu in range(machine.mfus):
            operations = sum(on == mfu for _, on in chain.operations)
            stages.append((beats if operations else 0, operations * machine.mfu_operation_cycles))
        stages.append((beats, beats - 1 + machine.write_back_cycles))
        for stage, (occupancy, handed_on) in enumerate(stages):
            time = max(time, released[stage])
            released[stage] = time + occupancy
            time += handed_on
        written.append(time)
        if position == len(body.chains) - 1:
            ends.append(time)
    return ends


@few
@given(machine=machines(), kind=st.sampled_from(KINDS), inputs=st.integers(1, 3), hidden=st.integers(1, 3))
def test_steps_take_as_long_as_the_machine_followed_chain_by_chain(
    machine: Brainwave, kind: str, inputs: int, hidden: int
) -> None:
    code = program(kind, inputs, hidden)
    part = timing.part(machine, "cell", code, 5)
    assert np.cumsum(part.step_cycles).tolist() == clocked(machine, code, 5)


@few
@given(machine=machines(), kind=st.sampled_from(KINDS))
def test_the_plain_engine_agrees(machine: Brainwave, kind: str) -> None:
    graph = timing.Body(machine, program(kind, 2, 2)).graph(0, 3)
    fast, plain = graph.solve(), graph.solve_plain()
    assert [s.tolist() for s in fast.starts] == [s.tolist() for s in plain.starts]
    assert fast.stalls == plain.stalls


@few
@given(machine=machines(), kind=st.sampled_from(KINDS), vectors=st.integers(1, 3), peepholes=st.booleans())
def test_stretches_make_no_difference(machine: Brainwave, kind: str, vectors: int, peepholes: bool) -> None:
    shape = CellShape(kind, vectors, vectors, SIGMOID, has_peepholes=peepholes and kind == "lstm")
    graph_of = timing.Body(machine, cell_program(shape).program).graph
    whole, split = (simulate("cell", 9, graph_of, stretch=n, detail_steps=1) for n in (9, 2))
    assert split.step_cycles.tolist() == whole.step_cycles.tolist()


def test_a_step_of_small_layers_takes_the_issue_of_its_instructions() -> None:
    code = program("lstm")
    cycles = timing.part(BW_S10, "cell", code, 10).step_cycles[-1]
    assert cycles == len(code.body) * BW_S10.issue_cycles + BW_S10.loop_cycles


def test_the_first_step_waits_for_the_invocation() -> None:
    first = timing.part(BW_S10, "cell", program("gru"), 1).cycles
    later = timing.part(replace(BW_S10, invocation_cycles=0), "cell", program("gru"), 1).cycles
    assert first - later == BW_S10.invocation_cycles


@pytest.mark.parametrize(
    ("tiles", "cycles"), [(1, 10), (6, 10), (7, 20), (9, 20), (16, 30), (36, 60), (49, 90)]
)
def test_tile_engines_share_the_tiles(tiles: int, cycles: int) -> None:
    assert BW_S10.product_cycles(tiles) == cycles


def test_the_engines_are_held_for_every_tile() -> None:
    part = timing.part(BW_S10, "cell", program("gru_before", 7, 7), 20)
    assert part.busy_cycles["MVM"] == 20 * 6 * 90


def test_the_hazards_of_an_rnn() -> None:
    # 0: NetQ to xt; 1: W xt + b to xWh; 2: tanh(U h + xWh) to h, which the next step reads
    assert hazards(chains(program("rnn").body)) == [Hazard(1, 0, 0), Hazard(2, 2, 1), Hazard(2, 1, 0)]


def test_more_engines_are_never_slower() -> None:
    code, flat = (
        program("lstm", 5, 5),
        replace(BW_S10, adder_cycles=0),
    )  # the tree over engines grows with them
    cycles = [
        timing.part(replace(flat, tile_engines=engines), "cell", code, 10).cycles for engines in range(1, 30)
    ]
    assert cycles == sorted(cycles, reverse=True)


def test_no_steps_take_no_time() -> None:
    part = timing.part(BW_S10, "cell", program("lstm"), 0)
    assert part.cycles == 0


@pytest.mark.parametrize(
    ("kind", "reset"), [("lstm", "after"), ("gru", "after"), ("gru", "before"), ("rnn", "after")]
)
def test_a_compiled_layer_takes_as_long_as_its_program(kind: str, reset: str) -> None:
    cell = random_cell(kind, reset, inputs=300, hidden=450)
    compiled = BW_S10.compile("layer", cell, Samples(None, None))
    name = "gru_before" if (kind, reset) == ("gru", "before") else kind
    expected = timing.part(BW_S10, "layer", program(name, 1, 2), 9)
    part = BW_S10.timeline([compiled], {"layer": np.ones((9, 1), np.bool_)}).parts[0]
    assert part.step_cycles.tolist() == expected.step_cycles.tolist()


def random_cell(kind: str, reset: str, inputs: int, hidden: int) -> Cell:
    rng = np.random.default_rng(0)
    rows = {"lstm": 4, "gru": 3, "rnn": 1}[kind] * hidden
    weights_x, weights_h = (rng.normal(0, 0.1, (rows, n)).astype(np.float32) for n in (inputs, hidden))
    bias = np.zeros(rows, np.float32)
    activations = ("", "tanh", "") if kind == "rnn" else SIGMOID
    return Cell(
        kind=kind,
        weights_x=weights_x,
        weights_h=weights_h,
        bias_x=bias,
        bias_h=bias,
        activations=activations,
        reset=reset,
    )

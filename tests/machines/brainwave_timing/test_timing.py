"""Cycles of the Brainwave NPU, against counts by hand and against the engine's plain twin."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.hardware.tasks import GraphOfSteps
from deltawave.hardware.timeline import simulate
from deltawave.machines.base import Samples
from deltawave.machines.brainwave import timing
from deltawave.machines.brainwave.assembler import Assembled
from deltawave.machines.brainwave.cell_programs import CellShape, cell_program
from deltawave.machines.brainwave.device import DeviceProgram
from deltawave.machines.brainwave.isa import Access, BwProgram, Memory, Opcode, chains
from deltawave.machines.brainwave.machine import BW_S10, Brainwave
from deltawave.machines.brainwave.plan import Loop
from deltawave.machines.brainwave.timing import Hazard, hazards
from deltawave.machines.program import Program, compile_network
from deltawave.network import Network
from deltawave.network.layers import Cell
from machines.brainwave.drawn_networks import map_networks, sequence_networks
from machines.brainwave.random_programs import NATIVE, programs
from machines.brainwave.test_devices import LARGE, divided, parts_of, streaming
from machines.brainwave_timing.followed import ends_alone, entries, step_ends

KINDS = ("lstm", "gru", "gru_before", "rnn")
SIGMOID = ("sigmoid", "tanh", "tanh")
few = settings(deadline=None, max_examples=30)


def has_cells(program: Program) -> bool:
    return any(part.resident.is_recurrent for part in parts_of(program))


def program(kind: str, inputs: int = 1, hidden: int = 1) -> BwProgram:
    return cell_program(CellShape(kind, inputs, hidden, SIGMOID)).program


@st.composite
def machines(draw: st.DrawFn, native: int = 12) -> Brainwave:
    names = ("issue_cycles", "write_back_cycles", "tile_engines")
    latencies = ("loop_cycles", "invocation_cycles", "dispatch_cycles", "read_cycles", "mfu_operation_cycles")
    return replace(
        BW_S10,
        native_dim=native,
        lanes=draw(st.sampled_from([n for n in (1, 2, 3, 4) if native % n == 0])),
        mfu_lanes=draw(st.sampled_from([1, 3, native, 2 * native])),
        shares_windows=draw(st.booleans()),
        hop_ns=draw(st.sampled_from([0.0, 100.0, 1440.0])),
        link_gbit_per_s=draw(st.sampled_from([0.5, 40.0])),
        **{name: draw(st.integers(1, 6)) for name in names},
        **{name: draw(st.integers(0, 40)) for name in latencies},
    )


@few
@given(machine=machines(), kind=st.sampled_from(KINDS), inputs=st.integers(1, 3), hidden=st.integers(1, 3))
def test_cells_take_as_long_as_the_machine_followed_chain_by_chain(
    machine: Brainwave, kind: str, inputs: int, hidden: int
) -> None:
    code = program(kind, inputs, hidden)
    part = timing.part(machine, "cell", code, 5)
    assert np.cumsum(part.step_cycles).tolist() == ends_alone(machine, code, 5)


@few
@given(machine=machines(native=NATIVE), code=programs().filter(lambda code: code.chains("body")))
def test_chains_under_windows_take_as_long_as_followed_one_by_one(
    machine: Brainwave, code: BwProgram
) -> None:
    end = max(at for at, one in enumerate(code.body) if one.opcode is Opcode.END_CHAIN)
    part = timing.part(machine, "program", replace(code, body=code.body[: end + 1]), 4)
    assert np.cumsum(part.step_cycles).tolist() == ends_alone(machine, code, 4)


@settings(deadline=None, max_examples=60)
@given(
    st.one_of(map_networks(), sequence_networks()),
    machines(),
    st.integers(1, 3),
    st.sampled_from([0, 1, 500]),
)
def test_networks_take_as_long_as_their_devices_followed_chain_by_chain(
    drawn: tuple[Network, tuple[int, ...]], machine: Brainwave, devices: int, dram_bytes_per_cycle: int
) -> None:
    network, _ = drawn
    alone = compile_network(network, replace(machine, **LARGE))
    machine = divided(alone, devices) if not dram_bytes_per_cycle or has_cells(alone) else streaming(alone)
    machine = replace(machine, dram_bytes_per_cycle=dram_bytes_per_cycle)
    for number, loop in enumerate(machine.plan(parts_of(alone))):
        part = timing.loop_part(machine, loop, 4)
        late = machine.hop_cycles if loop.is_fed_from_afar else 0
        begun = replace(machine, invocation_cycles=machine.invocation_cycles + late)
        assert np.cumsum(part.step_cycles).tolist() == step_ends(begun, loop.programs, 4), number


def graphs(machine: Brainwave, code: BwProgram) -> GraphOfSteps:
    """The tasks of a program on one device."""
    loop = Loop((), {0: DeviceProgram((), Assembled(code, {}), (), ())})
    return timing.Devices(machine, loop).graph


@few
@given(machine=machines(), kind=st.sampled_from(KINDS))
def test_the_plain_engine_agrees(machine: Brainwave, kind: str) -> None:
    graph = graphs(machine, program(kind, 2, 2))(0, 3)
    fast, plain = graph.solve(), graph.solve_plain()
    assert [s.tolist() for s in fast.starts] == [s.tolist() for s in plain.starts]
    assert fast.stalls == plain.stalls


@few
@given(machine=machines(), kind=st.sampled_from(KINDS), vectors=st.integers(1, 3), peepholes=st.booleans())
def test_stretches_make_no_difference(machine: Brainwave, kind: str, vectors: int, peepholes: bool) -> None:
    shape = CellShape(kind, vectors, vectors, SIGMOID, has_peepholes=peepholes and kind == "lstm")
    graph_of = graphs(machine, cell_program(shape).program)
    whole, split = (simulate("cell", 9, graph_of, stretch=n, detail_steps=1) for n in (9, 2))
    assert split.step_cycles.tolist() == whole.step_cycles.tolist()


@settings(deadline=None, max_examples=60)
@given(programs())
def test_hazards_are_those_of_every_entry(code: BwProgram) -> None:
    body = code.chains("body")
    written: dict[object, int] = {}
    expected = set()
    for number, chain in enumerate(body * 3):
        for access in (access for access in chain.accesses if waits(access) and not access.is_write):
            for writer in {written[entry] for entry in entries(access) if entry in written}:
                step, at = divmod(number, len(body))
                if step == 2:
                    expected.add(Hazard(at, writer % len(body), step - writer // len(body)))
        for access in (access for access in chain.accesses if waits(access) and access.is_write):
            written |= dict.fromkeys(entries(access), number)
    found = hazards(body)
    assert set(found) == expected
    assert len(found) == len(expected)


def waits(access: Access) -> bool:
    return access.memory not in (Memory.NETQ, Memory.DRAM)


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

"""The top module: registers, the load port, settings and new streams in the middle of a run."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from deltawave.errors import InputError, SimulationError
from deltawave.kernels.cell import CellState, QuantisedCell
from deltawave.machines.deltarnn import semantics
from deltawave.machines.deltarnn.machine_edgedrnn import EdgeDRNN
from deltawave.machines.deltarnn.rtl.image import Image
from deltawave.machines.deltarnn.rtl.simulate import CoreSimulation, model_cycles, simulate
from deltawave.machines.deltarnn.rtl.top import MEANINGS, registers, settings_of
from deltawave.numerics import Fixed, stepped_table

STEPS, INPUTS, HIDDEN = 6, 5, 4
MACHINE = EdgeDRNN(name="edge", pes=2)
Integers = NDArray[np.int64]


def gru(seed: int = 0) -> QuantisedCell:
    rng = np.random.default_rng(seed)
    return QuantisedCell(
        kind="gru",
        weights_x=rng.integers(-60, 60, (3 * HIDDEN, INPUTS)).astype(np.int16),
        weights_h=rng.integers(-60, 60, (3 * HIDDEN, HIDDEN)).astype(np.int16),
        bias=rng.integers(-9000, 9000, 4 * HIDDEN).astype(np.int32),
        activation=Fixed(8, 8, "wrap"),
        weight_bits=8,
        weight_fraction_bits=7,
        accumulator_bits=24,
        accumulator_saturates=False,
        gate=stepped_table("sigmoid", 8, 4),
        candidate=stepped_table("tanh", 8, 4),
        output=stepped_table("tanh", 8, 4),
        theta_x=3,
        theta_h=2,
    )


CELL = gru()
XS = np.random.default_rng(1).integers(-300, 300, (STEPS, INPUTS))


@pytest.fixture(scope="module")
def shared() -> Iterator[CoreSimulation]:
    with CoreSimulation(MACHINE, CELL) as core:
        yield core


@pytest.fixture
def core(shared: CoreSimulation) -> CoreSimulation:
    shared.reset()
    return shared


def parts(*cells_and_xs: tuple[QuantisedCell, Integers, bool]) -> tuple[Integers, Integers]:
    """Outputs and step cycles of a run in parts: each with its thresholds, in a new stream or not."""
    state, outputs, sent = CellState.initial(CELL), [], []
    for cell, xs, is_new in cells_and_xs:
        state = CellState.initial(cell) if is_new else state
        h, rows = semantics.run(cell, state, xs.astype(np.int32))
        outputs.append(h)
        sent.append(rows)
    return np.concatenate(outputs), model_cycles(MACHINE, CELL, np.concatenate(sent))


def run_with_a_write(
    core: CoreSimulation, register: str, value: int, after_cycles: int
) -> tuple[Integers, Integers]:
    """All inputs, and a write to a register that is offered after some cycles; nothing waits for the other."""
    late = np.ones(100_000, np.bool_)
    late[after_cycles:] = False
    write = {"axil_awaddr": [core.addresses[register]], "axil_wdata": [value], "axil_wstrb": [15]}
    wanted = {"h": STEPS * HIDDEN, "step": STEPS, "axil_b": 1}
    inputs = {"x_data": XS.ravel(), **write}
    ran = core.simulation.run(inputs, wanted, limit_cycles=len(late), stalls={"axil_aw": late})
    h = ran.taken["h"].values("h_data", signed=True).reshape(STEPS, HIDDEN)
    return h, ran.taken["step"].values()


def test_after_reset_every_setting_is_that_of_the_cell(core: CoreSimulation) -> None:
    assert {name: core.read(name) for name in settings_of(core.shape)} == settings_of(core.shape)


def test_every_register_has_a_meaning() -> None:
    with CoreSimulation(MACHINE, CELL) as core:
        names = {register.name for register in registers(core.shape, core.top.core)}
    assert names == set(MEANINGS)


def test_status_counts_the_steps_of_a_stream(core: CoreSimulation) -> None:
    assert core.read("steps") == 0
    ran = core.run(XS)
    assert (core.read("steps"), core.read("idle")) == (STEPS, 1)
    assert core.read("step_cycles") == ran.step_cycles[-1]
    core.begin_stream()
    assert core.read("steps") == 0


def test_a_pulse_reads_as_zero_and_status_cannot_be_written(core: CoreSimulation) -> None:
    core.write("clear", 1)
    assert core.read("clear") == 0
    with pytest.raises(SimulationError) as refused:
        core.write("steps", 7)
    assert str(refused.value) == "the core answers SLVERR to a write at 0x10"


def test_a_stream_goes_on_until_it_is_cleared(core: CoreSimulation) -> None:
    first, second = core.run(XS[:2]), core.run(XS[2:])
    outputs, cycles = parts((CELL, XS, True))
    assert np.array_equal(np.concatenate([first.outputs, second.outputs]), outputs)
    assert np.array_equal(np.concatenate([first.step_cycles, second.step_cycles]), cycles)


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 600), st.integers(0, 400), st.sampled_from(["theta_x", "theta_h"]))
def test_a_threshold_that_is_written_in_a_run_counts_from_a_step_on(
    shared: CoreSimulation, after_cycles: int, theta: int, name: str
) -> None:
    shared.reset()
    h, cycles = run_with_a_write(shared, name, theta, after_cycles)
    later = replace(CELL, **{name: theta})
    possible = [parts((CELL, XS[:step], True), (later, XS[step:], False)) for step in range(STEPS + 1)]
    assert any(np.array_equal(h, want) and np.array_equal(cycles, took) for want, took in possible)


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 600))
def test_a_new_stream_begins_between_two_steps(shared: CoreSimulation, after_cycles: int) -> None:
    shared.reset()
    h, cycles = run_with_a_write(shared, "clear", 1, after_cycles)
    possible = [parts((CELL, XS[:step], True), (CELL, XS[step:], True)) for step in range(STEPS + 1)]
    assert any(np.array_equal(h, want) and np.array_equal(cycles, took) for want, took in possible)


def test_memories_are_loaded_again_after_rewind(core: CoreSimulation) -> None:
    other = gru(seed=7)
    core.load(other)
    assert np.array_equal(
        core.run(XS).outputs, semantics.run(other, CellState.initial(other), XS.astype(np.int32))[0]
    )
    core.load(CELL)
    assert np.array_equal(core.run(XS).outputs, parts((CELL, XS, True))[0])


def test_inputs_of_another_size_are_refused(core: CoreSimulation) -> None:
    with pytest.raises(InputError) as refused:
        core.run(XS[:, :3])
    assert str(refused.value) == "inputs are integers [steps, 5], got [6, 3]"


def test_waves_are_written(tmp_path) -> None:  # type: ignore[no-untyped-def]
    simulate(MACHINE, CELL, XS[:1], waves=tmp_path / "core.vcd")
    assert "$enddefinitions" in (tmp_path / "core.vcd").read_text()


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 5), st.randoms(use_true_random=False))
def test_beats_of_a_word_are_its_bits_in_order(bits: int, lanes: int, words: int, random) -> None:  # type: ignore[no-untyped-def]
    values = [[random.randrange(-(1 << bits - 1), 1 << bits - 1) for _ in range(lanes)] for _ in range(words)]
    image = Image("weights", 0, np.array(values, np.int64), bits)
    beats = image.beats().reshape(words, image.beats_a_word)
    for row, word in zip(values, beats, strict=True):
        joined = sum(int(beat) << 32 * place for place, beat in enumerate(word))
        assert joined == sum((value & (1 << bits) - 1) << bits * lane for lane, value in enumerate(row))
    assert image.beats_a_word == -(-bits * lanes // 32)

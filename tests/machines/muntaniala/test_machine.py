"""What the machine takes, how layers lie on dies, what it refuses, what a run costs."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltawave as dw
from deltawave.errors import CapacityError, OptionError, ProgramError, UnsupportedError
from deltawave.machines.base import Samples
from deltawave.machines.muntaniala import CHIPMUNK, MUNTANIALA, PROTOTYPE
from deltawave.machines.muntaniala.compiled import restore
from deltawave.machines.muntaniala.mapping import Tiling
from deltawave.machines.muntaniala.points import cycle_pj, fastest_hz
from deltawave.machines.program_file import program_bytes, program_from
from deltawave.network import Cell
from networks import recurrent_network, walk

SMALL = MUNTANIALA.with_options({"units": 4, "dies": 100})


def particulars(run: dw.Run) -> dict[str, float]:
    return {figure.name: figure.value for figure in dw.measure(run).particulars}


@pytest.mark.parametrize(
    ("inputs", "hidden", "rows", "columns"),
    [(96, 96, 1, 1), (97, 96, 1, 2), (123, 421, 5, 5), (421, 421, 5, 5), (500, 100, 2, 6)],
)
def test_tiles_of_a_layer(inputs: int, hidden: int, rows: int, columns: int) -> None:
    tiling = Tiling(inputs, hidden, 96)
    assert (tiling.rows, tiling.columns) == (rows, columns)


@given(inputs=st.integers(1, 40), hidden=st.integers(1, 40), units=st.integers(1, 9))
@settings(deadline=None, max_examples=50)
def test_every_weight_lies_on_one_die_and_the_first_is_the_fullest(
    inputs: int, hidden: int, units: int
) -> None:
    tiling = Tiling(inputs, hidden, units)
    held = np.zeros((hidden, inputs + hidden), int)
    for row, column in tiling.dies():
        part = tiling.slices(row, column)
        held[part["neurons"], part["x"]] += 1
        held[part["neurons"], slice(inputs + part["h"].start, inputs + part["h"].stop)] += 1
        sizes = [part[name].stop - part[name].start for name in ("neurons", "x", "h")]
        assert all(size <= most for size, most in zip(sizes, tiling.fullest, strict=True))
    assert (held == 1).all()


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("calibrated", [True, False])
def test_an_array_has_the_bits_of_one_die(direction: str, calibrated: bool) -> None:
    network, data = recurrent_network("LSTM", direction=direction), walk(seed=3)
    calibration = walk() if calibrated else None
    programs = [
        dw.compile(network, machine, calibration=calibration) for machine in (MUNTANIALA, SMALL, CHIPMUNK)
    ]
    runs = [program.run(data) for program in programs] + [programs[1].run(data, plain=True)]
    for run in runs[1:]:
        assert np.array_equal(run.outputs[0]["y"], runs[0].outputs[0]["y"])
        assert all(np.array_equal(run.activity[name], runs[0].activity[name]) for name in run.activity)


def test_calibrated_formats_do_not_overflow_on_their_data() -> None:
    network = recurrent_network("LSTM", inputs=20, hidden=30, scale=1.5)
    run = dw.compile(network, SMALL, calibration=walk(60, 20)).run(walk(60, 20))
    seen = particulars(run)
    assert seen["accumulators wrapped"] == 0
    assert seen["states c saturated"] == 0


def test_formats_without_data_cannot_overflow() -> None:
    network = recurrent_network("LSTM", inputs=20, hidden=30, scale=1.5)
    data = 4 * np.sign(np.random.default_rng(0).normal(0, 1, (60, 1, 20))).astype(np.float32)
    seen = particulars(dw.compile(network, SMALL).run(data))
    assert seen["accumulators wrapped"] == 0
    assert seen["inputs saturated"] > 0


def test_what_does_not_fit_is_counted() -> None:
    network = recurrent_network("LSTM", inputs=20, hidden=30, scale=1.0)
    tight = SMALL.with_options({"headroom": 1.0})
    program = dw.compile(network, tight, calibration=np.eye(20, dtype=np.float32)[:, None])
    together = np.sign(np.random.default_rng(0).normal(0, 1, (60, 1, 20))).astype(np.float32)
    assert particulars(program.run(together))["accumulators wrapped"] > 100
    assert particulars(program.run(4 * together))["inputs saturated"] == 60 * 20


def test_products_that_are_rounded_lose_less_than_weights_of_fewer_bits() -> None:
    network, data = recurrent_network("LSTM", inputs=40, hidden=40, scale=0.2), walk(60, 40)
    errors = []
    for rounds in (True, False):
        program = dw.compile(network, SMALL.with_options({"rounds_products": rounds}), calibration=data)
        cell = program.cells["layer"].cell
        assert ((cell.shift_x, cell.shift_h) == (0, 0)) is not rounds
        errors.append(dw.measure(program.run(data)).quality.errors[0].relative_rms)
    assert errors[0] < 0.03 < errors[1]


def float_lstm(cell: Cell, x: np.ndarray) -> np.ndarray:
    h, c, said = np.zeros(cell.hidden), np.zeros(cell.hidden), []
    for frame in x:
        sums = cell.weights_x @ frame + cell.weights_h @ h + cell.bias_x + cell.bias_h
        i, f, g, o = sums.reshape(4, -1)
        c = c / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        h = np.tanh(c) / (1 + np.exp(-o))
        said.append(h)
    return np.array(said)


def test_features_of_different_size_are_scaled_by_the_host() -> None:
    sizes = np.array([256.0, 32.0, 1.0, 0.0625], np.float32)
    cell = recurrent_network("LSTM", inputs=4, hidden=20, scale=0.3).layers[0].cells[0]
    cell, x = replace(cell, weights_x=cell.weights_x / sizes), walk(60, 4)[:, 0] * sizes
    errors = []
    for scales in (True, False):
        machine = SMALL.with_options({"scales_features": scales})
        compiled = machine.compile("lstm", cell, Samples(x, None))
        errors.append(np.abs(compiled.executor().run(x)[0] - float_lstm(cell, x)).max())
    assert errors[0] < 0.05 < 0.2 < errors[1]


@pytest.mark.parametrize("op", ["GRU", "RNN"])
def test_other_cells_are_refused(op: str) -> None:
    with pytest.raises(UnsupportedError) as refused:
        dw.compile(recurrent_network(op), MUNTANIALA)
    assert str(refused.value) == (
        f"muntaniala takes no layer of model (layer: the units of its dies compute LSTM cells; there is no data path "
        f"for a {op}); choose another machine or other parameters"
    )


def test_a_layer_beyond_the_largest_array_is_refused() -> None:
    with pytest.raises(CapacityError) as refused:
        dw.compile(recurrent_network("LSTM", inputs=100, hidden=200), PROTOTYPE)
    assert str(refused.value) == (
        "layer needs 3 x 3 = 9 dies of 96 units, muntaniala-2x2 has 4; set dies, or larger units"
    )


def test_layers_that_need_more_dies_together_may_take_turns() -> None:
    network = recurrent_network("LSTM", inputs=100, hidden=100, direction="bidirectional")
    with pytest.raises(CapacityError) as refused:
        dw.compile(network, PROTOTYPE)
    assert str(refused.value) == (
        "the layers side by side need 8 dies, muntaniala-2x2 has 4; set dies, or layers=in-turn"
    )
    in_turn = PROTOTYPE.with_options({"layers": "in-turn"})
    run = dw.compile(network, in_turn, calibration=walk(8, 100)).run(walk(8, 100))
    beside = dw.compile(network, PROTOTYPE.with_options({"dies": 8}), calibration=walk(8, 100)).run(
        walk(8, 100)
    )
    assert np.array_equal(run.outputs[0]["y"], beside.outputs[0]["y"])
    assert (particulars(run)["dies"], particulars(beside)["dies"]) == (4, 8)
    assert run.timeline.cycles > 2 * beside.timeline.cycles


def test_a_tile_beyond_the_memory_of_a_die_is_refused() -> None:
    with pytest.raises(CapacityError) as refused:
        dw.compile(
            recurrent_network("LSTM", inputs=96, hidden=96), MUNTANIALA.with_options({"sram_bytes": 70_000})
        )
    assert str(refused.value) == (
        "layer needs 74.9 kB on a die, muntaniala has 70.0 kB; set sram_bytes, fewer units or fewer bits"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dies": 0}, "muntaniala: dies = 0 is out of range; it goes from 1 to 1e+08"),
        ({"weight_bits": 9}, "muntaniala: weight_bits = 9 is out of range; it goes from 2 to 8"),
        ({"voltage_v": 0.5}, "muntaniala: voltage_v = 0.5 is out of range; it goes from 0.75 to 1.24"),
        (
            {"voltage_v": 0.75, "clock_hz": 50e6},
            "muntaniala: clock_hz = 5e+07 is out of range; at 0.75 V it goes up to 2e+07; set voltage_v, or a slower "
            "clock",
        ),
        ({"link_clock_hz": 0.0}, "muntaniala: link_clock_hz = 0 is out of range; it goes from 1 to 1e+12"),
    ],
)
def test_impossible_machines(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as refused:
        MUNTANIALA.with_options(options)
    assert str(refused.value) == message


def test_non_finite_weights_are_refused() -> None:
    network = recurrent_network("LSTM")
    layer = network.layers[0]
    layer.cells[0].weights_h[3, 2] = np.inf
    with pytest.raises(OptionError) as refused:
        dw.compile(network, MUNTANIALA)
    assert str(refused.value) == (
        "layer: weights_h is inf at [3, 2], which no fixed point format holds; mend the network"
    )


def test_program_files_give_the_same_program() -> None:
    program = dw.compile(recurrent_network("LSTM", direction="bidirectional"), SMALL, calibration=walk())
    back = program_from(program_bytes(program), "p.dwp")
    assert back.listing() == program.listing()
    ours, theirs = program.run(walk(seed=3)), back.run(walk(seed=3))
    assert np.array_equal(ours.outputs[0]["y"], theirs.outputs[0]["y"])
    assert ours.timeline.cycles == theirs.timeline.cycles


@pytest.mark.parametrize(
    "name",
    ["weights_x", "weights_h", "bias", "peepholes", "formats", "numbers", "feature_shifts", "gate_values"],
)
def test_damaged_cells_are_refused(name: str) -> None:
    program = dw.compile(recurrent_network("LSTM"), SMALL)
    arrays = program.cells["layer"].arrays()
    for damage in (arrays[name][:-1], arrays[name].astype(np.float32), None):
        damaged = {**arrays, name: damage}
        if damage is None:
            del damaged[name]
        if damage is not None and damage.dtype != np.float32 and name in ("peepholes", "gate_values"):
            continue  # there are none, and a shorter table is a table, too
        with pytest.raises(ProgramError) as refused:
            restore("layer", damaged)
        assert str(refused.value).startswith("cell layer of the program file is damaged (")


@given(
    fractions=st.tuples(*[st.integers(-10, 20)] * 3, st.integers(-40, 20)),
    bits=st.tuples(st.integers(2, 9), st.integers(2, 9), st.integers(8, 33), st.integers(8, 33)),
    numbers=st.tuples(*[st.integers(-10, 60)] * 3, st.integers(0, 15), st.integers(0, 9)),
)
@settings(deadline=None, max_examples=100)
def test_formats_of_a_file_are_refused_or_run_alike(fractions: tuple, bits: tuple, numbers: tuple) -> None:
    arrays = dw.compile(recurrent_network("LSTM"), SMALL).cells["layer"].arrays()
    formats = np.array([(wide - fraction, fraction) for wide, fraction in zip(bits, fractions, strict=True)])
    try:
        cell = restore("layer", {**arrays, "formats": formats, "numbers": np.array(numbers)})
    except ProgramError:
        return
    x = walk(4)[:, 0]
    (fast, happened), (plain, expected) = (cell.executor(plain=plain).run(x) for plain in (False, True))
    assert np.array_equal(fast, plain)
    assert np.array_equal(happened, expected)


def test_weights_beyond_every_format_are_refused() -> None:
    cell = recurrent_network("LSTM").layers[0].cells[0]
    huge = replace(cell, weights_x=cell.weights_x * np.float32(1e20))
    with pytest.raises(OptionError) as refused:
        MUNTANIALA.compile("lstm", huge, Samples(None, None))
    assert str(refused.value) == (
        "lstm: the format Q72.-56 of accumulator is out of range: at most 32 bits, 40 of them before the point and 40 "
        "after it; scale the network"
    )


def test_energy_of_a_cycle_goes_through_the_published_points() -> None:
    for machine in (CHIPMUNK, MUNTANIALA):
        for point in machine.points:
            assert cycle_pj(machine.points, point.voltage_v) == pytest.approx(point.cycle_pj, rel=1e-12)
            assert fastest_hz(machine.points, point.voltage_v) == point.clock_hz


def test_what_is_not_as_built_has_no_published_power() -> None:
    network = recurrent_network("LSTM")
    as_built, other = (
        {row.basis for row in dw.compile(network, machine).run(walk()).cost.energy}
        for machine in (CHIPMUNK, SMALL)
    )
    assert as_built == {"operations, 28 nm", "published points"}
    assert other == {"operations, 28 nm"}


def test_bits_over_links() -> None:
    """Two by two dies: x into and down two columns, sums over one link a row, the new state sent once and passed on."""
    run = dw.compile(recurrent_network("LSTM", inputs=7, hidden=8), SMALL).run(walk(10, 7))
    rows = {row.name: row.bytes_moved for row in run.cost.traffic}
    sums, states = 4 * 8 * 2, 8
    assert rows["from die to die"] == 10 * (sums + 7 + states + states)
    assert rows["from and to the host"] == 10 * 7


def test_a_die_alone_sends_its_state_to_the_host_only() -> None:
    run = dw.compile(recurrent_network("LSTM", inputs=7, hidden=8), MUNTANIALA).run(walk(10, 7))
    rows = {row.name: row.bytes_moved for row in run.cost.traffic}
    assert rows["from die to die"] == 0
    assert rows["from and to the host"] == 10 * (7 + 8)


def test_the_report_tells_the_power_of_the_prototype() -> None:
    network = recurrent_network("LSTM", inputs=192, hidden=192, scale=0.1)
    seen = particulars(dw.compile(network, PROTOTYPE).run(walk(200, 192)))
    assert seen["power of dies"] == pytest.approx(4 * 10e6 * PROTOTYPE.points[0].cycle_pj * 1e-12)
    assert seen["power of dies"] + seen["power of links, host included"] == pytest.approx(9.0e-3, rel=0.01)


def test_dies_that_wait_may_take_less() -> None:
    network, data = recurrent_network("LSTM", inputs=192, hidden=192, scale=0.1), walk(50, 192)
    always, gated = (
        particulars(dw.compile(network, PROTOTYPE.with_options({"waiting_share": share})).run(data))
        for share in (1.0, 0.0)
    )
    ratio = gated["power of dies"] / always["power of dies"]
    assert ratio == pytest.approx(768 * 50 / dw.compile(network, PROTOTYPE).run(data).timeline.cycles)

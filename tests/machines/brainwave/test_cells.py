"""Compiled cells: their programs against scalar equations, the kernels, the float network; limits; saved arrays."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import CapacityError, OptionError, ProgramError
from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.encoding import decode, encode
from deltawave.machines.brainwave.listing import parse
from deltawave.machines.brainwave.restore import restore
from deltawave.network.layers import Cell
from machines.brainwave.cells import SmallMachine, cells, compiled, frames, random_cell
from machines.brainwave.scalar_cells import ScalarCell
from network.float_twin import run_cell

KINDS = [("lstm", {}), ("lstm", {"peepholes": True}), ("gru", {}), ("gru", {"reset": "before"}), ("rnn", {})]


@settings(deadline=None, max_examples=40)
@given(cells(), st.integers(1, 5), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_programs_compute_the_stated_equations(cell: Cell, native: int, bits: int, seed: int) -> None:
    """Native dimensions that do not divide the sizes fill up without a trace: the scalar model has no padding."""
    executor = compiled(SmallMachine(native, bits), cell).executor(plain=True)
    x = frames(3, cell.inputs, seed)
    scalar = ScalarCell(cell, native, bits)
    h, activity = executor.run(x)
    expected = [list(scalar.step(step)) for step in x.astype(np.float16).tolist()]
    assert np.array_equal(h, expected, equal_nan=True)
    assert np.array_equal(executor.final(), [scalar.h, scalar.c], equal_nan=True)
    assert activity.tolist() == [[True]] * 3


@settings(deadline=None, max_examples=40)
@given(cells(), st.integers(1, 5), st.integers(2, 5), st.integers(0, 2**32 - 1))
def test_kernels_give_the_same_bits(cell: Cell, native: int, bits: int, seed: int) -> None:
    brainwave = compiled(SmallMachine(native, bits), cell)
    plain, native_executor = brainwave.executor(plain=True), brainwave.executor()
    h0, c0 = frames(2, cell.hidden, seed)
    for executor in (plain, native_executor):
        executor.reset(h0, c0)
    x = frames(4, cell.inputs, seed)
    for part in (x[:1], x[1:]):
        assert np.array_equal(plain.run(part)[0], native_executor.run(part)[0], equal_nan=True)
    assert np.array_equal(plain.final(), native_executor.final(), equal_nan=True)


@pytest.mark.parametrize(("kind", "changes"), KINDS)
def test_the_error_against_the_float_cell_stays_below_a_bound_that_halves_with_each_bit(
    kind: str, changes: dict[str, object]
) -> None:
    cell, x = random_cell(kind, 24, 32, 1, **changes), frames(20, 24, 2)
    zeros = np.zeros((1, 32))
    exact = run_cell(cell, x[:, None].astype(np.float64), zeros, zeros)[0][:, 0]
    errors = []
    for bits in (2, 3, 4, 5):
        h, _ = compiled(SmallMachine(16, bits), cell).executor(plain=True).run(x)
        errors.append(np.sqrt(np.mean((h - exact) ** 2) / np.mean(exact**2)))
        assert errors[-1] < 2.5 * 2.0**-bits  # the factor is what these cells need, with a tenth to spare
    assert errors == sorted(errors, reverse=True)


@settings(deadline=None, max_examples=20)
@given(cells(), st.integers(1, 5))
def test_cells_are_legal_programs_that_list_encode_and_restore(cell: Cell, native: int) -> None:
    brainwave = compiled(SmallMachine(native), cell)
    check(brainwave.program, SmallMachine.limits)
    assert parse(brainwave.listing()) == brainwave.program
    assert decode(encode(brainwave.program)) == brainwave.program
    again = restore("layer", brainwave.arrays())
    x = frames(2, cell.inputs, 5)
    assert np.array_equal(
        again.executor(plain=True).run(x)[0], brainwave.executor(plain=True).run(x)[0], equal_nan=True
    )
    assert again.listing() == brainwave.listing()


def test_resetting_forgets_everything() -> None:
    executor = compiled(SmallMachine(), random_cell("lstm", 5, 6, 7, peepholes=True)).executor(plain=True)
    x = frames(3, 5, 8)
    first, _ = executor.run(x)
    executor.reset(None, None)
    assert np.array_equal(executor.run(x)[0], first)


def test_inputs_beyond_float16_are_infinities_that_the_products_take_as_the_largest_number() -> None:
    executor = compiled(SmallMachine(), random_cell("rnn", 4, 4, 9)).executor(plain=True)
    huge, _ = executor.run(np.full((1, 4), 1e30, np.float32))
    executor.reset(None, None)
    assert np.array_equal(executor.run(np.full((1, 4), 65504, np.float32))[0], huge)


def small(**entries: int) -> SmallMachine:
    return SmallMachine(limits=replace(SmallMachine.limits, **entries))


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (small(mfus=1), "layer needs 2 MFUs, BW_SMALL has 1; set more mfus"),
        (
            small(mrf_entries=31),
            "layer needs 32 tiles of 4 x 4 in MatrixRf, BW_SMALL has 31; choose a larger machine or a smaller layer",
        ),
        (
            small(add_sub_vrf_entries=15),
            "layer needs 16 vectors of 4 in AddSubVrf.0, BW_SMALL has 15; "
            "set more add_sub_vrf_entries, choose a larger machine or a smaller layer",
        ),
        (
            small(initial_vrf_entries=5),
            "layer needs 6 vectors of 4 in InitialVrf, BW_SMALL has 5; "
            "set more initial_vrf_entries, choose a larger machine or a smaller layer",
        ),
    ],
)
def test_cells_that_do_not_fit(machine: SmallMachine, message: str) -> None:
    with pytest.raises(CapacityError) as error:
        compiled(machine, random_cell("lstm", 7, 8, 0))
    assert str(error.value) == message


def test_tiles_are_counted_with_their_padding() -> None:
    assert compiled(SmallMachine(), random_cell("gru", 9, 5, 0)).tiles == 3 * (2 * 3 + 2 * 2)


@pytest.mark.parametrize(("part", "what"), [("weights_h", "weight"), ("bias_x", "bias")])
def test_weights_beyond_float16_are_refused(part: str, what: str) -> None:
    cell = random_cell("gru", 2, 3, 0)
    with pytest.raises(OptionError) as error:
        compiled(SmallMachine(), replace(cell, **{part: np.full_like(getattr(cell, part), 70000)}))
    value = 70000 + (what == "bias") * float(cell.bias_h[:6].max())
    assert str(error.value) == (
        f"layer: a {what} of {value:g} is beyond float16, which holds up to 65504; scale the layer"
    )


@pytest.mark.parametrize(
    ("part", "value", "why"),
    [
        ("kind", np.array("qrnn"), "ValueError('there is no cell qrnn')"),
        (
            "activations",
            np.array(["sigmoid", "tanh", "sine"]),
            "ValueError('gate, candidate and output cannot be sigmoid, tanh, sine')",
        ),
        ("bias", np.zeros((4, 6), np.float32), "ValueError('bias is float32 (4, 6)')"),
        ("mantissas_x", np.full((24, 2, 4), 99, np.int8), "ValueError('weights_x are not of the format')"),
        ("program", np.zeros(8, np.uint8), "ValueError('program is uint8 (8,)')"),
    ],
)
def test_damaged_arrays_are_refused(part: str, value: np.ndarray, why: str) -> None:
    arrays = compiled(SmallMachine(), random_cell("lstm", 5, 6, 0)).arrays()
    with pytest.raises(ProgramError) as error:
        restore("layer", {**arrays, part: value})
    assert str(error.value) == f"cell layer of the program file is damaged ({why}); compile the network again"


def test_altered_instructions_are_refused() -> None:
    arrays = compiled(SmallMachine(), random_cell("lstm", 5, 6, 0)).arrays()
    code = arrays["program"].copy()
    code[-1] ^= 1
    with pytest.raises(ProgramError) as error:
        restore("layer", {**arrays, "program": code})
    assert str(error.value) == (
        "cell layer of the program file is damaged (ValueError('its instructions are not those of the cell')); "
        "compile the network again"
    )

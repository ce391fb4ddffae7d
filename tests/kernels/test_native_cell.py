"""The native cell's edges: formats at their limits, every entry of a table, memory, threads, refusals."""

import gc
import os
import subprocess
import sys
import threading
from dataclasses import replace

import numpy as np
import pytest

from deltawave.errors import DeltawaveError, InputError, OptionError
from deltawave.kernels.cell import CellKind, CellState, QuantisedCell
from deltawave.kernels.native import NativeCell
from deltawave.numerics import ActivationTable, Fixed
from kernels.random_cells import TABLES, Case, assert_same_state, meaning, random_cell

ALL_VALUES = np.arange(-32768, 32768).astype(np.int16)


def cell_of(kind: CellKind = "gru", inputs: int = 3, hidden: int = 5) -> QuantisedCell:
    return random_cell(np.random.default_rng(0), kind, inputs, hidden)


@pytest.mark.parametrize("table", [table for pair in TABLES for table in pair], ids=lambda table: table.name)
def test_every_entry_of_a_table_is_found(table: ActivationTable) -> None:
    """An RNN of one unit whose weight is 1 looks its input up."""
    cell = random_cell(np.random.default_rng(0), "rnn", 1, 1, weight_fraction_bits=0, tables=(table, table))
    looks_up = replace(
        cell,
        weights_x=np.ones((1, 1), np.int16),
        weights_h=np.zeros((1, 1), np.int16),
        bias=np.zeros(1, np.int32),
    )
    hs, _ = NativeCell(looks_up).run(ALL_VALUES[:, None])
    assert np.array_equal(hs[:, 0], table(ALL_VALUES))


@pytest.mark.parametrize("kind", ["gru", "gru_before", "lstm", "rnn"])
def test_the_widest_moves_and_weights_wrap_as_the_semantics_do(kind: CellKind) -> None:
    rng = np.random.default_rng(7)
    cell = random_cell(rng, kind, 40, 20, weight_bits=16, weight_fraction_bits=14, accumulator_bits=24)
    case = Case(cell, np.where(rng.random((20, 40)) < 0.5, -32768, 32767).astype(np.int16))
    hs, _, state = meaning(case)
    native = NativeCell(cell)
    assert np.array_equal(native.run(case.xs)[0], hs)
    assert_same_state(native, state)
    wider, _, _ = meaning(case, replace(cell, accumulator_bits=32))
    assert not np.array_equal(hs, wider), "the accumulators never wrapped"


@pytest.mark.parametrize("kind", ["gru", "gru_before", "lstm", "rnn"])
def test_saturation_column_by_column(kind: CellKind) -> None:
    rng = np.random.default_rng(8)
    cell = random_cell(rng, kind, 40, 70, accumulator_bits=16, saturates=True)
    case = Case(cell, rng.integers(-300, 300, (40, 40)).astype(np.int16))
    hs, _, state = meaning(case)
    for mode in ("delta", "dense"):
        native = NativeCell(cell, mode=mode, threads=2)
        assert np.array_equal(native.run(case.xs)[0], hs)
        assert_same_state(native, state)
    wider, _, _ = meaning(case, replace(cell, accumulator_bits=32))
    assert not np.array_equal(hs, wider), "the accumulators never saturated"


def test_rows_of_any_layout_are_taken() -> None:
    cell = cell_of()
    xs = np.random.default_rng(1).integers(-500, 500, (12, 3))
    wanted, _ = NativeCell(cell).run(xs.astype(np.int16))
    for same in (np.asfortranarray(xs), np.repeat(xs, 2, axis=1)[:, ::2], xs.astype(np.int32)):
        assert np.array_equal(NativeCell(cell).run(same)[0], wanted)


def test_no_sent_pattern_unless_wanted() -> None:
    assert NativeCell(cell_of()).run(np.zeros((2, 3), np.int16), sent=False)[1] is None


def test_views_outlive_their_cell() -> None:
    native = NativeCell(cell_of())
    x, h, sent = native.x, native.h, native.sent
    del native
    gc.collect()
    x[:] = 7
    assert list(x) == [7, 7, 7]
    assert list(h) == [0] * 5
    assert list(sent) == [False] * 8
    for view in (h, sent):
        with pytest.raises(ValueError, match="read-only"):
            view[0] = 1


def test_one_cell_for_many_threads_is_refused_or_right() -> None:
    """Whatever the interpreter makes of it: each run is whole or refused."""
    cell = random_cell(np.random.default_rng(2), "lstm", 200, 200)
    native, xs = NativeCell(cell), np.zeros((200, 200), np.int16)
    problems: list[str] = []
    finished: list[int] = []

    def work() -> None:
        for _ in range(10):
            try:
                finished.append(len(native.run(xs, sent=False)[0]))
            except DeltawaveError as problem:
                problems.append(str(problem))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(finished) + len(problems) == 40
    assert set(finished) == {200}
    assert set(problems) <= {"this cell is at work in another thread; give every thread its own NativeCell"}


@pytest.mark.parametrize(
    ("xs", "message"),
    [
        (np.zeros(3, np.int16), "xs is an array [steps, 3] of integers, got the shape [3]"),
        (np.zeros((2, 4), np.int16), "xs is an array [steps, 3] of integers, got the shape [2, 4]"),
        (np.zeros((2, 3)), "xs is an array [steps, 3] of integers, got float64; quantise it first"),
        (np.full((1, 3), 40000), "xs holds 16-bit integers, got values from 40000 to 40000"),
    ],
)
def test_inputs_that_are_refused(xs: np.ndarray, message: str) -> None:
    with pytest.raises(InputError) as problem:
        NativeCell(cell_of()).run(xs)
    assert str(problem.value) == message


def test_states_that_are_refused() -> None:
    native, state = NativeCell(cell_of()), CellState.initial(cell_of())
    with pytest.raises(InputError) as problem:
        native.load(replace(state, memory=np.zeros(3, np.int32)))
    assert str(problem.value) == "memory is an array [20] of integers, got the shape [3]"
    with pytest.raises(InputError) as problem:
        native.load(replace(state, h=np.full(5, -32769, np.int32)))
    assert str(problem.value) == "h holds 16-bit integers, got values from -32769 to -32769"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"activation": Fixed(9, 8)},
            "native cells have 2 to 16 activation bits, this gru has 17; run its semantics",
        ),
        (
            {"accumulator_bits": 33},
            "native cells have 2 to 32 accumulator bits, this gru has 33; run its semantics",
        ),
        (
            {"weight_fraction_bits": -1},
            "native cells have 0 to 31 weight fraction bits, this gru has -1; run its semantics",
        ),
    ],
)
def test_formats_that_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as problem:
        NativeCell(replace(cell_of(), **change))
    assert str(problem.value) == message


def test_options_that_are_refused() -> None:
    with pytest.raises(OptionError) as problem:
        NativeCell(cell_of(), mode="sparse")  # type: ignore[arg-type]
    assert str(problem.value) == "a native cell's mode is delta or dense, not 'sparse'"
    with pytest.raises(OptionError) as problem:
        NativeCell(cell_of(), threads=0)
    assert str(problem.value) == "a native cell runs on 1 to 64 threads, not 0"
    with pytest.raises(OptionError) as problem:
        NativeCell(cell_of(), simd="sse")
    assert str(problem.value) == "the vector instructions are scalar, avx2 or avx512, not 'sse'"


def python_with_simd(name: str) -> subprocess.CompletedProcess[str]:
    code = """
import numpy
from kernels.random_cells import random_cell
from deltawave.kernels.native import NativeCell
print(NativeCell(random_cell(numpy.random.default_rng(0), "rnn", 1, 1)).simd)
"""
    environment = {
        **os.environ,
        "DELTAWAVE_SIMD": name,
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )


def test_the_environment_chooses_the_vector_instructions() -> None:
    assert python_with_simd("scalar").stdout == "scalar\n"
    misspelt = python_with_simd("avx3").stderr.splitlines()[-1]
    assert misspelt == (
        "deltawave.errors.OptionError: the vector instructions (DELTAWAVE_SIMD) are scalar, avx2 or avx512, not 'avx3'"
    )

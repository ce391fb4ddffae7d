"""Programs linked for one device compute what each computes on its own."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.compiled import BrainwaveCell
from deltawave.machines.brainwave.isa import Memory
from deltawave.machines.brainwave.linking import link
from deltawave.machines.brainwave.semantics import Interpreter, Tiles
from deltawave.network.layers import Cell
from machines.brainwave.cells import SmallMachine, cells, compiled, frames

MACHINE = SmallMachine(native_dim=4, mantissa_bits=4)


def load(npu: Interpreter, parts: list[BrainwaveCell]) -> None:
    zeros = [np.zeros(part.cell.hidden, np.float16) for part in parts]
    npu.state.load_dram(
        np.concatenate([part.dram_vectors(zero, zero) for part, zero in zip(parts, zeros, strict=True)]),
        Tiles.joined([part.dram_tiles() for part in parts]),
    )


def padded(x: np.ndarray) -> np.ndarray:
    vectors = np.zeros((-(-len(x) // MACHINE.native_dim), MACHINE.native_dim), np.float16)
    vectors.reshape(-1)[: len(x)] = x
    return vectors


@settings(deadline=None, max_examples=20)
@given(st.lists(cells(), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_linked_programs_compute_what_each_computes(drawn: list[Cell], seed: int) -> None:
    parts = [compiled(MACHINE, cell) for cell in drawn]
    program = link([part.program for part in parts])
    check(program, MACHINE.limits)
    npu = Interpreter(program, parts[0].cell.format)
    load(npu, parts)
    npu.run("preamble")
    inputs = [frames(3, cell.inputs, seed) for cell in drawn]
    alone = [part.executor(plain=True).run(x)[0] for part, x in zip(parts, inputs, strict=True)]
    for t in range(3):
        npu.state.arriving.extend(vector for x in inputs for vector in padded(x[t]))
        npu.run("body")
        sent = np.concatenate([padded(h[t]).ravel() for h in alone])
        assert np.array_equal(npu.state.take_outputs(), sent, equal_nan=True)


@settings(deadline=None, max_examples=20)
@given(st.lists(cells(), min_size=1, max_size=3))
def test_linked_programs_need_the_sum_of_all_tiles(drawn: list[Cell]) -> None:
    parts = [compiled(MACHINE, cell) for cell in drawn]
    used = link([part.program for part in parts]).entries_used()
    assert used[Memory.MATRIX_RF, 0, True] == sum(part.tiles for part in parts)

"""Programs linked for one device compute what each computes on its own."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.compiled import BrainwaveCell
from deltawave.machines.brainwave.isa import BwProgram, Memory
link = None
from deltawave.machines.brainwave.listing import listing, parse
from deltawave.machines.brainwave.semantics import Interpreter, Tiles
from deltawave.network.layers import Cell
from deltawave.numerics.block_float import BlockFloat
from machines.brainwave.cells import SmallMachine, cells, compiled, frames
from machines.brainwave.random_programs import ENTRIES, LIMITS, NATIVE, TILES, programs

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


FEW = st.lists(programs(), min_size=1, max_size=3)
NUMBER = BlockFloat(3, NATIVE)
MEMORIES = ("mrf", "initial_vrf", "add_sub_vrf", "multiply_vrf")


def started(program: BwProgram, vectors: np.ndarray, tiles: Tiles) -> Interpreter:
    npu = Interpreter(program, NUMBER)
    npu.state.load_dram(vectors, tiles)
    npu.run("preamble")
    return npu


def stepped(npu: Interpreter, arriving: np.ndarray) -> np.ndarray:
    npu.state.arriving.extend(arriving)
    npu.run("body")
    return npu.state.take_outputs()


@settings(deadline=None, max_examples=50)
@given(FEW, st.integers(0, 2**32 - 1))
def test_linked_programs_with_windows_send_what_each_sends(parts: list[BwProgram], seed: int) -> None:
    rng = np.random.default_rng(seed)
    linked = link(parts)
    check(linked, replace(LIMITS, **{f"{name}_entries": 4 * len(parts) * ENTRIES for name in MEMORIES}))
    vectors = rng.normal(size=(len(parts), ENTRIES, NATIVE)).astype(np.float16)
    mantissas = rng.integers(-7, 8, (len(parts), TILES, NATIVE, NATIVE)).astype(np.int8)
    exponents = rng.integers(-3, 1, (len(parts), TILES, NATIVE)).astype(np.int8)
    tiles = [Tiles(*pair) for pair in zip(mantissas, exponents, strict=True)]
    alone = [started(*of) for of in zip(parts, vectors, tiles, strict=True)]
    together = started(linked, np.concatenate(vectors), Tiles.joined(tiles))
    for _ in range(2):
        arriving = [rng.normal(size=(part.vectors_per_step, NATIVE)).astype(np.float16) for part in parts]
        sent = [stepped(npu, own) for npu, own in zip(alone, arriving, strict=True)]
        assert np.array_equal(
            stepped(together, np.concatenate(arriving)), np.concatenate(sent), equal_nan=True
        )


def test_windows_follow_one_another_and_end_with_their_program() -> None:
    window = "window native=3 height=1 width=1 channels=1\n"
    code = "  s_wr window 0\n  s_wr window 1\n"
    program = parse(f"{window}preamble\nbody\n{code}")
    assert link([program]) == program
    assert listing(link([program, program])) == (
        f"{window}{window}preamble\nbody\n{code}  s_wr window 0\n  s_wr window 0\n  s_wr window 2\n"
    )

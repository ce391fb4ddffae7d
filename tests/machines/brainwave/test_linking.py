"""Programs put behind one another on one device compute what each computes on its own."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.machines.brainwave.assembler import Assembled
from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.isa import BwProgram, Memory, Space
from deltawave.machines.brainwave.linking import side_by_side
from deltawave.machines.brainwave.listing import listing, parse
from deltawave.machines.brainwave.semantics import Interpreter, Tiles
from deltawave.network.layers import Cell
from deltawave.numerics.block_float import BlockFloat
from machines.brainwave.cells import SmallMachine, cells, compiled, frames, random_cell
from machines.brainwave.interpreted import on_one_device
from machines.brainwave.random_programs import ENTRIES, LIMITS, NATIVE, TILES, programs

MACHINE = SmallMachine(native_dim=4, mantissa_bits=4)


def one_behind_another(parts: Sequence[Assembled]) -> list[Assembled]:
    """Programs all of whose entries stay."""
    return side_by_side([replace(part, stays=part.program.entries_used()) for part in parts])


def padded(x: np.ndarray) -> np.ndarray:
    vectors = np.zeros((-(-len(x) // MACHINE.native_dim), MACHINE.native_dim), np.float16)
    vectors.reshape(-1)[: len(x)] = x
    return vectors


@settings(deadline=None, max_examples=20)
@given(st.lists(cells(), min_size=1, max_size=3), st.integers(0, 2**32 - 1))
def test_programs_behind_one_another_compute_what_each_computes(drawn: list[Cell], seed: int) -> None:
    parts = [compiled(MACHINE, cell) for cell in drawn]
    moved = one_behind_another([part.assembled for part in parts])
    npus = on_one_device([one.program for one in moved], parts[0].cell.format)
    for npu, part, assembled in zip(npus, parts, moved, strict=True):
        check(assembled.program, MACHINE.limits)
        vectors, tiles = part.vectors_in_dram(), part.tiles_in_dram()
        for ((memory, _, of_tiles), name), (index, entries) in assembled.places.items():
            if memory is Memory.DRAM:
                held = npu.state.tiles[memory] if of_tiles else npu.state.vectors[memory, 0]
                held[index : index + entries] = (tiles if of_tiles else vectors)[name]
    for npu in npus:
        npu.run("preamble")
    inputs = [frames(3, cell.inputs, seed) for cell in drawn]
    alone = [part.executor(plain=True).run(x)[0] for part, x in zip(parts, inputs, strict=True)]
    for t in range(3):
        for npu, x, h in zip(npus, inputs, alone, strict=True):
            assert np.array_equal(stepped(npu, padded(x[t])), padded(h[t]).ravel(), equal_nan=True)


@settings(deadline=None, max_examples=20)
@given(st.lists(cells(), min_size=1, max_size=3))
def test_programs_behind_one_another_need_the_sum_of_all_entries(drawn: list[Cell]) -> None:
    parts = [compiled(MACHINE, cell) for cell in drawn]
    used = one_behind_another([part.assembled for part in parts])[-1].program.entries_used()
    assert used[Memory.MATRIX_RF, 0, True] == sum(part.tiles for part in parts)
    spaces = parts[-1].program.entries_used()
    sums = {space: sum(part.program.entries_used().get(space, 0) for part in parts) for space in spaces}
    assert {space: used[space] for space in spaces} == sums


def stepped(npu: Interpreter, arriving: np.ndarray) -> np.ndarray:
    npu.state.arriving.extend(arriving)
    npu.run("body")
    return npu.state.take_outputs()


FEW = st.lists(programs(), min_size=1, max_size=3)
NUMBER = BlockFloat(3, NATIVE)
MEMORIES = ("mrf", "initial_vrf", "add_sub_vrf", "multiply_vrf")


@settings(deadline=None, max_examples=50)
@given(FEW, st.integers(0, 2**32 - 1))
def test_programs_with_windows_behind_one_another_send_what_each_sends(
    parts: list[BwProgram], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    moved = [one.program for one in one_behind_another([Assembled(part, {}) for part in parts])]
    limits = replace(LIMITS, **{f"{name}_entries": 4 * len(parts) * ENTRIES for name in MEMORIES})
    vectors = rng.normal(size=(len(parts), ENTRIES, NATIVE)).astype(np.float16)
    mantissas = rng.integers(-7, 8, (len(parts), TILES, NATIVE, NATIVE)).astype(np.int8)
    exponents = rng.integers(-3, 1, (len(parts), TILES, NATIVE)).astype(np.int8)
    tiles = [Tiles(*pair) for pair in zip(mantissas, exponents, strict=True)]
    alone, together = [Interpreter(part, NUMBER) for part in parts], on_one_device(moved, NUMBER)
    together[-1].state.load_dram(np.concatenate(vectors), Tiles.joined(tiles))
    for program, npu, *held in zip(moved, alone, vectors, tiles, strict=True):
        check(program, limits)
        npu.state.load_dram(*held)
    for npu in (*alone, *together):
        npu.run("preamble")
    for _ in range(2):
        for part, one, other in zip(parts, alone, together, strict=True):
            arriving = rng.normal(size=(part.vectors_per_step, NATIVE)).astype(np.float16)
            assert np.array_equal(stepped(one, arriving), stepped(other, arriving), equal_nan=True)


def test_nothing_before_it_leaves_a_program_as_it_is() -> None:
    assembled = compiled(MACHINE, random_cell("lstm", 5, 6, 0)).assembled
    assert side_by_side([assembled]) == [assembled]


def test_every_index_grows_by_what_its_memory_holds_before() -> None:
    code = """
        dram_vectors 1
        preamble
        body
          s_wr rows 1
          s_wr cols 1
          v_rd DRAM 0
          vv_add 3
          vv_add 4
          v_wr InitialVrf 1
          v_wr AddSubVrf.1 2
          v_wr NetQ
          end_chain
    """
    used = {
        (Memory.DRAM, 0, False): 7,
        (Memory.DRAM, 0, True): 5,
        (Memory.ADD_SUB_VRF, 0, False): 10,
        (Memory.ADD_SUB_VRF, 1, False): 20,
    }
    first = Assembled(parse("preamble\nbody\n"), {}, used)
    second = Assembled(parse(code), {((Memory.ADD_SUB_VRF, 1, False), "a"): (2, 1)})
    _, moved = side_by_side([first, replace(second, stays=second.program.entries_used())])
    assert listing(moved.program).split("body\n")[1].split("\n")[2:-2] == [
        "  v_rd DRAM 7",
        "  vv_add 13",
        "  vv_add 24",
        "  v_wr InitialVrf 1",
        "  v_wr AddSubVrf.1 22",
        "  v_wr NetQ",
    ]
    assert (moved.program.dram_vectors, moved.program.dram_tiles) == (8, 5)
    assert moved.places == {((Memory.ADD_SUB_VRF, 1, False), "a"): (22, 1)}


def test_what_is_needed_within_a_step_only_shares_its_place() -> None:
    code = """
        preamble
        body
          s_wr rows 1
          s_wr cols 1
          v_rd InitialVrf 0
          v_wr InitialVrf 2
          v_wr NetQ
          end_chain
    """
    initial: Space = (Memory.INITIAL_VRF, 0, False)
    parts = [Assembled(parse(code), {(initial, "a"): (2, 1)}, {initial: stays}) for stays in (1, 2)]
    first, second = side_by_side(parts)
    assert [listing(one.program).split("\n")[4:6] for one in (first, second)] == [
        ["  v_rd InitialVrf 0", "  v_wr InitialVrf 4"],
        ["  v_rd InitialVrf 1", "  v_wr InitialVrf 3"],
    ]
    shared = side_by_side(parts, shared=[initial])
    assert [one.places[initial, "a"] for one in shared] == [(1, 1), (0, 1)]

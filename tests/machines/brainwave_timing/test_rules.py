"""The rules in `timing`, one by one, counted by hand."""

from dataclasses import replace

import pytest

from deltawave.machines.brainwave import timing
from deltawave.machines.brainwave.assembler import Assembled
from deltawave.machines.brainwave.cell_programs import CellShape
from deltawave.machines.brainwave.device import DeviceProgram
from deltawave.machines.brainwave.grouping import Resident
from deltawave.machines.brainwave.isa import BwProgram
from deltawave.machines.brainwave.listing import listing, parse
from deltawave.machines.brainwave.machine import BW_S10, Brainwave
from deltawave.machines.brainwave.plan import Loop

NPU = replace(
    BW_S10,
    native_dim=8,
    lanes=4,  # a tile takes 2 cycles
    tile_engines=2,
    mfu_lanes=4,  # a vector takes 2 cycles
    issue_cycles=1,
    loop_cycles=0,
    invocation_cycles=0,
    dispatch_cycles=5,
    read_cycles=1,
    multiply_cycles=1,
    adder_cycles=1,
    accumulate_cycles=1,
    reduction_extra_cycles=1,  # 7 in the MVM: 1, 1, two levels of lanes, 1, one level of engines and 1
    mfu_operation_cycles=3,
    write_back_cycles=4,
)
MVM = 7
WRITTEN = 2 - 1 + 4  # from the first element of a vector coming in to the last one being readable


def program(*chains: str, rows: int = 1, cols: int = 1, windows: str = "") -> BwProgram:
    """A body of chains; the first comes behind two or three s_wr."""
    lines = "\n".join(f"{chain.replace(';', chr(10))}\nend_chain" for chain in chains)
    registers = f"s_wr rows {rows}\ns_wr cols {cols}\n" + ("s_wr window 1\n" if windows else "")
    return parse(f"{windows}\npreamble\nbody\n{registers}{lines}")


def ends(machine: Brainwave, code: BwProgram, steps: int = 1) -> list[int]:
    """When each step is over."""
    return timing.part(machine, "by hand", code, steps).step_cycles.cumsum().tolist()


COPY = program("v_rd NetQ; v_wr NetQ")  # 5 instructions


def test_the_scalar_core_issues_one_instruction_after_another_whatever_the_pipeline_does() -> None:
    slow = replace(NPU, issue_cycles=10, loop_cycles=100, invocation_cycles=1000)
    first = 1000 + 100 + 50 + 5 + WRITTEN
    assert ends(slow, COPY, 3) == [first, first + 150, first + 300]


def test_a_chain_waits_for_what_it_reads() -> None:
    first = 5 + 5 + WRITTEN
    waits = program("v_rd NetQ; v_wr InitialVrf 0", "v_rd InitialVrf 0; v_wr NetQ")
    assert ends(NPU, waits) == [first + 5 + WRITTEN]
    does_not = program("v_rd NetQ; v_wr InitialVrf 0", "v_rd InitialVrf 1; v_wr NetQ")
    assert ends(NPU, does_not) == [8 + 5 + WRITTEN]


def test_one_chain_is_dispatched_a_cycle() -> None:
    at_once = replace(NPU, issue_cycles=1, write_back_cycles=1, mfu_lanes=16)
    # both are issued long before h of the step before is there; then one goes a cycle later
    code = program("v_rd InitialVrf 0; v_wr NetQ", "v_rd InitialVrf 0; v_wr InitialVrf 0")
    first, second = ends(replace(at_once, dispatch_cycles=50), code, 2)
    assert first == 8 + 50 + 1
    assert second == first + 1 + 50 + 1


@pytest.mark.parametrize(
    ("shares_windows", "windows", "cycles"),
    [(False, 1, 6), (False, 3, 18), (True, 1, 12), (True, 2, 12), (True, 3, 24)],
)
def test_products_hold_the_engines(shares_windows: bool, windows: int, cycles: int) -> None:
    """6 tiles on 2 engines: 3 rounds of 2 cycles a window, or 6 for every 2 windows."""
    machine = replace(NPU, shares_windows=shares_windows)
    window = f"window native=8 height=1 width={windows} channels=16 columns={windows}"
    code = program("v_rd InitialVrf 0; mv_mul 0; v_wr NetQ", rows=3, cols=2, windows=window)
    assert timing.part(machine, "by hand", code, 5).busy_cycles["MVM"] == 5 * cycles


def test_vectors_stream_on_as_their_rows_of_tiles_are_done() -> None:
    # after 2, 4 and 6 cycles, and each takes the next unit 2 cycles: the first need not wait
    code = program("v_rd InitialVrf 0; mv_mul 0; v_wr NetQ", rows=3, cols=2)
    assert ends(NPU, code) == [6 + 5 + 2 + MVM + 3 * 2 - 1 + 4]


def test_the_first_vector_waits_so_that_the_last_is_in_time() -> None:
    # after 4, 8 and 12 cycles: the last comes in 4 cycles behind the first
    code = program("v_rd InitialVrf 0; mv_mul 0; v_wr NetQ", rows=3, cols=4)
    assert ends(NPU, code) == [6 + 5 + 12 - 4 + MVM + 3 * 2 - 1 + 4]


def test_the_first_vector_waits_so_that_one_in_the_middle_is_in_time() -> None:
    # 4, 8 and 12 tiles on 6 engines are done after 2, 4 and 4 cycles, and a vector takes 1 cycle
    machine = replace(NPU, tile_engines=6, mfu_lanes=8)
    code = program("v_rd InitialVrf 0; mv_mul 0; v_wr NetQ", rows=3, cols=4)
    assert ends(machine, code) == [6 + 5 + 4 - 1 + machine.mvm_cycles + 3 - 1 + 4]


def test_operations_delay_the_first_vector_and_mfus_follow_one_another() -> None:
    code = program("v_rd InitialVrf 0; vv_add 0; v_relu; vv_add 0; v_wr NetQ")
    assert ends(NPU, code) == [8 + 5 + 3 * 3 + WRITTEN]
    busy = timing.part(NPU, "by hand", code, 5).busy_cycles
    assert (busy["MFU0"], busy["MFU1"], busy["MVM"], busy["VRF"]) == (10, 10, 0, 10)


def test_tiles_are_loaded_once_they_are_not_in_use_and_used_once_they_are_there() -> None:
    machine = replace(NPU, dram_bytes_per_cycle=10)
    use, load = "v_rd InitialVrf 0; mv_mul 0; v_wr NetQ", "m_rd DRAM 0; m_wr MatrixRf 0"
    window = "window native=8 height=1 width=50 channels=8 columns=50"
    cycles = 3  # a tile has 8 * (8 * 3 + 5) bits, 29 bytes
    # the use is issued after 7 and the load after 11 (s_wr window 0 in between); 50 windows hold the MVM for 100
    registers = "s_wr rows 1\ns_wr cols 1\ns_wr window 1\n"
    chains = [use, "s_wr window 0;" + load, use]
    lines = "\n".join(f"{chain.replace(';', chr(10))}\nend_chain" for chain in chains)
    code = parse(f"dram_tiles 1\n{window}\npreamble\nbody\n{registers}{lines}")
    loaded = 7 + 5 + 100 + cycles
    assert ends(machine, code) == [loaded + 5 + 2 + MVM + WRITTEN]
    assert timing.part(machine, "by hand", code, 4).busy_cycles["DRAM"] == 4 * cycles
    elsewhere = parse(listing(code).replace("MatrixRf 0", "MatrixRf 1"))
    # nothing waits for the load: the last product follows when the 50 vectors of the first have streamed out
    assert ends(machine, elsewhere) == [7 + 5 + 2 + MVM + 50 * 2 + WRITTEN]


def loop_of(programs: dict[int, DeviceProgram]) -> Loop:
    shape = CellShape("rnn", 1, 1, ("tanh", "tanh", "tanh"))
    return Loop((Resident("a", shape), Resident("b", shape)), programs)


def test_what_another_device_needs_takes_the_link_and_a_hop() -> None:
    machine = replace(NPU, clock_hz=250e6, hop_ns=100.0, link_gbit_per_s=4.0)  # 25 cycles; 16 bits a cycle
    programs = {
        0: DeviceProgram(("a",), Assembled(COPY, {}), ("",), ("a",)),
        1: DeviceProgram(("b",), Assembled(COPY, {}), ("a",), ("b",)),
    }
    part = timing.loop_part(machine, loop_of(programs), 3)
    written = 8 + 5 + WRITTEN  # the input, too, takes 8 cycles to come in
    first = written + 8 + 25 + 5 + WRITTEN
    # steps of the first device end every 5 cycles, but the link takes 8 for each
    assert part.step_cycles.cumsum().tolist() == [first, first + 8, first + 16]
    assert part.busy_cycles["LINK 0-1"] == 24


def test_a_loop_fed_by_another_device_begins_a_hop_later() -> None:
    programs = {0: DeviceProgram(("a",), Assembled(COPY, {}), ("",), ("a",))}
    here, afar = (replace(loop_of(programs), is_fed_from_afar=flag) for flag in (False, True))
    cycles = [timing.loop_part(NPU, loop, 4).cycles for loop in (here, afar)]
    assert cycles[1] - cycles[0] == NPU.hop_cycles


def test_inputs_come_in_ahead_at_the_rate_of_the_port() -> None:
    machine = replace(NPU, clock_hz=250e6, link_gbit_per_s=4.0)  # a vector takes 8 cycles
    program = DeviceProgram(("a",), Assembled(COPY, {}), ("",), ("a",))
    part = timing.loop_part(machine, loop_of({0: program}), 3)
    assert part.step_cycles.cumsum().tolist() == [8 * n + 5 + WRITTEN for n in (1, 2, 3)]
    assert part.busy_cycles["NETQ"] == 24


def test_where_nothing_recurs_every_step_is_a_request() -> None:
    invoked = replace(NPU, invocation_cycles=1000)
    loop = loop_of({0: DeviceProgram(("a",), Assembled(COPY, {}), ("",), ("a",))})
    once, each = (timing.loop_part(invoked, loop, 4, recurs=recurs).cycles for recurs in (True, False))
    assert each - once == 3 * 1000

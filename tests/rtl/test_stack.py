"""Which cells of a program run on one core, and what the RTL feeds from one to the next."""

import numpy as np
import pytest

import deltawave as dw
from deltawave.machines.deltarnn.compiled import delta_cell
from deltawave.machines.deltarnn.rtl.design import cores, stacked_shape
from deltawave.machines.deltarnn.rtl.record import record
from deltawave.machines.deltarnn.rtl.simulate import as_input, simulate_program
from deltawave.machines.program import Program
from deltawave.network import Network
from networks import recurrent_network, stacked_network, walk

SMALL = {
    "edgedrnn-minized": {"pes": 2, "dram_latency_cycles": 3},
    "deltarnn-zynq7100": {"channel_pes": 1, "activation_lanes": 2, "hidden_rate": 2, "input_rate": 2},
    "spartus-zynq7100": {"arrays": 2, "array_pes": 4, "activation_lanes": 4, "input_rate": 2},
}


def program_of(network: Network, machine: str = "edgedrnn-minized", **options: object) -> Program:
    chosen = dw.machine(machine).with_options({**SMALL[machine], **options})
    return dw.compile(network, chosen, calibration=walk())


GRUS = (("GRU", 9), ("GRU", 5))
TOGETHER = {
    "two": (stacked_network(*GRUS), [("layer0", "layer1")]),
    "three": (stacked_network(*GRUS, ("GRU", 7)), [("layer0", "layer1", "layer2")]),
    "another kind": (
        stacked_network(*GRUS, ("LSTM", 4), ("LSTM", 3)),
        [("layer0", "layer1"), ("layer2", "layer3")],
    ),
    "read between": (
        stacked_network(*GRUS, ("GRU", 7), read_between=(1,)),
        [("layer0", "layer1"), ("layer2",)],
    ),
    "one": (recurrent_network("LSTM"), [("layer",)]),
    "both directions": (
        recurrent_network("LSTM", direction="bidirectional"),
        [("layer",), ("layer/reverse",)],
    ),
}


@pytest.mark.parametrize("case", TOGETHER)
@pytest.mark.parametrize("machine", ["edgedrnn-minized", "deltarnn-zynq7100"])
def test_cells_that_feed_only_each_other_run_on_one_core(machine: str, case: str) -> None:
    network, wanted = TOGETHER[case]
    assert cores(program_of(network, machine)) == wanted


def test_cells_of_spartus_have_cores_of_their_own() -> None:
    assert cores(program_of(stacked_network(*GRUS), "spartus-zynq7100")) == [("layer0",), ("layer1",)]


def test_a_scan_that_is_no_part_of_a_state_word_has_a_core_of_its_own() -> None:
    options = {"input_rate": 3, "hidden_rate": 4, "activation_lanes": 1}
    program = program_of(stacked_network(*GRUS), "deltarnn-zynq7100", **options)
    assert cores(program) == [("layer0",), ("layer1",)]


@pytest.mark.parametrize("machine", ["edgedrnn-minized", "deltarnn-zynq7100"])
@pytest.mark.parametrize("op", ["GRU", "LSTM", "RNN"])
def test_a_cell_hears_what_the_one_before_says(machine: str, op: str) -> None:
    program = program_of(stacked_network((op, 9), (op, 5)), machine)
    cells = [delta_cell(cell) for cell in program.cells.values()]
    _, shape = stacked_shape(program.machine, cells, "core").layers
    before, after = (streams[0] for streams in record(program, walk()).values())
    assert np.array_equal(as_input(shape, before.outputs), after.xs)
    assert after.xs.any()


def test_a_program_is_simulated_core_by_core() -> None:
    program = program_of(stacked_network(*GRUS, ("LSTM", 4)))
    found = simulate_program(program, [walk(4), walk(3, seed=2)])
    assert list(found) == ["layer0, layer1", "layer2"]
    assert [len(stream.rtl.outputs) for streams in found.values() for stream in streams] == [4, 3, 4, 3]
    assert all(stream.is_equal for streams in found.values() for stream in streams)
    assert all(stream.model.outputs.any() for streams in found.values() for stream in streams)


def test_registers_have_addresses_however_many_cells_there_are() -> None:
    program = program_of(stacked_network(*[("RNN", 3)] * 13), "deltarnn-zynq7100")
    ((names, (stream,)),) = simulate_program(program, walk(3)).items()
    assert names == ", ".join(f"layer{number}" for number in range(13))
    assert stream.is_equal
    assert stream.model.outputs.any()

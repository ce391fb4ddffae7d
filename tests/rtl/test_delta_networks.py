"""Real networks in RTL, cell by cell with the inputs that each sees: `pytest -m slow tests/rtl/test_delta_networks.py`,
with DELTAWAVE_SHARED or ../shared."""

import sys
from pathlib import Path

import pytest

import deltawave as dw
from deltawave.machines.deltarnn.compiled import delta_cell
from deltawave.machines.deltarnn.rtl.simulate import simulate_program
from rtl.cycle_table import Compared, check_row

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from real_cases import CASES, SHARED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.exists(), reason=f"no real networks at {SHARED}; set DELTAWAVE_SHARED"),
]
STREAMS, CALLS = 3, 200
THETAS = {"theta_input": 0.03125, "theta_hidden": 0.0625}


@pytest.mark.parametrize("machine", ["edgedrnn-minized", "deltarnn-zynq7100"])
@pytest.mark.parametrize("name", ["GRU_L", "Basic_LSTM_M", "rnnoise", "silero-vad"])
def test_every_bit_and_cycle_of_a_real_network(name: str, machine: str) -> None:
    case = CASES[name]()
    network = dw.load(case.model)
    program = dw.compile(network, dw.machine(machine).with_options(THETAS), calibration=case.calibration)
    data = few(case.data)
    compared = Compared()
    for cell, streams in simulate_program(program, data).items():
        compared.pairs += 1
        for stream in streams:
            compared.add(stream.rtl, stream.model, delta_cell(program.cells[cell]).cell.activation.bits)
    assert (compared.differing_bits, compared.differing_steps) == (0, 0)
    check_row(name, machine, compared)


def few(data: object) -> object:
    """The beginnings of the first streams."""
    return [frames[:CALLS] for frames in data[:STREAMS]] if isinstance(data, list) else data[:STREAMS]

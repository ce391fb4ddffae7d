"""Real networks in RTL, core by core with the inputs that each sees: `pytest -m slow tests/rtl/test_delta_networks.py`,
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
SMALL = {"channel_pes": 16, "activation_lanes": 16, "hidden_rate": 16}
"""A DeltaRNN that is built in seconds; that of the paper takes minutes, and is built once."""
SMALL_SPARTUS = {"arrays": 4, "array_pes": 16, "activation_lanes": 16, "input_rate": 4}
FEW_CALLS = 20
"""Of a Spartus, which is slow in simulation."""


@pytest.mark.parametrize(
    ("name", "machine", "options"),
    [
        ("GRU_L", "edgedrnn-minized", {}),
        ("GRU_L", "deltarnn-zynq7100", {}),
        ("GRU_L", "deltarnn-zynq7100", SMALL),
        ("Basic_LSTM_M", "edgedrnn-minized", {}),
        ("Basic_LSTM_M", "deltarnn-zynq7100", SMALL),
        ("rnnoise", "edgedrnn-minized", {}),
        ("rnnoise", "deltarnn-zynq7100", SMALL),
        ("silero-vad", "edgedrnn-minized", {}),
        ("silero-vad", "deltarnn-zynq7100", SMALL),
        ("silero-vad", "spartus-zynq7100", SMALL_SPARTUS),
        ("charrnn", "edgedrnn-minized", {}),
        ("charrnn", "deltarnn-zynq7100", SMALL),
        ("dtln-1", "edgedrnn-minized", {}),
        ("dtln-1", "deltarnn-zynq7100", SMALL),
    ],
)
def test_every_bit_and_cycle_of_a_real_network(name: str, machine: str, options: dict[str, int]) -> None:
    case = CASES[name]()
    network = dw.load(case.model)
    program = dw.compile(
        network, dw.machine(machine).with_options({**THETAS, **options}), calibration=case.calibration
    )
    data = few(case.data, FEW_CALLS if machine.startswith("spartus") else CALLS)
    compared = Compared()
    for names, streams in simulate_program(program, data).items():
        cells = [delta_cell(program.cells[cell]).cell for cell in names.split(", ")]
        compared.pairs += len(cells)
        for stream in streams:
            compared.add(stream.rtl, stream.model, cells[-1].activation.bits)
    assert (compared.differing_bits, compared.differing_steps) == (0, 0)
    label = ", ".join([machine, *(f"{option}={value}" for option, value in options.items())])
    check_row(name, label, compared)


def few(data: object, calls: int) -> object:
    """The beginnings of the first streams; an array without steps has the calls of one."""
    if isinstance(data, list):
        return [frames[:calls] for frames in data[:STREAMS]]
    return data[: STREAMS if data.ndim > 2 else calls]

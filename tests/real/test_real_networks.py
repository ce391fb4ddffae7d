"""The real networks, where they are at hand: `pytest -m slow tests/real`, with DELTAWAVE_SHARED or ../shared."""

import sys
from pathlib import Path

import numpy as np
import pytest

import deltawave as dw
from deltawave.machines import machines
from deltawave.machines.deltarnn.search import fetched, search
from deltawave.network import as_streams

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from real_cases import CASES, CONVOLUTIONAL, SHARED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.exists(), reason=f"no real networks at {SHARED}; set DELTAWAVE_SHARED"),
]


ROOM = {"initial_vrf_entries": 1 << 17, "add_sub_vrf_entries": 1 << 17}


@pytest.mark.parametrize("machine", sorted(machines()))
@pytest.mark.parametrize("name", CASES)
def test_kernels_equal_semantics_on_real_input(name: str, machine: str) -> None:
    case = CASES[name]()
    network = dw.load(case.model)
    published = dw.machine(machine)
    if not any(published.verdict(layer).takes for layer in network.layers):
        pytest.skip(f"{machine} takes no layer of {name}")
    thetas = {"theta_input": 0.03125, "theta_hidden": 0.0625} if hasattr(published, "thetas") else {}
    tuned = published.with_options({**thetas, **({"dies": 100} if hasattr(published, "dies") else {})})
    program = dw.compile(network, tuned, calibration=case.calibration)
    few = [list(stream[:40]) for stream in as_streams(network, case.data)[:3]]
    fast, plain = (program.run_streams(few, plain=plain) for plain in (False, True))
    for ours, exact in zip(fast.outputs, plain.outputs, strict=True):
        assert all(np.array_equal(ours[output], exact[output]) for output in exact)
    assert all(np.array_equal(fast.activity[cell], plain.activity[cell]) for cell in program.cells)


@pytest.mark.parametrize("machine", ["bw-s5", "bw-a10", "bw-s10", "bw-cnn-a10"])
@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_kernels_equal_semantics_on_real_images(name: str, machine: str) -> None:
    case = CONVOLUTIONAL[name]()
    network = dw.load(case.model)
    program = dw.compile(network, dw.machine(machine).with_options(ROOM))
    assert all(program.verdicts[layer.name].takes for layer in network.layers if layer.parameters)
    fast, plain = (program.run(case.data[:2], plain=plain) for plain in (False, True))
    for ours, exact in zip(fast.outputs, plain.outputs, strict=True):
        assert all(np.array_equal(ours[output], exact[output]) for output in exact)


@pytest.mark.parametrize(
    "name", [name for name in CONVOLUTIONAL if name != "resnet8"]
)  # whose labels are no truth
def test_five_mantissa_bits_lose_less_than_five_points(name: str) -> None:
    case = CONVOLUTIONAL[name]()
    some = slice(0, None, max(len(case.data) // 200, 1))
    machine = dw.machine("bw-cnn-a10").with_options(case.options)
    comparison = dw.compare(dw.load(case.model), [machine], case.data[some], labels=case.labels[some])
    (report,) = comparison.reports
    assert comparison.floats[0].value - report.quality.machine[0].value <= 0.05


@pytest.mark.parametrize(
    "name", ["GRU_M", "GRU_L", "Basic_LSTM_M", "silero-vad", "charrnn", "ocr-W8A8", "ocr-W2A2"]
)
def test_16_bit_weights_lose_less_than_half_a_point(name: str) -> None:
    case = CASES[name]()
    comparison = dw.compare(
        dw.load(case.model),
        [dw.machine("deltarnn-zynq7100")],
        case.data,
        calibration=case.calibration,
        labels=case.labels,
        scoring=case.scoring,
    )
    (report,) = comparison.reports
    assert comparison.floats[0].value - report.quality.machine[0].value <= 0.005


def test_the_search_cuts_fetched_columns_of_the_keyword_spotter() -> None:
    """At most 40 % of the columns with at most one point lost, on the clips searched and on as many others."""
    case = CASES["GRU_L"]()
    labels = np.array(case.labels)
    program = dw.compile(dw.load(case.model), dw.machine("edgedrnn-minized"), calibration=case.calibration)
    lost = {half: points_lost(case, labels, half) for half in (0, 1)}
    found = search(program, case.data[::2], lost[0], 0.5)
    others = found.program.run(case.data[1::2])
    assert found.best.fetched <= 0.4
    assert lost[0](found.program.run(case.data[::2])) <= 1.0
    assert fetched(others) <= 0.4
    assert lost[1](others) <= 1.0


def points_lost(case, labels: np.ndarray, half: int):
    """Accuracy points a run on every other clip loses against the float network."""
    reference = np.load(case.model.parents[1] / "mfcc_public.npz")["prob_GRU_L"][half::2].argmax(axis=1)
    float_right = np.count_nonzero(reference == labels[half::2])

    def loss(run: dw.Run) -> float:
        said = [int(outputs["prob"].argmax()) for outputs in run.outputs]
        return 100 * (float_right - np.count_nonzero(said == labels[half::2])) / len(said)

    return loss

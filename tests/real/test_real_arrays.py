"""Real LSTMs on one large die and on an array of dies: equal bits, and how far they are from the float network."""

import sys
from pathlib import Path

import numpy as np
import pytest

import deltawave as dw
from deltawave.machines.muntaniala import MUNTANIALA
from deltawave.network import as_streams

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from real_cases import CASES, SHARED

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.exists(), reason=f"no real networks at {SHARED}; set DELTAWAVE_SHARED"),
]
ONE_DIE = MUNTANIALA.with_options({"units": 512, "sram_bytes": 10_000_000})
SMALL_DIES = MUNTANIALA.with_options({"units": 48, "dies": 200})
MOST_ERROR = {
    "silero-vad": 0.02,
    "dtln-1": 0.2,
    "dtln-2": 0.05,
    "charrnn": 0.02,
    "Basic_LSTM_M": 0.2,
    "ocr-W8A8": 0.01,
}


@pytest.mark.parametrize("name", MOST_ERROR)
def test_an_array_has_the_bits_of_one_die_on_real_input(name: str) -> None:
    case = CASES[name]()
    network = dw.load(case.model)
    few = [list(stream[:200]) for stream in as_streams(network, case.data)[:2]]
    programs = [
        dw.compile(network, machine, calibration=case.calibration)
        for machine in (ONE_DIE, MUNTANIALA, SMALL_DIES)
    ]
    one, *arrays = (program.run_streams(few) for program in programs)
    plain = programs[1].run_streams(few, plain=True)  # die by die
    for run in (*arrays, plain):
        for ours, exact in zip(run.outputs, one.outputs, strict=True):
            assert all(np.array_equal(ours[output], exact[output]) for output in exact)
        assert all(np.array_equal(run.activity[cell], one.activity[cell]) for cell in one.activity)
    report = dw.measure(one)
    assert report.quality.errors[0].relative_rms < MOST_ERROR[name]
    wrapped = next(figure for figure in report.particulars if figure.name == "accumulators wrapped")
    assert wrapped.value == 0


@pytest.mark.parametrize("name", ["silero-vad", "charrnn", "ocr-W8A8", "Basic_LSTM_M"])
def test_eight_bits_lose_less_than_two_points(name: str) -> None:
    case = CASES[name]()
    comparison = dw.compare(
        dw.load(case.model),
        [MUNTANIALA],
        case.data,
        calibration=case.calibration,
        labels=case.labels,
        scoring=case.scoring,
    )
    (report,) = comparison.reports
    assert comparison.floats[0].value - report.quality.machine[0].value <= 0.02

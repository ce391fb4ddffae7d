"""What only Spartus has to tell, against sums written out."""

import numpy as np
import pytest

from deltawave.machines.deltarnn import SPARTUS_ZYNQ7100
from deltawave.machines.program import Run, compile_network
from networks import recurrent_network, walk

SMALL = SPARTUS_ZYNQ7100.with_options({"arrays": 3, "array_pes": 4, "theta_hidden": 0.05})


def told(run: Run) -> dict[str, float]:
    figures = run.program.machine.figures(list(run.program.cells.values()), run.activity)
    return {figure.name: figure.value for figure in figures}


def entries(weights: np.ndarray, pes: int) -> list[int]:
    """Stored weights of each column: as many for every PE as the fullest one has."""
    return [
        pes * max(np.count_nonzero(weights[pe::pes, column]) for pe in range(pes))
        for column in range(weights.shape[1])
    ]


@pytest.mark.parametrize("gamma", [0.0, 0.75])
def test_balance_and_padding(gamma: float) -> None:
    network = recurrent_network("LSTM", inputs=7, hidden=8)
    program = compile_network(network, SMALL.with_options({"prune_gamma": gamma}), calibration=walk(inputs=7))
    run = program.run(walk(inputs=7, seed=4))
    cell = program.cells["layer"].cell
    weights = np.hstack([cell.weights_x, cell.weights_h])
    stored = entries(weights, 4)
    places = [*range(7), *range(9, 17)]  # the input is padded to a multiple of the arrays
    work = np.zeros((len(run.activity["layer"]), 3))
    for column, place in enumerate(places):
        work[:, place % 3] += run.activity["layer"][:, column] * max(1, stored[column] // 4)
    assert told(run) == {
        "load balance": work.mean(axis=1).sum() / work.max(axis=1).sum(),
        "padding": 1 - np.count_nonzero(weights) / sum(stored),
    }


def test_pruned_weights_are_balanced() -> None:
    program = compile_network(recurrent_network("LSTM", hidden=8), SMALL.with_options({"prune_gamma": 0.5}))
    weights = np.hstack([program.cells["layer"].cell.weights_x, program.cells["layer"].cell.weights_h])
    kept = [
        [np.count_nonzero(weights[pe::4, column]) for pe in range(4)] for column in range(weights.shape[1])
    ]
    assert np.max(kept) == 4  # half of the eight rows of a PE, less those that round to zero
    assert told(program.run(walk()))["padding"] < 0.1

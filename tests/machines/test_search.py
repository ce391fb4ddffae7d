import numpy as np
import pytest

from deltawave.errors import OptionError
from deltawave.machines.deltarnn import EDGEDRNN_MINIZED
from deltawave.machines.deltarnn.search import fetched, search, with_thetas
from deltawave.machines.program import Run, compile_network
from networks import recurrent_network, walk


def far_from(exact: Run):
    def loss(run: Run) -> float:
        return float(np.abs(run.outputs[0]["y"] - exact.outputs[0]["y"]).max())

    return loss


def test_the_best_point_keeps_the_limit_and_fetches_less_than_any_uniform_one() -> None:
    program = compile_network(
        recurrent_network(hidden=24, linear_before_reset=1), EDGEDRNN_MINIZED, calibration=walk()
    )
    data = walk(60, seed=5)
    loss = far_from(program.run(data))
    found = search(program, data, loss, 0.3)
    assert found.best.loss <= 0.3
    assert found.best.fetched <= min(point.fetched for point in found.table if point.loss <= 0.3)
    assert 0 < found.best.fetched < found.table[0].fetched
    again = found.program.run(data)
    assert (fetched(again), loss(again)) == (found.best.fetched, found.best.loss)


def test_fetched_counts_words_of_the_columns_sent() -> None:
    program = compile_network(recurrent_network(), EDGEDRNN_MINIZED, calibration=walk())
    run = program.run(walk())
    sent, hidden, inputs = run.activity["layer"], 9, 6
    x, h, rh = np.split(sent.sum(axis=0), [inputs, inputs + hidden])
    words = 3 * hidden * x.sum() + 2 * hidden * h.sum() + hidden * rh.sum()
    assert fetched(run) == words / (len(sent) * (3 * hidden * inputs + 3 * hidden * hidden))


def test_thresholds_change_nothing_else() -> None:
    program = compile_network(recurrent_network(), EDGEDRNN_MINIZED, calibration=walk())
    changed = with_thetas(program, {"layer": (0.5, 0.25)})
    assert np.array_equal(changed.cells["layer"].cell.weights_h, program.cells["layer"].cell.weights_h)
    assert changed.machine.theta_layers == {"layer": (0.5, 0.25)}


def test_a_limit_that_no_thresholds_meet_is_refused() -> None:
    program = compile_network(recurrent_network(), EDGEDRNN_MINIZED, calibration=walk())
    with pytest.raises(OptionError) as caught:
        search(program, walk(), lambda run: 2.0, 1.0)
    assert str(caught.value) == (
        "edgedrnn-minized loses 2 with all thresholds at zero, 1 is allowed; "
        "allow more, or give the machine finer formats"
    )

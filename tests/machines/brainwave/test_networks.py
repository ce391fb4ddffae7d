"""Whole networks on Brainwave: kernels and semantics, streams, saved programs, the shipped example."""

from pathlib import Path

import numpy as np
import pytest

from deltawave.machines.brainwave.isa import Memory
from deltawave.machines.brainwave.listing import parse
from deltawave.machines.brainwave.machine import BW_A10, BW_S5
from deltawave.machines.program import compile_network
from deltawave.network import FloatReference, as_streams, load
from networks import recurrent_network, walk

DIGITS = Path(__file__).parents[3] / "examples" / "digits"
NETWORKS = {
    "gru": lambda: recurrent_network("GRU", linear_before_reset=1),
    "gru, reset before": lambda: recurrent_network("GRU"),
    "gru, relu": lambda: recurrent_network("GRU", activations=["Sigmoid", "Relu"]),
    "lstm": lambda: recurrent_network("LSTM"),
    "lstm, both ways": lambda: recurrent_network("LSTM", direction="bidirectional"),
    "gru, backwards": lambda: recurrent_network("GRU", direction="reverse"),
    "rnn": lambda: recurrent_network("RNN"),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_kernels_and_semantics_give_the_same_outputs_near_the_float_network(kind: str) -> None:
    network = NETWORKS[kind]()
    program = compile_network(
        network, BW_S5.with_options({"mantissa_bits": 5, "native_dim": 20, "mfu_lanes": 20})
    )
    fast, plain = program.run(walk(seed=2)), program.run(walk(seed=2), plain=True)
    assert np.array_equal(fast.outputs[0]["y"], plain.outputs[0]["y"])
    assert {name: rows.tolist() for name, rows in fast.activity.items()} == {
        name: [[True]] * len(walk()) for name in program.cells
    }
    exact = FloatReference(network).run(as_streams(network, walk(seed=2))[0])[0]["y"]
    assert np.sqrt(np.mean((fast.outputs[0]["y"][0] - exact) ** 2) / np.mean(exact**2)) < 2.5 * 2.0**-5


@pytest.mark.parametrize("op", ["GRU", "LSTM"])
def test_a_session_fed_step_by_step_equals_one_run(op: str) -> None:
    program = compile_network(recurrent_network(op, streaming=True), BW_A10)
    whole = program.run(walk(seed=3)).outputs[0]["y"][0]
    session = program.session()
    assert np.array_equal(np.concatenate([session.step(frame[None])["y"] for frame in walk(seed=3)]), whole)


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_two_mantissa_bits_recognise_the_digits(name: str) -> None:
    program = compile_network(load(DIGITS / f"digits_{name}.onnx"), BW_A10.with_options({"mantissa_bits": 2}))
    test = np.load(DIGITS / "digits_test.npz")
    run = program.run(list(test["frames"][:50]))
    heard = [output["logits"].reshape(80, 10)[-1].argmax() for output in run.outputs]
    assert np.mean(np.array(heard) == test["labels"][:50]) >= 0.9


def test_the_listing_of_a_network_says_what_each_part_holds() -> None:
    program = compile_network(recurrent_network("LSTM", direction="bidirectional"), BW_S5)
    first, second, third = program.listing().split("# ")[1:]
    assert first == "cell layer lstm inputs=6 hidden=9 native=100 mantissa_bits=2 tiles=8\n"
    assert second.startswith("cell layer/reverse lstm inputs=6 hidden=9 native=100 mantissa_bits=2 tiles=8\n")
    assert third.startswith("layer dense_layer product outputs=3 native=100 mantissa_bits=2 tiles=1\n")
    used = [parse("# " + text).entries_used()[Memory.MATRIX_RF, 0, True] for text in (second, third)]
    assert used == [16, 17]

"""Whole programs: native equals semantics, sessions equal runs, and what machines refuse."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from deltawave.errors import CapacityError, InputError, OptionError, UnsupportedError
from deltawave.machines.deltarnn import DELTARNN_ZYNQ7100, EDGEDRNN_MINIZED, SPARTUS_ZYNQ7100
from deltawave.machines.program import compile_network
from deltawave.network import FloatReference, Network, as_streams, load
from networks import recurrent_network, walk

MACHINES = (DELTARNN_ZYNQ7100, EDGEDRNN_MINIZED, SPARTUS_ZYNQ7100)
NETWORKS = {
    "gru": lambda: recurrent_network("GRU", linear_before_reset=1),
    "gru, reset before": lambda: recurrent_network("GRU"),
    "gru, relu": lambda: recurrent_network("GRU", activations=["Sigmoid", "Relu"]),
    "lstm": lambda: recurrent_network("LSTM"),
    "lstm, both ways": lambda: recurrent_network("LSTM", direction="bidirectional"),
    "gru, backwards": lambda: recurrent_network("GRU", direction="reverse"),
    "rnn": lambda: recurrent_network("RNN"),
}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("theta", [0.0, 0.1])
def test_kernels_and_semantics_give_the_same_program_outputs(machine, kind: str, theta: float) -> None:
    tuned = machine.with_options({"theta_input": theta, "theta_hidden": theta})
    program = compile_network(NETWORKS[kind](), tuned, calibration=walk())
    fast, plain = program.run(walk(seed=2)), program.run(walk(seed=2), plain=True)
    assert np.array_equal(fast.outputs[0]["y"], plain.outputs[0]["y"])
    assert all(np.array_equal(fast.activity[name], plain.activity[name]) for name in program.cells)


@pytest.mark.parametrize("kind", NETWORKS)
def test_fine_formats_come_close_to_the_float_network(kind: str) -> None:
    network = NETWORKS[kind]()
    fine = DELTARNN_ZYNQ7100.with_options({"weight_fraction_bits": "12", "activation_integer_bits": 4,
                                           "activation_fraction_bits": 12, "table_step_bits": 12})  # fmt: skip
    program = compile_network(network, fine, calibration=walk())
    ours = program.run(walk(seed=2)).outputs[0]["y"][0]
    exact = FloatReference(network).run(as_streams(network, walk(seed=2))[0])[0]["y"]
    assert np.abs(ours - exact).max() < 0.01


@pytest.mark.parametrize("op", ["GRU", "LSTM"])
def test_a_session_fed_step_by_step_equals_one_run(op: str) -> None:
    program = compile_network(
        recurrent_network(op, streaming=True),
        EDGEDRNN_MINIZED.with_options({"theta_hidden": 0.1}),
        calibration=walk(),
    )
    whole = program.run(walk(seed=3)).outputs[0]["y"][0]
    session = program.session()
    assert np.array_equal(np.concatenate([session.step(frame[None])["y"] for frame in walk(seed=3)]), whole)
    session.reset()
    assert np.array_equal(session.step(walk(seed=3)[:5])["y"], whole[:5])


def test_sessions_of_one_program_do_not_share_state() -> None:
    program = compile_network(recurrent_network(streaming=True), EDGEDRNN_MINIZED, calibration=walk())
    alone, disturbed, other = program.session(), program.session(), program.session()
    for frame in walk():
        other.step(-frame[None])
        assert np.array_equal(alone.step(frame[None])["y"], disturbed.step(frame[None])["y"])


def test_initial_states_that_are_not_carried_start_every_call() -> None:
    network = recurrent_network(streaming=True)
    assert network.recurrent[0].carried
    first = compile_network(network, DELTARNN_ZYNQ7100, calibration=walk()).run([walk(), walk()])
    assert np.array_equal(first.outputs[0]["y"], first.outputs[1]["y"])


def test_a_step_takes_one_frame() -> None:
    program = compile_network(recurrent_network(), EDGEDRNN_MINIZED, calibration=walk())
    with pytest.raises(InputError) as caught:
        program.session().step([walk(), walk()])
    assert str(caught.value) == "a step takes one frame; this data makes 2 calls; use run()"


def test_clipping_is_refused() -> None:
    network = recurrent_network("LSTM", clip=1.0)
    with pytest.raises(UnsupportedError) as caught:
        compile_network(network, SPARTUS_ZYNQ7100)
    assert str(caught.value) == (
        "spartus-zynq7100 takes no layer of model (layer: no clipping of pre-activations); "
        "choose another machine or other parameters"
    )


def test_without_extensions_only_the_published_cells_are_taken() -> None:
    strict = EDGEDRNN_MINIZED.with_options({"extensions": "false"})
    with pytest.raises(UnsupportedError) as caught:
        compile_network(recurrent_network("LSTM"), strict)
    assert str(caught.value) == (
        "edgedrnn-minized takes no layer of model (layer: the published machine has no LSTM, ours has it as an "
        "extension; set extensions=true to add it); choose another machine or other parameters"
    )


def test_too_large_a_network_says_how_much_is_missing() -> None:
    small = DELTARNN_ZYNQ7100.with_options({"weight_memory_bytes": 50_000})
    with pytest.raises(CapacityError) as caught:
        compile_network(recurrent_network(hidden=100, linear_before_reset=1), small)
    assert str(caught.value) == (
        "the weights need 0.06 MB of weight memory, deltarnn-zynq7100 has 0.05 MB; "
        "choose a larger memory, fewer bits, or another machine"
    )


def test_too_many_layers_are_refused() -> None:
    with pytest.raises(CapacityError) as caught:
        compile_network(
            recurrent_network("LSTM", direction="bidirectional"),
            EDGEDRNN_MINIZED.with_options({"max_layers": 1}),
        )
    assert str(caught.value) == (
        "the network has 2 recurrent layers, edgedrnn-minized holds 1; "
        "set a larger max_layers or choose another machine"
    )


def test_too_long_a_vector_is_refused() -> None:
    with pytest.raises(CapacityError) as caught:
        compile_network(recurrent_network(hidden=9), EDGEDRNN_MINIZED.with_options({"max_layer_size": 8}))
    assert str(caught.value) == (
        "layer has a vector of 9 values, edgedrnn-minized takes 8; "
        "set a larger max_layer_size or choose another machine"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"theta_hiden": 1}, "edgedrnn-minized has no option 'theta_hiden'; did you mean 'theta_hidden'?"),
        (
            {"theta_hidden": -1},
            "edgedrnn-minized: theta_hidden = -1.0 is not a threshold; thresholds go from 0 to 64",
        ),
        (
            {"weight_bits": "many"},
            "edgedrnn-minized: weight_bits = 'many' is not allowed: Expected `int`, got `str`",
        ),
        ({"weight_bits": 17}, "edgedrnn-minized: weight_bits = 17 is out of range; it goes from 2 to 16"),
        (
            {"activation_overflow": "clip"},
            "edgedrnn-minized: activation_overflow = 'clip' is not allowed: Invalid enum value 'clip'",
        ),
        (
            {"theta_layers.layer": "0,nan"},
            "edgedrnn-minized: theta_layers.layer = nan is not a threshold; thresholds go from 0 to 64",
        ),
        (
            {"weight_fraction_bits": 16},
            "edgedrnn-minized: weight_fraction_bits = 16 is out of range; it goes from 0 to 15",
        ),
        ({"input_shift": 60}, "edgedrnn-minized: input_shift = 60 is out of range; it goes from -8 to 8"),
        (
            {"theta_layers.layer": "1"},
            "edgedrnn-minized: theta_layers = {'layer': '1'} is not allowed: "
            "Expected `array` of length 2, got 1 - at `$[...]`",
        ),
    ],
)
def test_impossible_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(OptionError) as caught:
        EDGEDRNN_MINIZED.with_options(options)
    assert str(caught.value) == message


def test_thresholds_by_layer() -> None:
    tuned = EDGEDRNN_MINIZED.with_options({"theta_layers.layer": "0.5,0.25", "input_shift": 1})
    cell = compile_network(recurrent_network(linear_before_reset=1), tuned).cells["layer"].cell
    assert (cell.theta_x, cell.theta_h) == (
        64,
        64,
    )  # the input is halved on its way in, and its threshold with it


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_thresholds_of_a_layer_that_is_not_there_are_refused(machine) -> None:
    tuned = machine.with_options({"theta_layers.layers": "0.5,0.25"})
    with pytest.raises(OptionError) as caught:
        compile_network(recurrent_network("LSTM", direction="bidirectional"), tuned)
    assert str(caught.value) == (
        f"{machine.name}: theta_layers names 'layers', which is no layer it runs; did you mean 'layer'?"
    )


def stored(network: Network, **arrays: np.ndarray) -> Network:
    """The same network with other weights."""
    model = network.original
    for tensor in model.graph.initializer:
        if tensor.name in arrays:
            tensor.CopyFrom(numpy_helper.from_array(arrays[tensor.name].astype(np.float32), tensor.name))
    return load(model)


@pytest.mark.parametrize(
    ("machine", "bias", "limit"),
    [(DELTARNN_ZYNQ7100, 1e5, 32767.5), (EDGEDRNN_MINIZED, 300.0, 255), (SPARTUS_ZYNQ7100, 1e30, 65280)],
    ids=lambda value: getattr(value, "name", str(value)),
)
def test_a_bias_that_its_accumulator_cannot_hold_is_refused(machine, bias: float, limit: float) -> None:
    ones = {"W": np.ones((1, 27, 6)), "R": np.ones((1, 27, 9))}
    network = stored(recurrent_network(), B=np.full((1, 54), bias / 2), **ones)
    with pytest.raises(OptionError) as caught:
        compile_network(network, machine)
    assert str(caught.value) == (
        f"layer: a bias of {bias:g} does not fit accumulators that hold up to {limit:g}; "
        "set more accumulator_bits or fewer weight_fraction_bits"
    )


def test_weights_too_large_for_their_bits_are_refused() -> None:
    with pytest.raises(OptionError) as caught:
        compile_network(stored(recurrent_network(), W=np.full((1, 27, 6), 1000.0)), EDGEDRNN_MINIZED)
    assert str(caught.value) == (
        "layer: its weights need 3 bits more than weights of 8 and accumulators of 24 have; "
        "set more weight_bits or accumulator_bits"
    )


def test_calibration_picks_no_format_that_the_kernels_refuse() -> None:
    coarse = DELTARNN_ZYNQ7100.with_options({"weight_fraction_bits": "none", "weight_bits": 4})
    program = compile_network(recurrent_network(), coarse, calibration=1000 * walk())
    fast, plain = program.run(walk()), program.run(walk(), plain=True)
    assert np.array_equal(fast.outputs[0]["y"], plain.outputs[0]["y"])


@pytest.mark.parametrize("op", ["GRU", "LSTM"])
def test_a_layer_whose_state_alone_comes_out_runs_and_is_timed(op: str) -> None:
    model = recurrent_network(op, streaming=True).original
    model.graph.node.append(helper.make_node("Neg", ["x"], ["negative"], name="negative"))
    model.graph.output.insert(0, helper.make_tensor_value_info("negative", TensorProto.FLOAT, ["T", 1, 6]))
    model.graph.output.remove(next(value for value in model.graph.output if value.name == "y"))
    network = load(model)
    assert [tensor.name for tensor in network.outputs] == ["negative"]
    run = compile_network(network, DELTARNN_ZYNQ7100).run([walk(), walk()])
    assert run.activity["layer"].shape == (40, 15 + (9 if op == "GRU" else 0))
    assert run.steps == 40
    assert run.timeline.cycles > 0
    assert np.array_equal(run.outputs[0]["negative"][0], -walk())


def test_none_is_taken_as_machines_print_it() -> None:
    assert DELTARNN_ZYNQ7100.with_options({"weight_fraction_bits": "none"}).weight_fraction_bits is None


def test_a_weight_format_that_was_asked_for_is_taken_even_if_it_leaves_the_accumulator_no_room() -> None:
    narrow = EDGEDRNN_MINIZED.with_options({"accumulator_bits": 16, "weight_fraction_bits": 7})
    cell = compile_network(recurrent_network(scale=0.02), narrow, calibration=walk()).cells["layer"].cell
    assert str(cell.accumulator) == "Q1.15"


@pytest.mark.parametrize("direction", ["bidirectional", "reverse"])
def test_a_layer_named_like_a_reversed_cell_is_another_cell(direction: str) -> None:
    model = recurrent_network(direction=direction).original
    model.graph.initializer.append(numpy_helper.from_array(np.full((1, 27, 6), 0.1, np.float32), "W2"))
    model.graph.initializer.append(numpy_helper.from_array(np.full((1, 27, 9), 0.1, np.float32), "R2"))
    alike = helper.make_node("GRU", ["x", "W2", "R2"], ["z"], name="layer/reverse", hidden_size=9)
    model.graph.node.append(alike)
    model.graph.output.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ["T", 1, 1, 9]))
    program = compile_network(load(model), DELTARNN_ZYNQ7100)
    alone = compile_network(recurrent_network(direction=direction), DELTARNN_ZYNQ7100)
    assert np.array_equal(program.run(walk()).outputs[0]["y"], alone.run(walk()).outputs[0]["y"])
    assert list(program.cells)[-2:] == ["layer/reverse", "layer/reverse_"]


def test_what_a_caller_does_to_an_output_leaves_the_state_alone() -> None:
    model = recurrent_network(streaming=True).original
    model.graph.initializer.append(numpy_helper.from_array(np.float32(0.5), "half"))
    model.graph.node.append(helper.make_node("Mul", ["hN", "half"], ["faded"], name="fade"))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("faded", TensorProto.FLOAT, [1, 1, 9]))
    program = compile_network(load(model, states={"h0": "faded"}), EDGEDRNN_MINIZED)
    alone, overwritten = program.session(), program.session()
    for frame in walk():
        output = overwritten.step(frame[None])["faded"]
        assert np.array_equal(output, alone.step(frame[None])["faded"])
        output[...] = 7


@pytest.mark.parametrize(
    ("name", "most"), [("arrays", 1024), ("array_pes", 65536), ("activation_lanes", 1048576)]
)
def test_more_units_than_can_be_simulated_are_refused(name: str, most: int) -> None:
    assert getattr(SPARTUS_ZYNQ7100.with_options({name: most}), name) == most
    with pytest.raises(OptionError) as caught:
        SPARTUS_ZYNQ7100.with_options({name: most + 1})
    assert (
        str(caught.value)
        == f"spartus-zynq7100: {name} = {most + 1} is out of range; it goes from 1 to {most}"
    )


def test_a_network_of_a_larger_batch_is_refused() -> None:
    model = recurrent_network().original
    for value in (model.graph.input[0], model.graph.output[0]):
        value.type.tensor_type.shape.dim[1].dim_value = 2
    with pytest.raises(InputError) as caught:
        compile_network(load(model), EDGEDRNN_MINIZED).run(np.zeros((5, 2, 6), np.float32))
    assert str(caught.value) == (
        "layer got a batch of 2; machines run batch 1: pass the items one by one, "
        "or export the network with a batch of 1"
    )

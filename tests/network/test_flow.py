"""What feeds a layer: the vectors or maps of another one, in their order, or the host."""

from collections.abc import Collection, Sequence

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from deltawave.network import FloatReference, Network, Opaque, as_streams, load
from deltawave.network.flow import Feed, Flow, Place
from network.onnx_models import constants, floats, model, node, value, weights

RNG = np.random.default_rng(0)
STORED = {
    "one": np.array([1]),
    "to_line": np.array([0, -1]),
    "to_steps": np.array([0, 0, -1]),
    "wide": np.array([1, 6, 2, 8]),
    "halves": np.array([-1, 1, 2]),
    "row": floats(RNG, 1, 1, 4),
    "kernel": floats(RNG, 6, 2, 3, 3),
    "kernel_6": floats(RNG, 6, 6, 1, 1),
    "to_4": floats(RNG, 4, 4),
    "to_4_of_6": floats(RNG, 6, 4),
    "to_4_of_8": floats(RNG, 8, 4),
    "to_2_of_96": floats(RNG, 96, 2),
    "to_2_of_2": floats(RNG, 2, 2),
    "to_1": floats(RNG, 4, 1),
}


def network(
    nodes: Sequence[onnx.NodeProto],
    x: Sequence[int | str],
    outputs: Sequence[str] = ("y",),
    **more: np.ndarray,
) -> Network:
    """Nodes on `x`; a recurrent node `name` finds its weights as name_W, name_R and name_B."""
    made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    proto = model(nodes, [value("x", x)], made, constants(**{**STORED, **more}))
    return load(onnx.shape_inference.infer_shapes(proto))


def recurrent(
    kind: str, name: str, x: str, outputs: Sequence[str], *, inputs: int = 4, directions: str = "forward"
) -> tuple[onnx.NodeProto, dict[str, np.ndarray]]:
    """A recurrent node of four units, and its weights."""
    parts = weights(RNG, kind, inputs, 4, 2 if directions == "bidirectional" else 1)
    stored = {f"{name}_{part}": array for part, array in parts.items()}
    return node(kind, [x, *stored], outputs, name=name, hidden_size=4, direction=directions), stored


def places(net: Network, host: Collection[str] = ()) -> dict[str, Place]:
    """Every layer's place if the machine takes all that is known but those for the host."""
    flow, found = Flow(net), dict[str, Place]()
    for layer in net.layers:
        place = flow.place(layer, found)
        if not isinstance(layer, Opaque) and layer.name not in host:
            found[layer.name] = place
    return found


def sources(net: Network, host: Collection[str] = ()) -> dict[str, list[str]]:
    return {name: [feed.source for feed in place.feeds] for name, place in places(net, host).items()}


def leaves(net: Network, host: Collection[str] = ()) -> list[str]:
    """The layers whose outputs leave the machine."""
    left = Flow(net).leaves(places(net, host))
    return [name for name, leaves_it in left.items() if leaves_it]


def after_lstm(*nodes: onnx.NodeProto, x: Sequence[int | str] = ("T", 1, 4), **more: np.ndarray) -> Network:
    """x -> LSTM `a`, of four units -> `a_y` -> nodes -> y."""
    first, stored = recurrent("LSTM", "a", "x", ["a_y"])
    return network([first, *nodes], x, **stored, **more)


def after_conv(*nodes: onnx.NodeProto, x: Sequence[int | str] = (1, 2, 6, 6)) -> Network:
    """x -> 3 x 3 convolution `a` to six channels -> `a_y` -> nodes -> y."""
    return network([node("Conv", ["x", "kernel"], ["a_y"], name="a"), *nodes], x)


def squeezed(source: str = "a_y", result: str = "a_s") -> onnx.NodeProto:
    return node("Squeeze", [source, "one"], [result], name=f"squeeze_{source}")


def dense(source: str, result: str, name: str, matrix: str = "to_4") -> onnx.NodeProto:
    return node("MatMul", [source, matrix], [result], name=name)


def test_a_dense_layer_after_a_recurrent_one() -> None:
    found = places(after_lstm(squeezed(), dense("a_s", "y", "b")))
    assert found["a"] == Place((Feed(sizes=(0, 1, 4)),), (0, 1, 1, 4))
    assert found["b"] == Place((Feed("a", (0, 1, 4), (0, 1, 1, 4), "vectors"),), (0, 1, 4))


@pytest.mark.parametrize(
    "between",
    [
        [squeezed()],
        [node("Reshape", ["a_y", "to_steps"], ["a_s"])],
        [
            node("Transpose", ["a_y"], ["a_t"], perm=[0, 2, 1, 3]),
            node("Reshape", ["a_t", "to_steps"], ["a_s"]),
        ],
        [squeezed(), node("Relu", ["a_s"], ["a_s2"], name="relu")],
    ],
    ids=["Squeeze", "Reshape", "Transpose and Reshape", "Relu"],
)
def test_vectors_stay_vectors_through_nodes_that_keep_their_order(between: list[onnx.NodeProto]) -> None:
    last = between[-1].output[0]
    before = "relu" if last == "a_s2" else "a"
    assert sources(after_lstm(*between, dense(last, "y", "b")))["b"] == [before]


@pytest.mark.parametrize(
    ("between", "matrix"),
    [
        (node("Transpose", ["a_y"], ["a_s"], perm=[2, 1, 0, 3]), "to_4"),
        (node("Reshape", ["a_y", "halves"], ["a_s"]), "to_2_of_2"),
        (node("Softmax", ["a_y"], ["a_s"]), "to_4"),
        (node("Neg", ["a_y"], ["a_s"]), "to_4"),
    ],
    ids=["steps and batch exchanged", "halves of vectors", "Softmax", "Neg"],
)
def test_other_elements_or_vectors_come_from_the_host(between: onnx.NodeProto, matrix: str) -> None:
    net = after_lstm(between, dense("a_s", "y", "b", matrix), x=("T", "N", 4))
    assert sources(net)["b"] == [""]


def test_a_transpose_that_only_moves_axes_of_one() -> None:
    moved = node("Transpose", ["a_y"], ["a_s"], perm=[2, 0, 1, 3])
    assert sources(after_lstm(moved, dense("a_s", "y", "b")))["b"] == ["a"]


def test_a_transpose_without_order_reverses_the_axes() -> None:
    reversed_axes = node("Transpose", ["a_y"], ["a_s"])
    assert sources(after_lstm(reversed_axes, dense("a_s", "y", "b"), x=(4, 1, 4)))["b"] == [""]


def test_what_an_unknown_operation_makes_is_not_known() -> None:
    net = after_lstm(squeezed(), node("Softmax", ["a_s"], ["m"], name="softmax"), dense("m", "y", "b"))
    flow, found = Flow(net), dict[str, Place]()
    for layer in net.layers:
        found[layer.name] = flow.place(layer, found)
    assert [found[name].feeds[0].source for name in ("softmax", "b")] == ["a", ""]


@given(st.permutations([1, 2, 3, 4]), st.permutations(range(4)), st.permutations([1, 2, 3, 4]))
@settings(deadline=None, max_examples=60)
def test_a_source_is_named_just_where_its_vectors_come_in_their_order(
    made: list[int], order: list[int], read: list[int]
) -> None:
    """Between two dense layers, one transpose and one reshape."""
    net = network(
        [
            dense("x", "a_y", "a", "in"),
            node("Transpose", ["a_y"], ["a_t"], perm=order),
            node("Reshape", ["a_t", "shape"], ["a_s"]),
            dense("a_s", "y", "b", "out"),
        ],
        made,
        ["y", "a_y", "a_s"],
        shape=np.array(read),
        **{"in": floats(RNG, made[-1], made[-1]), "out": floats(RNG, read[-1], 2)},
    )
    (call,) = FloatReference(net).run(as_streams(net, floats(RNG, *made))[0])
    vectors = [call[name].reshape(-1, sizes[-1]) for name, sizes in (("a_y", made), ("a_s", read))]
    assert (sources(net)["b"] == ["a"]) == np.array_equal(*vectors)


def test_a_layer_left_to_the_host_feeds_nothing() -> None:
    net = after_lstm(squeezed(), dense("a_s", "a_d", "b"), dense("a_d", "y", "c"))
    assert sources(net, host=["b"]) == {"a": [""], "c": [""]}
    assert sources(net, host=["a"]) == {"b": [""], "c": ["b"]}


def test_a_recurrent_layer_after_another() -> None:
    second, stored = recurrent("GRU", "b", "a_s", ["b_y"])
    net = after_lstm(squeezed(), second, squeezed("b_y", "y"), **stored)
    assert sources(net) == {"a": [""], "b": ["a"]}


def test_a_final_state_is_no_first_output() -> None:
    first, stored = recurrent("LSTM", "a", "x", ["a_y", "a_h", "a_c"])
    net = network(
        [first, dense("a_h", "y", "b"), dense("a_c", "y2", "c"), squeezed("a_y", "y3")],
        ["T", 1, 4],
        ["y", "y2", "y3"],
        **stored,
    )
    assert sources(net) == {"a": [""], "b": [""], "c": [""]}


@pytest.mark.parametrize("directions", ["reverse", "bidirectional"])
def test_a_layer_that_runs_backwards_neither_follows_nor_leads(directions: str) -> None:
    hidden = 8 if directions == "bidirectional" else 4
    second, stored = recurrent("GRU", "b", "a_s", ["b_y"], directions=directions)
    net = after_lstm(
        squeezed(),
        second,
        node("Transpose", ["b_y"], ["b_t"], perm=[0, 2, 1, 3]),
        node("Reshape", ["b_t", "to_steps"], ["b_s"]),
        dense("b_s", "y", "c", "to_4_of_8" if hidden == 8 else "to_4"),
        **stored,
    )
    assert sources(net) == {"a": [""], "b": [""], "c": [""]}


def test_a_residual_sum_has_two_sources() -> None:
    second, stored = recurrent("GRU", "b", "a_s", ["b_y"])
    net = after_lstm(
        squeezed(), second, squeezed("b_y", "b_s"), node("Add", ["b_s", "a_s"], ["y"], name="sum"), **stored
    )
    feeds = [Feed(name, (0, 1, 4), (0, 1, 1, 4), "vectors") for name in ("b", "a")]
    assert places(net)["sum"] == Place(tuple(feeds), (0, 1, 4))


def test_a_constant_is_no_feed() -> None:
    net = after_lstm(squeezed(), node("Mul", ["row", "a_s"], ["m"], name="mul"), dense("m", "y", "b"))
    assert sources(net) == {"a": [""], "mul": ["a"], "b": ["mul"]}


def test_an_operand_that_is_repeated_comes_from_the_host() -> None:
    """One number a step is added to every element of the vectors."""
    net = after_lstm(
        squeezed(), dense("a_s", "n", "number", "to_1"), node("Add", ["a_s", "n"], ["y"], name="sum")
    )
    assert sources(net)["sum"] == ["a", ""]


def test_operands_whose_free_sizes_may_differ_come_from_the_host() -> None:
    """The other operand may have more steps: the vectors are then repeated."""
    first, stored = recurrent("LSTM", "a", "x", ["a_y"])
    nodes = [first, squeezed(), node("Add", ["a_s", "other"], ["y"], name="sum")]
    same, differing = (
        load(
            model(
                nodes,
                [value("x", ["T", 1, 4]), value("other", [steps, 1, 4])],
                [value("y", ["R", 1, 4])],
                constants(**STORED, **stored),
            )
        )
        for steps in ("T", "S")
    )
    assert sources(same)["sum"] == ["a", ""]
    assert sources(differing)["sum"] == ["", ""]


def test_vectors_do_not_pair_with_maps() -> None:
    """What a convolution makes as one map, a dense layer makes as many vectors."""
    matrix = floats(RNG, 5, 5)
    net = network(
        [
            node("Conv", ["x", "k"], ["a_y"], name="a"),
            dense("a_y", "d", "b", "matrix"),
            node("Add", ["a_y", "d"], ["y"], name="sum"),
        ],
        [1, 2, 5],
        k=floats(RNG, 3, 2, 1),
        matrix=matrix,
    )
    assert sources(net) == {"a": [""], "b": [""], "sum": ["a", ""]}


def test_maps_from_layer_to_layer() -> None:
    net = after_conv(
        node("Relu", ["a_y"], ["r"], name="relu"),
        node("MaxPool", ["r"], ["p"], name="pool", kernel_shape=[1, 1]),
        node("Conv", ["p", "kernel_6"], ["c"], name="conv"),
        node("Add", ["c", "a_y"], ["y"], name="sum"),
    )
    found = sources(net)
    assert found == {"a": [""], "relu": ["a"], "pool": ["relu"], "conv": ["pool"], "sum": ["conv", "a"]}
    feed = Feed("pool", (1, 6, 4, 4), (1, 6, 4, 4), "map")
    assert places(net)["conv"] == Place((feed,), (1, 6, 4, 4))


@pytest.mark.parametrize(
    "flatten",
    [node("Flatten", ["a_y"], ["f"]), node("Reshape", ["a_y", "to_line"], ["f"])],
    ids=["Flatten", "Reshape"],
)
@pytest.mark.parametrize("batch", [1, "N"])
def test_a_dense_layer_takes_a_flattened_map(flatten: onnx.NodeProto, batch: int | str) -> None:
    net = after_conv(flatten, dense("f", "y", "b", "to_2_of_96"), x=(batch, 2, 6, 6))
    size = batch if batch == 1 else 0
    assert places(net)["b"].feeds == (Feed("a", (size, 96), (size, 6, 4, 4), "map"),)


def test_a_dense_layer_on_the_rows_of_a_map_is_fed_by_the_host() -> None:
    assert sources(after_conv(dense("a_y", "y", "b")))["b"] == [""]


def test_a_map_in_another_shape_comes_from_the_host() -> None:
    reshaped = node("Reshape", ["a_y", "wide"], ["r"])
    net = after_conv(reshaped, node("Conv", ["r", "kernel_6"], ["y"], name="b"))
    assert sources(net)["b"] == [""]


def test_free_sizes_of_a_map_do_not_hide_another_shape() -> None:
    """Height and width are exchanged, but both are free."""
    net = network(
        [
            node("Conv", ["x", "kernel"], ["a_y"], name="a"),
            node("Unsqueeze", ["a_y", "two"], ["u"]),
            node("Reshape", ["u", "exchange"], ["r"]),
            node("Conv", ["r", "kernel_6"], ["y"], name="b"),
            node("Conv", ["a_y", "kernel_6"], ["y2"], name="c"),
        ],
        [1, 2, "H", "W"],
        ["y", "y2"],
        two=np.array([2]),
        exchange=np.array([0, 6, -1, 0]),
    )
    assert sources(net) == {"a": [""], "b": [""], "c": ["a"]}


def test_a_pool_of_vectors_is_fed_by_the_host() -> None:
    net = after_lstm(node("MaxPool", ["a_y"], ["y"], name="pool", kernel_shape=[1, 1]))
    assert sources(net)["pool"] == [""]


def test_a_recurrent_layer_takes_maps_of_one_pixel() -> None:
    second, stored = recurrent("GRU", "b", "s", ["b_y"], inputs=6)
    nodes = [
        node("Conv", ["x", "kernel"], ["a_y"], name="a"),
        node("Reshape", ["a_y", "shape"], ["s"]),
        second,
        squeezed("b_y", "y"),
    ]
    single = network(nodes, ["T", 2, 3, 3], shape=np.array([0, 1, 6]), **stored)
    assert places(single)["b"].feeds == (Feed("a", (0, 1, 6), (0, 6, 1, 1), "map"),)
    row = network(nodes, [1, 2, 3, 8], shape=np.array([6, 1, 6]), **stored)
    assert sources(row)["b"] == [""]


def test_a_recurrent_layer_on_halves_of_a_map_is_fed_by_the_host() -> None:
    second, stored = recurrent("GRU", "b", "s", ["b_y"], inputs=3)
    net = network(
        [
            node("Conv", ["x", "kernel"], ["a_y"], name="a"),
            node("Reshape", ["a_y", "shape"], ["s"]),
            second,
            squeezed("b_y", "y"),
        ],
        [5, 2, 3, 3],
        shape=np.array([10, 1, 3]),
        **stored,
    )
    assert sources(net)["b"] == [""]


def test_a_recurrent_layer_reads_no_pixels_as_steps() -> None:
    second, stored = recurrent("GRU", "b", "s", ["b_y"], inputs=6)
    channels_last = node("Transpose", ["a_y"], ["s"], perm=[2, 0, 1])
    net = network(
        [node("Conv", ["x", "k"], ["a_y"], name="a"), channels_last, second, squeezed("b_y", "y")],
        [1, 2, "T"],
        k=floats(RNG, 6, 2, 3),
        **stored,
    )
    assert sources(net)["b"] == [""]


def test_only_what_the_host_or_the_outside_reads_leaves() -> None:
    net = after_lstm(squeezed(), dense("a_s", "d", "b"), node("Relu", ["d"], ["y"], name="relu"))
    assert leaves(net) == ["relu"]
    assert leaves(net, host=["b"]) == ["a", "relu"]
    assert leaves(net, host=["relu"]) == ["b"]


def test_a_shape_that_goes_elsewhere_leaves() -> None:
    flat = node("Flatten", ["a_y"], ["f"])
    last = dense("f", "y", "b", "to_2_of_96")
    conv = node("Conv", ["x", "kernel"], ["a_y"], name="a")
    assert leaves(network([conv, flat, last], [1, 2, 6, 6])) == ["b"]
    assert leaves(network([conv, flat, last], [1, 2, 6, 6], ["y", "f"])) == ["a", "b"]
    negated = node("Neg", ["f"], ["n"])
    assert leaves(network([conv, flat, last, negated], [1, 2, 6, 6], ["y", "n"])) == ["a", "b"]
    assert leaves(network([conv, flat, last, negated], [1, 2, 6, 6])) == ["b"]


def test_vectors_read_in_halves_leave() -> None:
    halves = node("Reshape", ["a_y", "halves"], ["h"])
    assert leaves(after_lstm(halves, dense("h", "y", "b", "to_2_of_2"))) == ["a", "b"]


def test_a_final_state_that_is_read_leaves() -> None:
    first, stored = recurrent("LSTM", "a", "x", ["a_y", "a_h"])
    nodes = [first, squeezed(), dense("a_s", "y", "b"), dense("a_h", "y2", "c")]
    assert leaves(network(nodes, ["T", 1, 4], ["y", "y2"], **stored)) == ["a", "b", "c"]
    assert leaves(network(nodes, ["T", 1, 4], ["y"], **stored)) == ["b"]


def test_a_carried_state_stays() -> None:
    parts = weights(RNG, "GRU", 4, 4)
    gru = node("GRU", ["x", "W", "R", "B", "", "h"], ["a_y", "h_new"], name="a", hidden_size=4)
    net = load(
        model(
            [gru, squeezed(), dense("a_s", "y", "b")],
            [value("x", ["T", 1, 4]), value("h", [1, 1, 4])],
            [value("y", ["T", 1, 4]), value("h_new", [1, 1, 4])],
            constants(**STORED, **parts),
        )
    )
    assert net.recurrent[0].carried
    assert leaves(net) == ["b"]


def test_an_initial_state_is_handed_over_by_the_host() -> None:
    first, stored = recurrent("GRU", "a", "x", ["", "a_h"])
    second, more = recurrent("GRU", "b", "x", ["b_y"])
    second.input.extend(["", "a_h"])
    net = network([first, second, squeezed("b_y", "y")], ["T", 1, 4], **stored, **more)
    assert leaves(net) == ["a", "b"]

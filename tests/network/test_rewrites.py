"""Every rewriting pass keeps the meaning: ONNX Runtime runs the graph before and after it."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from deltawave.errors import NetworkError
from deltawave.network import Conv, Dense, load
from deltawave.network.editing import Editor
from deltawave.network.host import HostModel
from deltawave.network.rewrites.bias import fold_lines
from deltawave.network.rewrites.bind import bind
from deltawave.network.rewrites.fold import fold, fold_shapes
from deltawave.network.rewrites.identity import remove_identities
from deltawave.network.rewrites.inline_if import inline_ifs
from deltawave.network.rewrites.qlinear import spell_out_quantised
from deltawave.network.rewrites.simplify import simplify
from network.onnx_models import constants, floats, model, node, value

RNG = np.random.default_rng(0)


def run(whole: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    names = [entry.name for entry in whole.graph.output]
    return list(HostModel(whole, names)({whole.graph.input[0].name: x}).values())


def rewritten(
    before: onnx.ModelProto, rewrite: Callable[[Editor], object], x: np.ndarray, *, exact: bool = True
) -> list[str]:
    """The operators left after a pass, once its meaning is checked on x."""
    editor = Editor(before)
    rewrite(editor)
    for found, expected in zip(run(editor.model(), x), run(before, x), strict=True):
        if exact:
            assert np.array_equal(found, expected)
        else:
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    return [entry.op_type for entry in editor.nodes]


def test_constants_are_folded() -> None:
    nodes = [
        node("Constant", [], ["two"], value_ints=[2]),
        node("ConstantOfShape", ["two"], ["zeros"]),
        node("Cast", ["zeros"], ["whole"], to=TensorProto.INT64),
        node("Concat", ["whole", "two"], ["joined"], axis=0),
        node("Slice", ["joined", "one", "three"], ["part"]),
        node("Unsqueeze", ["part", "zero"], ["row"]),
        node("Transpose", ["row"], ["column"]),
        node("Cast", ["column"], ["k"], to=TensorProto.FLOAT),
        node("Add", ["x", "k"], ["y"]),
    ]
    stored = constants(one=np.array([1]), three=np.array([3]), zero=np.array([0]))
    before = model(nodes, [value("x", [2, 3])], [value("y", [2, 3])], stored)
    assert rewritten(before, fold, floats(RNG, 2, 3)) == ["Add"]


@pytest.mark.parametrize(
    ("operator", "inputs", "flags"),
    [
        ("Add", [np.int64([1, 2]), np.int64([[3], [4]])], {}),
        ("Div", [np.int64([-7, 7, -7]), np.int64([2, -2, -2])], {}),
        ("Equal", [np.int64([1, 2]), np.int64([1, 3])], {}),
        ("Range", [np.int64(1), np.int64(9), np.int64(3)], {}),
        ("Range", [np.float32(1), np.float32(0), np.float32(-0.25)], {}),
        ("Tile", [np.int64([1, 2]), np.int64([2])], {}),
        ("Expand", [np.int64([[1], [2]]), np.int64([2, 1, 3])], {}),
        ("Where", [np.array([True, False]), np.int64([1, 2]), np.int64([3])], {}),
        ("Gather", [np.arange(12).reshape(3, 4), np.int64([[2, -1]])], {"axis": 1}),
        ("Gather", [np.arange(12).reshape(3, 4), np.int64(1)], {}),
        ("Slice", [np.arange(10), np.int64([8]), np.int64([-99]), np.int64([0]), np.int64([-3])], {}),
        ("Slice", [np.arange(12).reshape(3, 4), np.int64([1, 0]), np.int64([99, -1])], {}),
        ("Squeeze", [np.zeros((1, 3, 1), np.int64), np.int64([-1])], {}),
        ("Squeeze", [np.zeros((1, 3, 1), np.int64)], {}),
        ("Reshape", [np.arange(12).reshape(3, 4), np.int64([0, -1, 2])], {}),
        ("Flatten", [np.arange(12).reshape(3, 2, 2)], {"axis": -1}),
        ("Split", [np.arange(7), np.int64([3, 4])], {}),
        ("Transpose", [np.arange(12).reshape(3, 2, 2)], {"perm": [2, 0, 1]}),
        ("ReduceProd", [np.arange(1, 5).reshape(2, 2)], {"axes": [1], "keepdims": 0}),
        ("ReduceSum", [np.arange(4).reshape(2, 2), np.int64([0])], {}),
        ("ReduceMax", [np.arange(4).reshape(2, 2)], {}),
        ("NonZero", [np.array([0, 3, 0, 4])], {}),
        ("Shape", [np.zeros((4, 5))], {}),
        ("Size", [np.zeros((4, 5))], {}),
        ("Not", [np.array([True, False])], {}),
        ("Neg", [np.int64([1, -2])], {}),
        ("Sqrt", [np.float32([2, 3])], {}),
    ],
)
def test_folding_computes_what_onnx_runtime_does(
    operator: str, inputs: list[np.ndarray], flags: dict[str, object]
) -> None:
    names = [f"i{position}" for position in range(len(inputs))]
    made = ["a", "b"] if operator == "Split" else ["a"]
    nodes = [node(operator, names, made, **flags)]
    nodes += [node("Identity", [name], [f"out_{name}"]) for name in made]
    outputs = [onnx.ValueInfoProto(name=f"out_{name}") for name in made]
    stored = constants(**dict(zip(names, inputs, strict=True)))
    before = model(nodes, [value("x", [1])], outputs, stored, opset=14)
    after = Editor(before)
    assert fold(after)
    assert [entry.op_type for entry in after.nodes] == ["Identity"] * len(made)
    found, expected = (run(whole, np.ones(1, np.float32)) for whole in (after.model(), before))
    for left, right in zip(found, expected, strict=True):
        assert left.dtype == right.dtype
        assert np.array_equal(left, right)


def test_known_sizes_are_picked_from_shapes_that_are_partly_free() -> None:
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "last"], ["size"]),
        node("Slice", ["shape", "one", "three"], ["sizes"]),
        node("Reshape", ["k", "sizes"], ["row"]),
        node("Cast", ["size"], ["number"], to=TensorProto.FLOAT),
        node("Mul", ["row", "number"], ["scaled"]),
        node("Add", ["x", "scaled"], ["y"]),
    ]
    stored = constants(last=np.array(-1), one=np.array([1]), three=np.array([3]), k=floats(RNG, 6))
    before = model(nodes, [value("x", ["N", 2, 3])], [value("y", ["N", 2, 3])], stored)
    assert rewritten(before, simplify, floats(RNG, 4, 2, 3)) == ["Add"]


def branch(operator: str) -> onnx.GraphProto:
    """x or its negation, doubled by a constant of the branch."""
    nodes = [node(operator, ["x"], ["t"]), node("Mul", ["t", "k"], ["r"])]
    return helper.make_graph(nodes, "branch", [], [value("r", ["n"])], constants(k=np.float32(2)))


@pytest.mark.parametrize(("condition", "operator"), [(True, "Relu"), (False, "Neg")])
def test_the_branch_taken_is_inlined_under_new_names(condition: bool, operator: str) -> None:
    nodes = [
        node("If", ["c"], ["a"], then_branch=branch("Relu"), else_branch=branch("Neg")),
        node("If", ["c"], ["b"], then_branch=branch("Relu"), else_branch=branch("Neg")),
        node("Sub", ["a", "b"], ["d"]),
        node("Add", ["d", "a"], ["y"]),
    ]
    before = model(nodes, [value("x", [3])], [value("y", [3])], constants(c=np.array(condition)))

    def inline(editor: Editor) -> None:
        inline_ifs(editor)
        remove_identities(editor)

    assert rewritten(before, inline, floats(RNG, 3)) == [operator, "Mul"] * 2 + ["Sub", "Add"]


def test_nodes_that_do_nothing_go() -> None:
    nodes = [
        node("Identity", ["x"], ["a"]),
        node("Dropout", ["a"], ["b"]),
        node("Cast", ["b"], ["c"], to=TensorProto.FLOAT),
        node("Add", ["c", "zero"], ["d"]),
        node("Mul", ["one", "d"], ["e"]),
        node("Reshape", ["e", "same"], ["f"]),
        node("Slice", ["f", "begin", "end"], ["g"]),
        node("Transpose", ["g"], ["h"], perm=[0, 1]),
        node("Concat", ["h"], ["i"], axis=0),
        node("Relu", ["i"], ["j"]),
        node("Identity", ["j"], ["y"]),
    ]
    stored = constants(
        zero=np.float32(0), one=np.ones(3, np.float32), same=np.array([2, 3]), begin=np.array([0]), end=np.array([9])
    )  # fmt: skip
    before = model(nodes, [value("x", [2, 3])], [value("y", [2, 3])], stored)
    assert rewritten(before, remove_identities, floats(RNG, 2, 3)) == ["Relu"]


def test_nodes_that_do_something_stay() -> None:
    nodes = [
        node("Add", ["x", "wide"], ["a"]),  # makes [1, 3] out of [3]
        node("Slice", ["a", "last", "far", "axis", "back"], ["b"]),  # turns round
        node("Identity", ["b"], ["y"]),
        node("Identity", ["b"], ["z"]),
    ]
    stored = constants(
        wide=np.zeros((1, 3), np.float32),
        last=np.array([-1]),
        far=np.array([-99]),
        axis=np.array([1]),
        back=np.array([-1]),
    )
    before = model(nodes, [value("x", [3])], [value("y", [1, 3]), value("z", [1, 3])], stored)
    assert rewritten(before, remove_identities, floats(RNG, 3)) == ["Add", "Slice", "Identity"]


@pytest.mark.parametrize("with_bias", [False, True])
def test_batch_norms_and_additions_go_into_a_convolution(with_bias: bool) -> None:
    weights = ["x", "w", "b"] if with_bias else ["x", "w"]
    nodes = [
        node("Conv", weights, ["a"], name="conv", pads=[1, 1]),
        node("BatchNormalization", ["a", "s", "t", "m", "v"], ["n"], epsilon=1e-3),
        node("Add", ["k", "n"], ["y"]),
    ]
    stored = constants(
        w=floats(RNG, 4, 2, 3),
        b=floats(RNG, 4),
        **{name: floats(RNG, 4) for name in "stm"},
        v=np.abs(floats(RNG, 4)),
        k=floats(RNG, 4, 1),
    )
    before = model(nodes, [value("x", [1, 2, 9])], [value("y", [1, 4, 9])], stored)
    assert rewritten(before, fold_lines, floats(RNG, 1, 2, 9), exact=False) == ["Conv"]


@pytest.mark.parametrize("transposed", [0, 1])
def test_batch_norms_go_into_a_gemm(transposed: int) -> None:
    shape = (4, 3) if transposed else (3, 4)
    nodes = [
        node("Gemm", ["x", "w", "b"], ["a"], name="gemm", transB=transposed, beta=0.5, alpha=2.0),
        node("BatchNormalization", ["a", "s", "t", "m", "v"], ["y"]),
    ]
    parameters = {name: floats(RNG, 4) for name in "bstm"}
    stored = constants(w=floats(RNG, *shape), v=np.abs(floats(RNG, 4)), **parameters)
    before = model(nodes, [value("x", [2, 3])], [value("y", [2, 4])], stored)
    assert rewritten(before, fold_lines, floats(RNG, 2, 3), exact=False) == ["Gemm"]


def test_a_product_of_matrices_and_its_bias_become_a_gemm() -> None:
    nodes = [node("MatMul", ["x", "w"], ["a"], name="dense"), node("Add", ["b", "a"], ["y"])]
    w, b = floats(RNG, 3, 4), floats(RNG, 4)
    before = model(nodes, [value("x", ["N", 3])], [value("y", ["N", 4])], constants(w=w, b=b))
    assert rewritten(before, fold_lines, floats(RNG, 2, 3), exact=False) == ["Gemm"]
    (layer,) = load(before).layers
    assert isinstance(layer, Dense)
    assert np.array_equal(layer.weights, w.T)
    assert np.array_equal(layer.bias, b)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("MatMul", ["x", "w"], ["a"]), node("Add", ["a", "b"], ["y"]), node("Relu", ["a"], ["z"])],
        [node("MatMul", ["x", "w"], ["z"]), node("Add", ["z", "b"], ["y"])],
        [node("MatMul", ["x", "w"], ["a"]), node("Add", ["a", "table"], ["y"]), node("Neg", ["x"], ["z"])],
    ],
)
def test_a_product_that_others_read_or_a_table_stays(nodes: list[onnx.NodeProto]) -> None:
    stored = constants(w=floats(RNG, 3, 4), b=floats(RNG, 4), table=floats(RNG, 2, 4))
    outputs = [value("y", [2, 4]), onnx.ValueInfoProto(name="z")]
    before = model(nodes, [value("x", [2, 3])], outputs, stored)
    assert rewritten(before, fold_lines, floats(RNG, 2, 3)) == [entry.op_type for entry in nodes]


def quantised_convolution() -> onnx.ModelProto:
    stored = constants(
        s=np.float32(0.05),
        z=np.uint8(128),
        w=RNG.integers(-100, 100, (4, 2, 3, 3)).astype(np.int8),
        ws=np.float32([0.01, 0.02, 0.03, 0.04]),
        wz=np.zeros(4, np.int8),
        b=RNG.integers(-99, 99, 4).astype(np.int32),
    )
    conv = node(
        "QLinearConv", ["x", "s", "z", "w", "ws", "wz", "s", "z", "b"], ["y"], name="conv", strides=[2, 2]
    )
    element = TensorProto.UINT8
    return model([conv], [value("x", [1, 2, 7, 7], element)], [value("y", [1, 4, 3, 3], element)], stored)


def quantised_product() -> onnx.ModelProto:
    stored = constants(
        s=np.float32(0.1),
        z=np.uint8(3),
        w=RNG.integers(-100, 100, (5, 4)).astype(np.int8),
        ws=np.float32(0.02),
        wz=np.int8(0),
    )
    product = node("QLinearMatMul", ["x", "s", "z", "w", "ws", "wz", "s", "z"], ["y"], name="dense")
    element = TensorProto.UINT8
    return model([product], [value("x", [2, 5], element)], [value("y", [2, 4], element)], stored)


@pytest.mark.parametrize(
    ("make", "shape"), [(quantised_convolution, (1, 2, 7, 7)), (quantised_product, (2, 5))]
)
def test_quantised_nodes_are_spelled_out_with_the_same_bits(
    make: Callable[[], onnx.ModelProto], shape: tuple[int, ...]
) -> None:
    before = make()
    x = RNG.integers(0, 256, shape).astype(np.uint8)
    kinds = rewritten(before, spell_out_quantised, x)
    assert kinds[-1] == "QuantizeLinear"
    layer = next(layer for layer in load(before).layers if isinstance(layer, Conv | Dense))
    integers = onnx.numpy_helper.to_array(before.graph.initializer[2]).astype(np.float32)
    scale = onnx.numpy_helper.to_array(before.graph.initializer[3])
    spread = integers * scale.reshape(-1, 1, 1, 1) if isinstance(layer, Conv) else (integers * scale).T
    assert np.array_equal(layer.weights, spread)


def test_quantised_weights_are_read_and_stay_quantised() -> None:
    w = RNG.integers(-100, 100, (3, 4)).astype(np.int8)
    nodes = [
        node("DequantizeLinear", ["w", "s", "z"], ["wide"], name="weights", axis=1),
        node("Transpose", ["wide"], ["turned"], name="turn", perm=[1, 0]),
        node("Gemm", ["x", "turned"], ["y"], name="dense", transB=1),
    ]
    scale = np.float32([0.1, 0.2, 0.3, 0.4])
    stored = constants(w=w, s=scale, z=np.zeros(4, np.int8))
    network = load(model(nodes, [value("x", [2, 3])], [value("y", [2, 4])], stored))
    assert [layer.kind for layer in network.layers] == ["DequantizeLinear", "Transpose", "Gemm"]
    dense = network.layers[2]
    assert isinstance(dense, Dense)
    assert np.array_equal(dense.weights, (w.astype(np.float32) * scale).T)


def test_inputs_are_bound_to_values_and_axes_to_sizes() -> None:
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["length"]),
        node("Add", ["length", "rate"], ["sum"]),
        node("Cast", ["sum"], ["number"], to=TensorProto.FLOAT),
        node("Mul", ["x", "number"], ["y"]),
    ]
    inputs = [value("x", ["length_of_x"]), value("rate", [], TensorProto.INT64)]
    whole = model(nodes, inputs, [value("y", ["length_of_x"])], constants(zero=np.array(0)))
    network = load(whole, bind={"rate": 7, "length_of_x": 3})
    assert [(tensor.name, tensor.shape) for tensor in network.inputs] == [("x", (3,))]
    assert [layer.kind for layer in network.layers] == ["Mul"]
    assert run(network.model, np.ones(3, np.float32))[0].tolist() == [10, 10, 10]


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        (
            {"rat": 1},
            "bind names 'rat', which is not an input or free axis of the network; did you mean 'rate'?",
        ),
        ({"rate": 1.5}, "bind gives rate the value 1.5, which is not of the type int64"),
        ({"rate": [1]}, "bind gives rate the shape [1], it is declared as []"),
        ({"rate": "x"}, "bind gives rate the value x, which is not of the type int64"),
        ({"n": 0}, "bind gives the axis n the size 0; a size is a whole number from 1 up"),
        ({"n": 2.5}, "bind gives the axis n the size 2.5; a size is a whole number from 1 up"),
    ],
)
def test_values_that_cannot_be_bound(bound: dict[str, object], message: str) -> None:
    inputs = [value("x", ["n"]), value("rate", [], TensorProto.INT64)]
    nodes = [node("Cast", ["rate"], ["r"], to=TensorProto.FLOAT), node("Mul", ["x", "r"], ["y"])]
    with pytest.raises(NetworkError) as caught:
        bind(Editor(model(nodes, inputs, [value("y", ["n"])])), bound)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize("opset", [7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 21])
def test_every_opset_from_7_up(opset: int) -> None:
    """Squeeze and Split take their axes and sizes as attributes in old opsets and as inputs in new ones."""
    axes = {"axes": [0]} if opset < 13 else {}
    read = ["a"] if opset < 13 else ["a", "zero"]
    split = {"num_outputs": 2} if opset >= 18 else {}
    nodes = [
        node("Split", ["x"], ["p", "q"], axis=1, **split),
        node("Add", ["p", "q"], ["a"]),
        node("Squeeze", read, ["b"], **axes),
        node("Dropout", ["b"], ["c"]),
        node("Relu", ["c"], ["y"]),
    ]
    before = model(nodes, [value("x", [1, 4])], [value("y", [2])], constants(zero=np.array([0])), opset=opset)
    assert [layer.kind for layer in load(before).layers] == ["Split", "Add", "Squeeze", "Relu"]
    rewritten(before, simplify, floats(RNG, 1, 4))


def test_shapes_of_shapes() -> None:
    nodes = [node("Shape", ["x"], ["s"]), node("Size", ["s"], ["r"]), node("Shape", ["s"], ["y"])]
    nodes.append(node("Identity", ["r"], ["z"]))
    outputs = [value("y", [1], TensorProto.INT64), value("z", [], TensorProto.INT64)]
    before = model(nodes, [value("x", ["N", 3])], outputs)
    editor = Editor(before)
    fold_shapes(editor)
    for found, expected in zip(run(editor.model(), np.ones((2, 3), np.float32)), [[2], 2], strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(("signed", "narrow"), [(1, 0), (1, 1), (0, 0), (0, 1)])
def test_quant_nodes_of_qonnx_are_spelled_out(signed: int, narrow: int) -> None:
    """On weights they are computed; on activations they are left as arithmetic."""
    w, scale, zero = floats(RNG, 3, 4), np.float32([0.25, 0.5, 0.125, 1]), np.float32(0)
    flags = {
        "signed": signed,
        "narrow": narrow,
        "rounding_mode": "ROUND",
        "domain": "qonnx.custom_op.general",
    }
    nodes = [
        node("Quant", ["w", "s", "z", "bits"], ["wq"], name="weights", **flags),
        node("Quant", ["x", "half", "z", "bits"], ["xq"], name="input", **flags),
        node("MatMul", ["xq", "wq"], ["y"], name="dense"),
    ]
    stored = constants(w=w, s=scale, z=zero, half=np.float32(0.5), bits=np.float32(3))
    whole = model(nodes, [value("x", [2, 3])], [value("y", [2, 4])], stored)
    whole.opset_import.append(helper.make_opsetid("qonnx.custom_op.general", 1))
    network = load(whole)

    low, high = (-4 + narrow, 3) if signed else (0, 7 - narrow)
    quantised_weights = np.clip(np.rint(w / scale), low, high) * scale
    dense = network.layers[-1]
    assert isinstance(dense, Dense)
    assert np.array_equal(dense.weights, quantised_weights.T)
    x = 2 * floats(RNG, 2, 3)
    quantised_input = np.clip(np.rint(x / np.float32(0.5)), low, high) * np.float32(0.5)
    np.testing.assert_allclose(run(network.original, x)[0], quantised_input @ quantised_weights, rtol=1e-6)


def test_other_rounding_is_refused() -> None:
    flags = {"rounding_mode": "FLOOR", "domain": "qonnx.custom_op.general"}
    stored = constants(s=np.float32(1), z=np.float32(0), bits=np.float32(8))
    whole = model(
        [node("Quant", ["x", "s", "z", "bits"], ["y"], name="q", **flags)],
        [value("x", [2])],
        [value("y", [2])],
        stored,
    )
    whole.opset_import.append(helper.make_opsetid("qonnx.custom_op.general", 1))
    with pytest.raises(NetworkError) as caught:
        load(whole)
    assert str(caught.value) == "q (Quant): rounding_mode is 'FLOOR', only 'ROUND' is read"

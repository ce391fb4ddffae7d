"""Damaged and hostile models: one clear error each, in bounded time and memory."""

import os
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from deltawave.errors import NetworkError
from deltawave.network import Limits, load
from network.onnx_models import constants, model, node, streaming, value

X, Y = [value("x", [2])], [value("y", ["n"])]
NOT_A_MODEL = "the data is not an ONNX model: damaged, truncated or of another format"


def refused(source: object, **options: object) -> str:
    """The message with which a source is refused."""
    with pytest.raises(NetworkError) as caught:
        load(source, **options)  # type: ignore[arg-type]
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (7, "a network is a path, bytes or an onnx.ModelProto, got int"),
        ("no/such.onnx", "no/such.onnx: no such file"),
        (b"", "the data is not an ONNX model: it holds no graph"),
        (b"hello world", NOT_A_MODEL),
        (streaming("GRU").SerializeToString()[:-3], NOT_A_MODEL),
        (streaming("GRU").SerializeToString()[:100], NOT_A_MODEL),
        (b"\x3a\x04\x12\x02a\n", "the name 'a\\n' holds control characters"),
        (b"\x3a\x04\x12\x02\xff\xfe", "the file is damaged: the name b'\\xff\\xfe' is not UTF-8 text"),
    ],
)
def test_what_is_no_model(source: object, message: str) -> None:
    assert refused(source) == message


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    assert refused(tmp_path) == f"{tmp_path} is not a file; give the path of an ONNX file"
    assert refused("a\0b").endswith("no such file") or "null byte" in refused("a\0b")


def test_limits() -> None:
    gru = streaming("GRU")
    size = gru.ByteSize()
    assert (
        refused(gru, limits=Limits(file_bytes=100))
        == "the model is larger than 100 bytes (Limits.file_bytes)"
    )
    assert refused(gru, limits=Limits(fields=9)) == "the file holds more than 9 fields (Limits.fields)"
    assert refused(gru, limits=Limits(nodes=0)) == "the model has more than 0 nodes (Limits.nodes)"
    assert load(gru, limits=Limits(file_bytes=size)).recurrent


def test_a_file_is_not_read_beyond_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "large.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert (
        refused(path, limits=Limits(file_bytes=1000))
        == f"{path} is larger than 1000 bytes (Limits.file_bytes)"
    )


def relu(read: str, made: str, name: str = "") -> onnx.NodeProto:
    return node("Relu", [read], [made], name=name)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            [relu("b", "a", "n1"), relu("a", "b", "n2"), relu("a", "y")],
            "the graph has a cycle through n1 (Relu)",
        ),
        ([relu("y", "y")], "the graph has a cycle through y (Relu)"),
        ([relu("x", "y"), relu("x", "y")], "the tensor 'y' is defined more than once"),
        ([relu("x", "x"), relu("x", "y")], "the tensor 'x' is defined more than once"),
        ([relu("q", "y")], "y (Relu) reads 'q', which nothing makes"),
        ([relu("x", "z")], "the output 'y' is made by no node"),
        ([node("Foo", ["x"], ["y"], name="f")], "f (Foo): there is no such operator in opset 14"),
        ([node("Foo", ["x"], ["y"], domain="z")], "y (Foo) is of the domain 'z', which is not known"),
        (
            [node("Conv", ["x"], ["y"], name="c")],
            "the model breaks a rule of ONNX:"
            " Node(c) with schema(::Conv:11) has input size 1 not in range [min=2, max=3].",
        ),
    ],
)
def test_graphs_that_are_not_sound(nodes: list[onnx.NodeProto], message: str) -> None:
    assert refused(model(nodes, X, Y)) == message


def test_interfaces_that_are_not_sound() -> None:
    nodes = [relu("x", "y")]
    assert refused(model(nodes, X, [])) == "the model has no outputs"
    assert refused(model(nodes, X, Y * 2)) == "the output 'y' is listed 2 times"
    assert refused(model(nodes, [value("x", [-5])], Y)).startswith("x has the shape [-5]; ")
    huge = refused(model(nodes, [value("x", [1 << 40, 1 << 40])], Y))
    assert huge == "x has the shape [1099511627776, 1099511627776]; at most 1073741824 values are taken"
    sequence = helper.make_tensor_sequence_value_info("x", TensorProto.FLOAT, [2])
    message = "x is not a tensor; sequences, maps and optionals are not supported"
    assert refused(model(nodes, [sequence], Y)) == message


@pytest.mark.parametrize("opset", [6, 999])
def test_opsets(opset: int) -> None:
    newest = onnx.defs.onnx_opset_version()
    assert refused(model([relu("x", "y")], X, Y, opset=opset)) == (
        f"the model uses opset {opset}, opsets 7 to {newest} are read; export it again"
    )


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (
            TensorProto(name="k", data_type=1, dims=[1 << 40], raw_data=b"1234"),
            "tensor k of shape [1099511627776] needs more than 1073741824 bytes (Limits.tensor_bytes)",
        ),
        (
            TensorProto(name="k", data_type=1, dims=[1 << 20], raw_data=b"1234"),
            "tensor k of shape [1048576] needs 4194304 bytes, 4 are stored",
        ),
        (
            TensorProto(name="k", data_type=1, dims=[3], float_data=[1, 2]),
            "tensor k of shape [3] needs 3 values, 2 are stored",
        ),
        (
            TensorProto(name="k", data_type=1, dims=[-1]),
            "tensor k has the shape [-1]; sizes cannot be negative",
        ),
        (
            TensorProto(name="k", data_type=99, dims=[1]),
            "tensor k has element type 99, which is not supported",
        ),
    ],
)
def test_tensors_that_are_not_sound(tensor: onnx.TensorProto, message: str) -> None:
    assert refused(model([node("Add", ["x", "k"], ["y"])], X, Y, [tensor])) == message


BOMBS: dict[str, tuple[list[onnx.NodeProto], dict[str, object]]] = {
    "ConstantOfShape": (
        [node("ConstantOfShape", ["s"], ["z"], name="b"), node("Add", ["x", "z"], ["y"])],
        {"s": [1 << 20, 1 << 20]},
    ),
    "Expand": ([node("Expand", ["x", "s"], ["y"], name="b")], {"s": [1 << 20, 1 << 20, 2]}),
    "Tile": ([node("Tile", ["x", "s"], ["y"], name="b")], {"s": [1 << 40]}),
    "Pad": ([node("Pad", ["x", "s"], ["y"], name="b")], {"s": [0, 1 << 40]}),
    "Range": (
        [
            node("Range", ["s", "t", "u"], ["z"], name="b"),
            node("ReduceSum", ["z"], ["w"]),
            node("Add", ["x", "w"], ["y"]),
        ],
        {"s": 0, "t": 1 << 60, "u": 1},
    ),
    "doubled constants": (
        [node("Concat", [f"a{i}" if i else "s"] * 2, [f"a{i + 1}"], axis=0) for i in range(60)]
        + [node("ReduceSum", ["a60"], ["z"]), node("Add", ["x", "z"], ["y"])],
        {"s": np.ones(1, np.float32)},
    ),
    "doubled input": (
        [node("Concat", [f"a{i}" if i else "x"] * 2, [f"a{i + 1}" if i < 59 else "y"], axis=0) for i in range(60)],
        {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_small_files_of_large_results(name: str) -> None:
    nodes, stored = BOMBS[name]
    tracemalloc.start()
    try:
        message = refused(model(nodes, X, Y, constants(**stored)))  # type: ignore[arg-type]
        assert tracemalloc.get_traced_memory()[1] < 1 << 28
    finally:
        tracemalloc.stop()
    assert "(Limits." in message or message.startswith("ONNX Runtime does not take the model: "), message


def test_constants_are_computed_within_their_limit_only() -> None:
    nodes = [node("ConstantOfShape", ["s"], ["z"], name="fill"), node("Add", ["x", "z"], ["y"], name="add")]
    filled = model(nodes, [value("x", [1000])], [value("y", [1000])], constants(s=np.array([1000])))
    assert [layer.name for layer in load(filled).layers] == ["add"]
    assert refused(filled, limits=Limits(computed_bytes=3999)) == (
        "fill (ConstantOfShape) makes a constant of 4000 bytes, room is left for 3999 (Limits.computed_bytes)"
    )


def test_graphs_nested_too_deep() -> None:
    def nested(levels: int) -> onnx.NodeProto:
        inner = relu("x", f"o{levels}") if levels == 0 else nested(levels - 1)
        branches = [
            helper.make_graph([inner], "then", [], [value(f"o{max(levels - 1, 0)}", [2])]),
            helper.make_graph([relu("x", f"e{levels}")], "else", [], [value(f"e{levels}", [2])]),
        ]
        return node("If", ["c"], [f"o{levels}"], then_branch=branches[0], else_branch=branches[1])

    deep = [nested(20), node("Identity", ["o20"], ["y"])]
    message = refused(model(deep, [*X, value("c", [], TensorProto.BOOL)], Y))
    assert message == "graphs nest deeper than 16 levels (Limits.nesting)"


def functions(bodies: dict[str, list[str]]) -> onnx.ModelProto:
    """Functions that call each other: name -> names of the functions it calls one after the other."""
    whole = model([node("F0", ["x"], ["y"], domain="own")], X, Y)
    opsets = [helper.make_opsetid("", 14), helper.make_opsetid("own", 1)]
    for name, calls in bodies.items():
        nodes = [
            node(
                call,
                [f"t{number}" if number else "a"],
                [f"t{number + 1}"],
                domain="" if call == "Relu" else "own",
            )
            for number, call in enumerate(calls)
        ]
        nodes[-1].output[0] = "b"
        whole.functions.append(helper.make_function("own", name, ["a"], ["b"], nodes, opsets))
    whole.opset_import.append(opsets[1])
    return whole


def test_functions() -> None:
    assert [layer.kind for layer in load(functions({"F0": ["F1", "F1"], "F1": ["Relu"]})).layers] == [
        "Relu",
        "Relu",
    ]
    message = "the function F0 calls itself, or functions nest too deep"
    assert refused(functions({"F0": ["F1"], "F1": ["F0"]})) == message
    wide = {f"F{level}": [f"F{level + 1}"] * 20 for level in range(9)} | {"F9": ["Relu"]}
    assert refused(functions(wide)) == "the functions unfold to more than 20000 nodes (Limits.nodes)"


def external(folder: Path, **entries: str) -> Path:
    """A model whose constant lies in another file."""
    tensor = TensorProto(name="k", data_type=1, dims=[2], data_location=TensorProto.EXTERNAL)
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=text)
    path = folder / "model.onnx"
    path.write_bytes(model([node("Add", ["x", "k"], ["y"])], X, Y, [tensor]).SerializeToString())
    return path


def test_external_data_in_the_folder_is_read(tmp_path: Path) -> None:
    np.array([9, 1, 2], np.float32).tofile(tmp_path / "weights.bin")
    network = load(external(tmp_path, location="weights.bin", offset="4", length="8"))
    assert np.array_equal(onnx.numpy_helper.to_array(network.model.graph.initializer[0]), [1, 2])


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"location": "../outside.bin"}, "tensor k: '../outside.bin' leaves the model's folder"),
        (
            {"location": "/etc/hostname"},
            "tensor k: '/etc/hostname' is not a path relative to the model's folder",
        ),
        ({"location": "link"}, "tensor k: 'link' leaves the model's folder"),
        ({"location": "missing"}, "tensor k: there is no file 'missing' in the model's folder"),
        ({"location": "pipe"}, "tensor k: there is no file 'pipe' in the model's folder"),
        ({"location": "."}, "tensor k: there is no file '.' in the model's folder"),
        ({}, "tensor k: '' is not a path relative to the model's folder"),
        ({"location": "w", "offset": "4"}, "tensor k needs 8 bytes at 4 of w, it ends earlier"),
        ({"location": "w", "offset": "-1"}, "tensor k: external data has offset '-1', not a number of bytes"),
        ({"location": "w", "length": "9"}, "tensor k needs 8 bytes, its external data has length 9"),
    ],
)
def test_external_data_that_is_not_sound(tmp_path: Path, entries: dict[str, str], message: str) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    (tmp_path / "outside.bin").write_bytes(bytes(8))
    (folder / "w").write_bytes(bytes(8))
    (folder / "link").symlink_to(tmp_path / "outside.bin")
    os.mkfifo(folder / "pipe")
    assert refused(external(folder, **entries)) == message


def test_external_data_needs_a_path(tmp_path: Path) -> None:
    data = external(tmp_path, location="w").read_bytes()
    assert refused(data) == "tensor k lies in another file ('w'); load the model from its path"


CHAINS: dict[str, Callable[[str, str], list[onnx.NodeProto]]] = {
    "nodes": lambda read, made: [relu(read, made)],
    "identities": lambda read, made: [node("Identity", [read], [made])],
    "sums": lambda read, made: [node("Add", [read, read], [made])],
    "constants": lambda read, made: [
        node("Constant", [], [f"c{made}"], value_float=1.0),
        node("Add", [read, f"c{made}"], [made]),
    ],
}


@pytest.mark.parametrize("kind", CHAINS)
def test_long_chains_take_time_in_proportion(kind: str) -> None:
    length = 1500
    nodes = [
        entry
        for index in range(length)
        for entry in CHAINS[kind](
            f"a{index}" if index else "x", f"a{index + 1}" if index < length - 1 else "y"
        )
    ]
    begun = time.monotonic()
    load(model(nodes[::-1], X, Y))
    assert time.monotonic() - begun < 10


def test_a_flood_of_empty_messages_is_counted_not_parsed() -> None:
    flood = b"\x0a\x00" * 100_000
    size = len(flood)
    header = b"\x3a" + bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14])
    tracemalloc.start()
    try:
        message = refused(header + flood, limits=Limits(fields=50_000))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert message == "the file holds more than 50000 fields (Limits.fields)"

"""Whatever happens to the bytes or the fields of a model, it is a network or one of our errors, soon."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from google.protobuf.descriptor import FieldDescriptor as Field
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from deltawave.errors import DeltawaveError
from deltawave.network import load
from network.onnx_models import constants, floats, model, node, streaming, value
from network.test_written_cells import scanned
from network.written_cells import joined_lstm, keras_gru, keras_lstm, plain_rnn, torch_gru


def convolution() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        node("Conv", ["x", "w", "b"], ["a"], pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["a", "b", "b", "b", "v"], ["n"]),
        node("MaxPool", ["n"], ["p"], kernel_shape=[2, 2], strides=[2, 2], auto_pad="SAME_UPPER"),
        node("Flatten", ["p"], ["f"]),
        node("MatMul", ["f", "g"], ["m"]),
        node("Add", ["m", "h"], ["y"]),
    ]
    stored = constants(
        w=floats(rng, 4, 2, 3, 3),
        b=floats(rng, 4),
        v=np.ones(4, np.float32),
        g=floats(rng, 64, 3),
        h=floats(rng, 3),
    )
    return model(nodes, [value("x", ["N", 2, 8, 8])], [value("y", ["N", 3])], stored)


def quantised() -> onnx.ModelProto:
    rng = np.random.default_rng(0)
    nodes = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("QLinearConv", ["q", "s", "z", "w", "ws", "wz", "s", "z", "b"], ["r"]),
        node("DequantizeLinear", ["r", "s", "z"], ["y"]),
    ]
    stored = constants(
        s=np.float32(0.05),
        z=np.uint8(128),
        w=rng.integers(-100, 100, (4, 2, 3, 3)).astype(np.int8),
        ws=np.full(4, 0.01, np.float32),
        wz=np.zeros(4, np.int8),
        b=np.arange(4, dtype=np.int32),
    )
    return model(nodes, [value("x", [1, 2, 6, 6])], [value("y", [1, 4, 4, 4])], stored)


def branching() -> onnx.ModelProto:
    branches = [
        helper.make_graph([node(operator, ["x"], [operator])], "branch", [], [value(operator, ["N", 3])])
        for operator in ("Relu", "Neg")
    ]
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("Gather", ["s", "one"], ["d"]),
        node("Equal", ["d", "three"], ["c"]),
        node("If", ["c"], ["y"], then_branch=branches[0], else_branch=branches[1]),
    ]
    stored = constants(one=np.int64(1), three=np.int64(3))
    return model(nodes, [value("x", ["N", 3])], [value("y", ["N", 3])], stored)


def looping() -> onnx.ModelProto:
    body = helper.make_graph(
        [node("Add", ["a", "k"], ["b"]), node("Identity", ["go"], ["on"])],
        "body",
        [value("i", [], TensorProto.INT64), value("go", [], TensorProto.BOOL), value("a", [2])],
        [value("on", [], TensorProto.BOOL), value("b", [2])],
    )
    stored = constants(n=np.int64(3), t=np.bool_(True), k=np.ones(2, np.float32))
    return model(
        [node("Loop", ["n", "t", "x"], ["y"], body=body)], [value("x", [2])], [value("y", [2])], stored
    )


BASES = [
    *(streaming(kind) for kind in ("LSTM", "GRU", "RNN")),
    *(cell() for cell in (keras_lstm, joined_lstm, torch_gru, keras_gru, plain_rnn)),
    *(maker() for maker in (convolution, quantised, branching, looping)),
    scanned(keras_lstm()),
]
NUMBERS = [0, 1, -1, 2, 3, 7, 16, 4096, 1 << 31, 1 << 32, -(1 << 63), (1 << 63) - 1]
TEXTS = [
    "",
    "x",
    "y",
    "h",
    "W",
    "../x",
    "Add",
    "LSTM",
    "GRU",
    "If",
    "Scan",
    "Constant",
    "Reshape",
    "Concat",
    "\0",
]
BYTES = [b"", b"reverse", b"bidirectional", b"Tanh", b"SAME_LOWER", b"\xff" * 16]
VALUES: dict[int, list[Any]] = {
    Field.CPPTYPE_INT32: [0, 1, 2, 7, 9, 10, 99],
    Field.CPPTYPE_INT64: NUMBERS,
    Field.CPPTYPE_UINT64: [abs(number) for number in NUMBERS],
    Field.CPPTYPE_FLOAT: [0.0, 1.0, -1.0, 1e30, float("nan"), float("inf")],
    Field.CPPTYPE_DOUBLE: [0.0, float("nan")],
    Field.CPPTYPE_STRING: TEXTS,
}


def outcome(data: bytes) -> str:
    """'' for a network, else the message."""
    try:
        load(data)
    except DeltawaveError as error:
        return str(error)
    return ""


@given(
    st.sampled_from(BASES),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=6), st.integers(0, 12)), min_size=1, max_size=6),
)
@settings(deadline=10_000, max_examples=250)
def test_any_bytes(base: onnx.ModelProto, edits: list[tuple[float, bytes, int]]) -> None:
    data = base.SerializeToString()
    for place, inserted, removed in edits:
        position = int(place * len(data))
        data = data[:position] + inserted + data[position + removed :]
    assert "\n" not in outcome(data)


@given(st.sampled_from(BASES), st.data())
@settings(deadline=10_000, max_examples=400)
def test_any_fields(base: onnx.ModelProto, data: st.DataObject) -> None:
    changed = onnx.ModelProto()
    changed.CopyFrom(base)
    for _ in range(data.draw(st.integers(1, 4))):
        edit(changed, data.draw)
    assert "\n" not in outcome(changed.SerializeToString())


def messages(message: Any) -> Iterator[Any]:
    """A message and all within it."""
    yield message
    for field, content in message.ListFields():
        if field.message_type is not None:
            for part in content if field.is_repeated else [content]:
                yield from messages(part)


def edit(whole: onnx.ModelProto, draw: Any) -> None:
    """Change one field of one message somewhere in the model."""
    target = draw(st.sampled_from(list(messages(whole))))
    fields = [field for field, _ in target.ListFields()]
    if not fields:
        return
    field = draw(st.sampled_from(fields))
    change = edit_message if field.message_type is not None else edit_value
    change(whole, target, field, draw)


def edit_message(whole: onnx.ModelProto, target: Any, field: Any, draw: Any) -> None:
    """Leave one out, or put another of the same type there."""
    alike = [message for message in messages(whole) if message.DESCRIPTOR is field.message_type]
    copy = type(alike[0])()
    copy.CopyFrom(draw(st.sampled_from(alike)))
    if not field.is_repeated:
        getattr(target, field.name).CopyFrom(copy)
        return
    entries = getattr(target, field.name)
    if draw(st.booleans()):
        entries.add().CopyFrom(copy)
    else:
        del entries[draw(st.integers(0, len(entries) - 1))]


def edit_value(whole: onnx.ModelProto, target: Any, field: Any, draw: Any) -> None:
    """Another number or text."""
    if field.type == Field.TYPE_BYTES:
        values: list[Any] = BYTES
    elif field.cpp_type == Field.CPPTYPE_ENUM:
        values = [entry.number for entry in field.enum_type.values]
    else:
        values = VALUES[field.cpp_type]
    chosen = draw(st.sampled_from(values))
    if not field.is_repeated:
        setattr(target, field.name, chosen)
        return
    entries = getattr(target, field.name)
    index = draw(st.integers(0, len(entries)))
    if index < len(entries):
        entries[index] = chosen
    else:
        entries.append(chosen)

"""Reads a model file without trusting it: every size is checked before it is believed."""

import os
from pathlib import Path
from typing import TypeAlias

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from deltawave.errors import NetworkError
from deltawave.network.external_data import embed_external_data
from deltawave.network.limits import Limits
from deltawave.network.onnx_check import check_model
from deltawave.network.wire import Truncated, scan

Source: TypeAlias = "str | os.PathLike[str] | bytes | onnx.ModelProto"


def read(source: Source, limits: Limits) -> tuple[str, onnx.ModelProto]:
    """The name of a model and the model itself, whole (external data included) and checked.

    Raises NetworkError for anything that is not a sound ONNX model within the limits.
    """
    name, folder, place, data = _contents(source, limits)
    model = _parse(place, data, limits)
    embed_external_data(model, folder, limits)
    return name, check_model(model, limits)


def _contents(source: Source, limits: Limits) -> tuple[str, Path | None, str, bytes]:
    """Name, folder, how to call it in a message, and the bytes."""
    if isinstance(source, bytes):
        return "model", None, "the data", source
    if isinstance(source, onnx.ModelProto):
        return "model", None, "the model", source.SerializeToString()
    try:
        path = Path(source)
    except TypeError as error:
        raise NetworkError(
            f"a network is a path, bytes or an onnx.ModelProto, got {type(source).__name__}"
        ) from error
    return path.stem, path.parent, str(path), _file(path, limits)


def _file(path: Path, limits: Limits) -> bytes:
    try:
        if not path.exists():
            raise NetworkError(f"{path}: no such file")
        if not path.is_file():
            raise NetworkError(f"{path} is not a file; give the path of an ONNX file")
        with path.open("rb") as file:
            # one byte more shows that there is more
            return file.read(limits.file_bytes + 1)
    except (OSError, ValueError) as error:
        raise NetworkError(f"{str(path)!r} cannot be read: {error}") from error


def _parse(place: str, data: bytes, limits: Limits) -> onnx.ModelProto:
    if len(data) > limits.file_bytes:
        raise NetworkError(f"{place} is larger than {limits.file_bytes} bytes (Limits.file_bytes)")
    try:
        scan(data, onnx.ModelProto.DESCRIPTOR, limits.fields)
        model = onnx.ModelProto.FromString(data)
    except (Truncated, DecodeError) as error:
        raise NetworkError(
            f"{place} is not an ONNX model: damaged, truncated or of another format"
        ) from error
    if not model.HasField("graph"):
        raise NetworkError(f"{place} is not an ONNX model: it holds no graph")
    return model

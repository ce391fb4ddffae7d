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

Source: TypeAlias = "str | os.PathLike[str] | bytes | onnx.ModelProto"


def read(source: Source, limits: Limits) -> tuple[str, onnx.ModelProto]:
    """The name of a model and the model itself, whole (external data included) and checked.

    Raises NetworkError for anything that is not a sound ONNX model within the limits.
    """
    if isinstance(source, bytes):
        name, folder, model = "model", None, _parse("these bytes", source, limits)
    elif isinstance(source, onnx.ModelProto):
        name, folder, model = "model", None, onnx.ModelProto()
        model.CopyFrom(source)
    else:
        path = _path(source)
        name, folder, model = path.stem, path.parent, _parse(str(path), _contents(path, limits), limits)
    embed_external_data(model, folder, limits)
    return name, check_model(model, limits)


def _path(source: str | os.PathLike[str]) -> Path:
    try:
        return Path(source)
    except TypeError as error:
        raise NetworkError(
            f"a network is a path, bytes or an onnx.ModelProto, got {type(source).__name__}"
        ) from error


def _contents(path: Path, limits: Limits) -> bytes:
    if not path.exists():
        raise NetworkError(f"{path}: no such file")
    if not path.is_file():
        raise NetworkError(f"{path} is not a file; give the path of an ONNX file")
    size_bytes = path.stat().st_size
    if size_bytes > limits.file_bytes:
        raise NetworkError(
            f"{path} has {size_bytes} bytes, at most {limits.file_bytes} are read (Limits.file_bytes)"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise NetworkError(f"{path} cannot be read: {error.strerror}") from error


def _parse(place: str, data: bytes, limits: Limits) -> onnx.ModelProto:
    if len(data) > limits.file_bytes:
        raise NetworkError(
            f"{place} has {len(data)} bytes, at most {limits.file_bytes} are read (Limits.file_bytes)"
        )
    try:
        model = onnx.ModelProto.FromString(data)
    except DecodeError as error:
        raise NetworkError(
            f"{place} is not an ONNX model: damaged, truncated or of another format"
        ) from error
    if not model.HasField("graph"):
        raise NetworkError(f"{place} is not an ONNX model: it holds no graph")
    return model

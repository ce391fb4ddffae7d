"""Brings external tensor data into the model, from the model's own folder and nowhere else."""

from pathlib import Path

import onnx

from deltawave.errors import NetworkError
from deltawave.network.limits import Limits
from deltawave.network.onnx_check import all_tensors, element_count, stored_bytes


def embed_external_data(model: onnx.ModelProto, folder: Path | None, limits: Limits) -> None:
    """Replace references to files by their contents. Raises NetworkError for a path that leaves `folder`."""
    total = 0
    for tensor in all_tensors(model, limits):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        size = stored_bytes(tensor, element_count(tensor, limits))
        total += size
        if total > limits.tensor_bytes:
            raise NetworkError(
                f"the tensors need more than {limits.tensor_bytes} bytes (Limits.tensor_bytes)"
            )
        tensor.raw_data = _external_bytes(tensor, folder, size)
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


def _external_bytes(tensor: onnx.TensorProto, folder: Path | None, size: int) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    path = _path_inside(tensor.name, folder, entries.get("location", ""))
    offset = _number(tensor.name, "offset", entries.get("offset", "0"))
    length = _number(tensor.name, "length", entries.get("length", str(size)))
    if length != size:
        raise NetworkError(f"tensor {tensor.name} needs {size} bytes, its external data has length {length}")
    try:
        with path.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
    except (OSError, OverflowError, ValueError) as error:
        raise NetworkError(f"tensor {tensor.name}: {path} cannot be read: {error}") from error
    if len(data) != size:
        raise NetworkError(
            f"tensor {tensor.name} needs {size} bytes at {offset} of {path.name}, it ends earlier"
        )
    return data


def _path_inside(name: str, folder: Path | None, location: str) -> Path:
    if folder is None:
        raise NetworkError(f"tensor {name} lies in another file ({location!r}); load the model from its path")
    if not location or "\0" in location or Path(location).is_absolute():
        raise NetworkError(f"tensor {name}: {location!r} is not a path relative to the model's folder")
    home, path = folder.resolve(), (folder / location).resolve()
    if not path.is_relative_to(home):
        raise NetworkError(f"tensor {name}: {location!r} leaves the model's folder")
    if not path.is_file():
        raise NetworkError(f"tensor {name}: there is no file {location!r} in the model's folder")
    return path


def _number(name: str, key: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise NetworkError(f"tensor {name}: external data has {key} {text!r}, not a number of bytes")
    return int(text)

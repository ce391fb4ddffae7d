"""Streams of inputs from files: .npy, .npz, .wav, and .txt where a network takes whole numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deltawave.arrays import read_npy, read_npz
from deltawave.data.audio import magnitudes, read_wav, windows
from deltawave.data.labels import LABEL_KEYS
from deltawave.data.text import read_tokens, read_vocabulary
from deltawave.errors import InputError
from deltawave.files import PathLike, contents
from deltawave.network import Network
from deltawave.network.graph import Tensor
from deltawave.network.streams import Item
from deltawave.options import nearest

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Recording:
    """How a recording becomes frames.

    rate_hz: what the network was trained for (a recording of another rate is refused); window: samples in a frame,
    by default the network's input size; hop: new ones in each, which must be given, since a network that takes features
    looks like one that takes samples; `spectrum`: frames are transformed first.
    """

    rate_hz: int | None = None
    window: int | None = None
    hop: int | None = None
    spectrum: Literal["magnitude"] | None = None


@dataclass(frozen=True, kw_only=True)
class Sources:
    """How files are read.

    keys: arrays of .npz files that are data; `separate`: each item of an array is a stream of its own, and not a
    call of one stream; vocabulary: a JSON file for texts.
    """

    keys: tuple[str, ...] = ()
    separate: bool = False
    vocabulary: PathLike | None = None
    recording: Recording = Recording()


AS_THEY_ARE = Sources()


def read_inputs(network: Network, path: PathLike, sources: Sources = AS_THEY_ARE) -> list[Item]:
    """The data in a file, ready for `Program.run`. Raises InputError."""
    readers = {".npy": _npy, ".npz": _npz, ".wav": _wav, ".txt": _txt}
    suffix = Path(path).suffix.lower()
    if suffix not in readers:
        raise InputError(f"{path}: inputs come as {', '.join(readers)}")
    data = readers[suffix](network, path, sources)
    return [part for item in data for part in _separated(item)] if sources.separate else data


def _separated(item: Item) -> list[Item]:
    """The items of an array, or of arrays by name, along the first axis."""
    if not isinstance(item, Mapping):
        return list(np.asarray(item))
    columns = [np.asarray(array) for array in item.values()]
    return [dict(zip(item, row, strict=True)) for row in zip(*columns, strict=False)]


def _npy(network: Network, path: PathLike, sources: Sources) -> list[Item]:
    return [read_npy(contents(path), str(path))]


def _npz(network: Network, path: PathLike, sources: Sources) -> list[Item]:
    """The arrays of the given keys, those named as the network's inputs, or the only one that is no label."""
    arrays = read_npz(contents(path), str(path))
    for key in sources.keys:
        if key not in arrays:
            raise InputError(f"{path} has no array {key!r}; {nearest(key, arrays)}")
    if sources.keys:
        return [arrays[key] for key in sources.keys]
    names = [tensor.name for tensor in network.inputs]
    if all(name in arrays for name in names):
        return [{name: arrays[name] for name in names}]
    return [_only(arrays, path)]


def _only(arrays: Mapping[str, Array], path: PathLike) -> Array:
    data = [name for name in arrays if name not in LABEL_KEYS]
    if len(data) != 1:
        raise InputError(
            f"{path} holds {', '.join(sorted(arrays)) or 'nothing'}; say which array is the input (--input-key)"
        )
    return arrays[data[0]]


def _wav(network: Network, path: PathLike, sources: Sources) -> list[Item]:
    recording = sources.recording
    size = _frame_size(_only_input(network, path), recording, path)
    samples, rate_hz = read_wav(contents(path), str(path))
    if recording.rate_hz is not None and rate_hz != recording.rate_hz:
        raise InputError(
            f"{path} has {rate_hz} samples a second, the network takes {recording.rate_hz}; resample it"
        )
    if recording.hop is None:
        raise InputError(
            f"{path} is a recording: give the hop (--hop), the new samples in each frame of {size}"
        )
    frames = windows(samples, size, recording.hop, str(path))
    return [magnitudes(frames) if recording.spectrum else frames]


def _frame_size(tensor: Tensor, recording: Recording, path: PathLike) -> int:
    """Samples in a window: as asked for, else as many as the network's last axis takes."""
    last = tensor.shape[-1] if tensor.shape else 1
    if recording.window is None and not isinstance(last, int):
        raise InputError(
            f"{path}: the input {tensor.name} takes frames of any size; give the window in samples (--window)"
        )
    wanted = int(last) if isinstance(last, int) else 0
    size = 2 * (wanted - 1) if recording.spectrum else wanted
    if recording.window not in (None, size) and wanted:
        raise InputError(
            f"{path}: the input {tensor.name} takes windows of {size} samples, not {recording.window}"
        )
    return recording.window or size


def _txt(network: Network, path: PathLike, sources: Sources) -> list[Item]:
    tensor = _only_input(network, path)
    if np.dtype(tensor.dtype).kind not in "iu":
        raise InputError(
            f"{path}: the input {tensor.name} takes {tensor.dtype}, not the whole numbers of a text"
        )
    if sources.vocabulary is None:
        raise InputError(f"{path}: a text needs a vocabulary, a JSON file of characters to numbers (--vocab)")
    return [read_tokens(path, read_vocabulary(sources.vocabulary)).astype(tensor.dtype)]


def _only_input(network: Network, path: PathLike) -> Tensor:
    if len(network.inputs) != 1:
        names = ", ".join(tensor.name for tensor in network.inputs)
        raise InputError(
            f"{path}: the network has the inputs {names}; give a .npz with an array for each, "
            "or fix those that never change, and free sizes, with --bind"
        )
    return network.inputs[0]

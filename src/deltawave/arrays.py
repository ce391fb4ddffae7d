"""Arrays from .npy and .npz files that nobody vouches for.

Every size is checked before anything of that size is allocated, nothing is ever unpickled, and whatever is wrong
with the bytes is one InputError.
"""

import io
import math
import warnings
import zipfile
import zlib
from collections.abc import Mapping
from tokenize import TokenError

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from deltawave.errors import InputError
from deltawave.files import MOST_BYTES

Array = NDArray[np.generic]
ZIP_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, OverflowError)
"""What zipfile raises for damaged archives (RuntimeError: unknown compression, encryption)."""
NPY_DAMAGE = (
    ValueError,
    SyntaxError,
    TypeError,
    EOFError,
    OverflowError,
    RecursionError,
    TokenError,
    Warning,
)


def read_npy(data: bytes, place: str) -> Array:
    """The array in the bytes of a .npy file. Raises InputError; `place` names the file in messages."""
    stream = io.BytesIO(data)
    try:
        shape, _, dtype = _header(stream)
    except NPY_DAMAGE as error:
        raise InputError(f"{place} is not a .npy array: damaged or of another format") from error
    if dtype.hasobject:
        raise InputError(f"{place} holds Python objects, which are never loaded; save plain numbers")
    needed, there = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
    if needed != there:
        raise InputError(f"{place} is damaged: its header promises {needed} bytes of numbers, it has {there}")
    stream.seek(0)
    try:
        return npy.read_array(stream, allow_pickle=False)
    except NPY_DAMAGE as error:  # more axes, or a larger empty array, than NumPy has
        raise InputError(f"{place} is damaged: there is no array of the shape in its header") from error


def read_npz(data: bytes, place: str, most_bytes: int = MOST_BYTES) -> dict[str, Array]:
    """The arrays in the bytes of a .npz file by name. Raises InputError."""
    members = read_zip(data, place, most_bytes)
    return {name.removesuffix(".npy"): read_npy(data, f"{name} in {place}") for name, data in members.items()}


def read_zip(data: bytes, place: str, most_bytes: int = MOST_BYTES) -> dict[str, bytes]:
    """The members of a zip archive by name, unpacked only if small enough together. Raises InputError."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(info.file_size for info in archive.infolist())
            if unpacked > most_bytes:
                raise InputError(f"{place} unpacks to {unpacked} bytes; at most {most_bytes} are read")
            return {info.filename: archive.read(info) for info in archive.infolist()}
    except ZIP_DAMAGE as error:
        raise InputError(f"{place} is not a zip archive: damaged, truncated or of another format") from error


def write_npz(arrays: Mapping[str, Array]) -> bytes:
    """The bytes of a .npz file: the same arrays give the same bytes."""
    return write_zip({f"{name}.npy": _npy(array) for name, array in arrays.items()})


def write_zip(members: Mapping[str, bytes]) -> bytes:
    """The bytes of a zip archive, without dates, so that equal contents are equal files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _npy(array: Array) -> bytes:
    stream = io.BytesIO()
    npy.write_array(stream, np.asarray(array), allow_pickle=False)
    return stream.getvalue()


def _header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Python warns of odd literals while it parses a header
        shape, fortran_order, dtype = read(stream)
    if min(shape, default=0) < 0:
        raise ValueError("negative shape")
    return shape, fortran_order, dtype

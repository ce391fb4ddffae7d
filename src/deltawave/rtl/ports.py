"""Ports of a core and the streams they make.

A port `NAME_valid` (or `NAMEvalid`, `NAME__valid`) makes the stream NAME; so does `NAME_done`, a pulse that nobody
has to be ready for. Ports with the same beginning and direction are its payload. A beat is kept as 32-bit words,
little-endian, each payload port from a new word on.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltawave.errors import InputError

Words = NDArray[np.uint32]
VALID = re.compile(r"(?P<prefix>(?P<stream>.+?)_{0,2})(?P<kind>valid|done)")


@dataclass(frozen=True)
class Port:
    """A port of the top module."""

    name: str
    bits: int
    is_input: bool

    @property
    def words(self) -> int:
        """32-bit words it takes in a beat."""
        return -(-self.bits // 32)


@dataclass(frozen=True)
class Stream:
    """A handshake: a beat moves in every cycle in which valid and, if there is one, ready are high."""

    name: str
    valid: Port
    ready: Port | None
    payload: tuple[Port, ...]

    @property
    def into_core(self) -> bool:
        """Whether the core takes its beats."""
        return self.valid.is_input

    @property
    def words(self) -> int:
        """32-bit words of a beat."""
        return sum(port.words for port in self.payload)

    def columns(self, port: Port) -> slice:
        """Where a payload port is in a beat."""
        first = sum(p.words for p in self.payload[: self.payload.index(port)])
        return slice(first, first + port.words)


def streams_of(ports: Iterable[Port]) -> tuple[Stream, ...]:
    """All streams, in the order of their names."""
    by_name = {port.name: port for port in ports}
    matches = {name: match for name in by_name if (match := VALID.fullmatch(name))}
    prefixes = sorted((match["prefix"] for match in matches.values()), key=len, reverse=True)
    streams = []
    for name, match in matches.items():
        valid, prefix = by_name[name], match["prefix"]
        ready = by_name.get(f"{prefix}ready") if match["kind"] == "valid" else None
        payload = tuple(
            port
            for port in by_name.values()
            if next((p for p in prefixes if port.name.startswith(p)), None) == prefix
            and port.is_input == valid.is_input
            and port not in (valid, ready)
        )
        streams.append(Stream(match["stream"], valid, ready, tuple(sorted(payload, key=lambda p: p.name))))
    return tuple(sorted(streams, key=lambda stream: stream.name))


def pack(values: ArrayLike, port: Port) -> Words:
    """Beats of a port, uint32 [beats, words], from integers [beats] or [beats, lanes], signed or not, lane 0 in the
    lowest bits. Raises InputError for values that are no integers, or do not fit.
    """
    array = np.asarray(values)
    if not array.size:
        return np.zeros((0, port.words), np.uint32)
    lanes, bits = _lanes(array, port)
    bytes_ = np.ascontiguousarray(lanes).astype("<u8").view(np.uint8).reshape(*lanes.shape, 8)
    bytes_ = bytes_[:, :, : -(-bits // 8)].reshape(len(lanes), -1)
    if bits % 8:
        ones = np.unpackbits(bytes_, axis=1, bitorder="little").reshape(*lanes.shape, -1)
        bytes_ = np.packbits(ones[:, :, :bits].reshape(len(lanes), -1), axis=1, bitorder="little")
    packed = np.zeros((len(lanes), 4 * port.words), np.uint8)
    packed[:, : bytes_.shape[1]] = bytes_
    return packed.view("<u4").astype(np.uint32, copy=False)


def unpack(words: Words, port: Port, lanes: int, signed: bool) -> NDArray[np.int64]:
    """Integers int64 [beats, lanes] of a port's beats, uint32 [beats, words]. Raises InputError if its bits do not
    make so many lanes of at most 64 bits.
    """
    bits = _lane_bits(port, lanes)
    bytes_ = np.ascontiguousarray(words, "<u4").view(np.uint8).reshape(len(words), 4 * port.words)
    ones = np.unpackbits(bytes_, axis=1, bitorder="little", count=port.bits).reshape(len(words), lanes, bits)
    padding = ones[:, :, -1:] if signed else np.zeros((1, 1, 1), np.uint8)
    padding = np.broadcast_to(padding, (len(words), lanes, 64 - bits))
    packed = np.packbits(np.concatenate([ones, padding], axis=2), axis=2, bitorder="little")
    return packed.view("<i8").reshape(len(words), lanes).astype(np.int64, copy=False)


def _lanes(array: NDArray[Any], port: Port) -> tuple[NDArray[Any], int]:
    """The values as [beats, lanes], and the bits of a lane."""
    if array.ndim not in (1, 2) or not np.issubdtype(array.dtype, np.integer):
        raise InputError(
            f"{port.name} takes integers [beats] or [beats, lanes], got {array.dtype} {list(array.shape)}"
        )
    lanes = array.reshape(len(array), -1)
    bits = _lane_bits(port, lanes.shape[1])
    least, most = int(lanes.min()), int(lanes.max())
    if least < -(1 << (bits - 1)) or most >= 1 << bits:
        raise InputError(f"{port.name} takes values of {bits} bits, got {least} to {most}")
    return lanes, bits


def _lane_bits(port: Port, lanes: int) -> int:
    bits, rest = divmod(port.bits, lanes)
    if rest or bits > 64:
        raise InputError(
            f"{port.name} has {port.bits} bits: they do not make {lanes} lanes of at most 64 bits"
        )
    return bits

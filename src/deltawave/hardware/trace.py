"""Trace files: Perfetto's protobuf and Chrome's JSON, written by hand (a few fields of a stable format)."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Slice:
    """A unit held from cycle `start` up to, not including, `release`."""

    unit: str
    name: str
    start: int
    release: int


def chrome_trace(units: Sequence[str], slices: Iterable[Slice]) -> bytes:
    """Chrome's trace event format; its microsecond times are thousandths: a cycle is a nanosecond."""
    threads = {unit: number + 1 for number, unit in enumerate(units)}
    events: list[dict[str, object]] = [
        {"ph": "M", "pid": 1, "tid": thread, "name": "thread_name", "args": {"name": unit}}
        for unit, thread in threads.items()
    ]
    for s in slices:
        times = {"ts": s.start / 1000, "dur": (s.release - s.start) / 1000}
        events.append({"ph": "X", "pid": 1, "tid": threads[s.unit], "name": s.name, **times})
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}).encode()


def perfetto_trace(units: Sequence[str], slices: Iterable[Slice]) -> bytes:
    """A perfetto.protos.Trace: a track a unit, a begin and an end packet a slice, in order of time."""
    tracks = {unit: number + 1 for number, unit in enumerate(units)}
    packets = [_field(60, _field(1, track) + _field(2, unit)) for unit, track in tracks.items()]
    moments: list[tuple[int, bool, bytes]] = []
    for s in slices:
        moments.append((s.start, True, _field(9, 1) + _field(11, tracks[s.unit]) + _field(23, s.name)))
        moments.append((s.release, False, _field(9, 2) + _field(11, tracks[s.unit])))
    for cycle, _, event in sorted(moments, key=lambda moment: moment[:2]):
        packets.append(_field(8, cycle) + _field(10, 1) + _field(11, event))
    return b"".join(_field(1, packet) for packet in packets)


def _field(number: int, value: int | str | bytes) -> bytes:
    """A protobuf field: a varint, or something with a length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    content = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])

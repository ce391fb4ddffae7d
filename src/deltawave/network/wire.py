"""Looks at a serialized model before protobuf does: counts its fields, reads its text.

An empty message takes two bytes in a file and a hundred in memory, so their number is bounded first. Text that is
not UTF-8 would come out of protobuf as bytes where everyone expects a name.
"""

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, FieldDescriptor  # type: ignore[import-untyped]

from deltawave.errors import NetworkError

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
# they turn up in messages; documentation may have its line breaks
_NAMES = {"name", "input", "output", "op_type", "domain", "dim_param"}
_FIXED = {_FIXED64: 8, _FIXED32: 4}


class Truncated(Exception):  # noqa: N818 - says where the scan ended; protobuf says the same of the file
    """The data ends within a field, or holds none."""


def scan(data: bytes, kind: Descriptor, most_fields: int) -> None:
    """Walk through a message and those within it.

    Raises NetworkError for more than `most_fields` fields or for text that is not UTF-8, Truncated for damaged data.
    """
    # (where a message begins and ends, its type)
    waiting = [(0, len(data), kind)]
    count = 0
    while waiting:
        begin, end, kind = waiting.pop()
        for number, start, stop in _fields(data, begin, end):
            count += 1
            if count > most_fields:
                raise NetworkError(f"the file holds more than {most_fields} fields (Limits.fields)")
            field = kind.fields_by_number.get(number)
            if field is None or start == stop:
                continue
            if field.message_type is not None:
                waiting.append((start, stop, field.message_type))
            elif field.type == FieldDescriptor.TYPE_STRING:
                _check_text(data[start:stop], field.name)


def _fields(data: bytes, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of each field; begin and end are the same unless it holds text, data or a message."""
    while position < end:
        key, position = _varint(data, position, end)
        wire, start, stop = key & 7, position, position
        if wire == _VARINT:
            _, position = _varint(data, position, end)
        elif wire in _FIXED:
            position += _FIXED[wire]
        elif wire == _DELIMITED:
            size, start = _varint(data, position, end)
            position = stop = start + size
        else:
            raise Truncated
        if position > end:
            raise Truncated
        yield key >> 3, start, stop


def _varint(data: bytes, position: int, end: int) -> tuple[int, int]:
    """A variable length integer and where it ends."""
    value = shift = 0
    while position < end and shift < 64:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
    raise Truncated


def _check_text(data: bytes, field: str) -> None:
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise NetworkError(f"the file is damaged: the {field} {data[:40]!r} is not UTF-8 text") from error
    if field in _NAMES and not text.isprintable():
        raise NetworkError(f"the {field} {text[:40]!r} holds control characters")

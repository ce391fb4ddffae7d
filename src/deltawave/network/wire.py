"""Looks at a serialized model before protobuf does: counts its messages, reads its text.

An empty message takes two bytes in a file and a hundred in memory, so their number is bounded first. Text that is
not UTF-8 would come out of protobuf as bytes where everyone expects a name.
"""

from google.protobuf.descriptor import Descriptor, FieldDescriptor  # type: ignore[import-untyped]

from deltawave.errors import NetworkError

_VARINT, _FIXED64, _DELIMITED, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}


class Truncated(Exception):  # noqa: N818 - says where the scan ended; protobuf says the same of the file
    """The data ends within a field, or holds none."""


def scan(data: bytes, kind: Descriptor, most_messages: int) -> None:
    """Walk through a message and those within it.

    Raises NetworkError for more than `most_messages` of them or for text that is not UTF-8, Truncated for damaged data.
    """
    # (where a message begins and ends, its type)
    waiting = [(0, len(data), kind)]
    count = 0
    while waiting:
        position, end, kind = waiting.pop()
        count += 1
        if count > most_messages:
            raise NetworkError(f"the file holds more than {most_messages} messages (Limits.messages)")
        while position < end:
            key, position = _varint(data, position, end)
            field, wire = kind.fields_by_number.get(key >> 3), key & 7
            if wire == _VARINT:
                _, position = _varint(data, position, end)
            elif wire in _FIXED:
                position += _FIXED[wire]
            elif wire == _DELIMITED:
                size, start = _varint(data, position, end)
                position = start + size
                if position > end:
                    raise Truncated
                if field is not None and field.message_type is not None:
                    waiting.append((start, position, field.message_type))
                elif field is not None and field.type == FieldDescriptor.TYPE_STRING:
                    _check_text(data[start:position], field.name)
            else:
                raise Truncated


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


def _check_text(text: bytes, field: str) -> None:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise NetworkError(f"the file is damaged: the {field} {text[:40]!r} is not UTF-8 text") from error

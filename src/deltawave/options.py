"""Options are the fields of frozen dataclasses: declared once, then read by the CLI, config files and the documents.

@dataclass(frozen=True, kw_only=True)
class Box(Options):
    width: int = option(8, unit="bit", doc="Width of the box", source="paper, section 2")
"""

import dataclasses
import difflib
import typing
from collections.abc import Iterable, Mapping
from typing import Any, Self

import msgspec

from deltawave.errors import OptionError


def option(default: Any, *, doc: str, unit: str = "", source: str = "") -> Any:
    """A field with its meaning, unit, and where its default comes from."""
    metadata = {"doc": doc, "unit": unit, "source": source}
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint naming the known word closest to a misspelt one, or all of them."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1)
    return f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(words) or 'none'}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Base of everything that can be set by name."""

    def with_options(self, values: Mapping[str, object]) -> Self:
        """A copy with fields replaced, texts converted to the field's type.

        `name.key=value` sets one entry of a field that is a mapping. Raises OptionError for a name that does not
        exist, naming the nearest, and for a value that does not convert or is not allowed.
        """
        return dataclasses.replace(self, **dict(self._converted(values)))

    def _converted(self, values: Mapping[str, object]) -> Iterable[tuple[str, object]]:
        fields = {field.name: field for field in dataclasses.fields(self)}
        entries: dict[str, dict[str, object]] = {}
        for key, value in values.items():
            name, dot, entry = key.partition(".")
            if name not in fields:
                raise OptionError(f"{self._title()} has no option {key!r}; {nearest(name, fields)}")
            if dot and not isinstance(getattr(self, name), Mapping):
                raise OptionError(
                    f"{self._title()}: {name} is one value and has no entries; set {name} itself"
                )
            if dot:
                entries.setdefault(name, dict(getattr(self, name)))[entry] = value
                value = entries[name]
            yield name, self._convert(name, value)

    def _convert(self, name: str, value: object) -> object:
        kind = field_types(type(self))[name]
        try:
            return msgspec.convert(_spelled(value, kind), kind, strict=False)
        except msgspec.ValidationError as error:
            raise OptionError(f"{self._title()}: {name} = {value!r} is not allowed: {error}") from None

    def _title(self) -> str:
        return str(getattr(self, "name", type(self).__name__))


def field_types(cls: type) -> dict[str, Any]:
    """The types of a dataclass's fields by name, annotations resolved."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _spelled(value: object, kind: Any) -> object:
    """Texts as people type them on a command line: lists with commas."""
    if isinstance(value, dict):
        return {key: _spelled(entry, _value_kind(kind)) for key, entry in value.items()}
    if value == "none" and type(None) in typing.get_args(kind):
        return None
    if isinstance(value, str) and typing.get_origin(kind) is tuple:
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _value_kind(kind: Any) -> Any:
    return typing.get_args(kind)[-1]

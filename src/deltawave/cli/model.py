"""Options that say which network, and the network they mean."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from deltawave.cli.bundles import flag
from deltawave.errors import OptionError

if TYPE_CHECKING:
    from deltawave.network import Network

SUFFIX = ".dwp"
"""Of program files."""


@dataclass(frozen=True)
class ModelOptions:
    """Of every command that reads a model."""

    bind: tuple[str, ...] = flag(
        "--bind",
        multiple=True,
        metavar="NAME=VALUE",
        help="Fix an input, or the size of a free axis: --bind sr=16000.",
    )
    states: tuple[str, ...] = flag(
        "--state",
        multiple=True,
        metavar="INPUT=OUTPUT",
        help="Declare a streaming state that is not recognised.",
    )

    def load(self, path: str) -> "Network":
        """The network of a model file. Raises NetworkError, OptionError."""
        from deltawave.network import load

        if is_program(path):
            raise OptionError(
                f"{path} is a compiled program, this takes a model; list, run and search take programs"
            )
        bind = {name: _value(name, text) for name, text in pairs("--bind", self.bind).items()}
        return load(path, bind=bind, states=pairs("--state", self.states))


def is_program(path: str) -> bool:
    """Whether a name is that of a program file."""
    return Path(path).suffix.lower() == SUFFIX


def pairs(option: str, texts: Iterable[str]) -> Mapping[str, str]:
    """`name=value` texts as a mapping. Raises OptionError for other texts."""
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (equals and name.strip() and value.strip()):
            raise OptionError(f"{option} takes name=value, not {text!r}")
        found[name.strip()] = value.strip()
    return found


def _value(name: str, text: str) -> int | float | list[int | float]:
    try:
        return msgspec.json.decode(text, type=int | float | list[int | float])
    except msgspec.DecodeError:
        raise OptionError(f"--bind {name}={text} is not a number or a list of numbers") from None

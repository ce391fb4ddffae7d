"""Options that say which machine, and the machines they mean."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from deltawave.cli.bundles import flag
from deltawave.cli.model import pairs
from deltawave.errors import OptionError
from deltawave.files import text_of

if TYPE_CHECKING:
    from deltawave.machines import Machine


NAMED = "NAME[,OPTION=VALUE...]"
"""What --machine takes in every command."""


@dataclass(frozen=True)
class MachineOptions:
    """Of every command that needs one machine."""

    name: str | None = flag(
        "--machine",
        "-m",
        metavar=NAMED,
        help="The machine, its options changed if wanted; `deltawave machines` lists them.",
    )
    settings: tuple[str, ...] = flag(
        "--set",
        multiple=True,
        metavar="OPTION=VALUE",
        help="Set an option of the machine: --set theta_hidden=0.25.",
    )
    config: str | None = flag(
        "--config",
        metavar="FILE",
        help="Options of the machine in a TOML file; --machine and --set go over it.",
    )

    @property
    def given(self) -> bool:
        """Whether any of these options was used."""
        return bool(self.name or self.settings or self.config)

    def machine(self) -> "Machine":
        """The machine meant. Raises OptionError."""
        from deltawave.machines import machines

        if self.name is None:
            raise OptionError(f"which machine? give --machine; there are: {', '.join(machines())}")
        named = variant(self.name, read_config(self.config) if self.config else {})
        return named.with_options(pairs("--set", self.settings))


def variant(text: str, config: Mapping[str, object] = MappingProxyType({})) -> "Machine":
    """The machine of `name,option=value,...`; these options go over those of `config`.

    A part without `=` goes on with the value before it. Raises OptionError.
    """
    from deltawave.machines import machine

    name, *parts = text.split(",")
    settings: list[str] = []
    for part in parts:
        if "=" in part or not settings:
            settings.append(part)
        else:
            settings[-1] += f",{part}"
    name = name.strip()
    return machine(name).with_options(config).with_options(pairs(f"--machine {name}", settings))


def read_config(path: str) -> Mapping[str, object]:
    """Options from a TOML file; tables stand for options that are mappings. Raises InputError, OptionError."""
    try:
        return tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError as error:
        raise OptionError(f"{path} is not TOML: {error}") from None
    except RecursionError:
        raise OptionError(
            f"{path} is nested too deeply; options are flat, but for one level of tables"
        ) from None

"""Which machines there are: those of the entry point group `deltawave.machines`, and those registered by hand.

Each entry is a module (or any object) with `MACHINES`, a tuple of named instances, and `CLAIMS`, a tuple of
published figures (may be empty).
"""

import importlib.metadata
from functools import cache
from typing import Protocol

from deltawave.errors import OptionError
from deltawave.machines.base import Machine
from deltawave.machines.claims import Claim
from deltawave.options import nearest

GROUP = "deltawave.machines"


class Family(Protocol):
    """The machines of one folder."""

    MACHINES: tuple[Machine, ...]
    CLAIMS: tuple[Claim, ...]


_registered: dict[str, Family] = {}


def register(name: str, family: Family) -> None:
    """Add a family of machines to this process. Raises OptionError if another family has the name."""
    if families().get(name, family) is not family:
        raise OptionError(f"a machine family named {name!r} is registered already; choose another name")
    _registered[name] = family


def unregister(name: str) -> None:
    """Take a family registered by hand away again."""
    _registered.pop(name, None)


def families() -> dict[str, Family]:
    """All machine families by name."""
    return {**_installed(), **_registered}


def machines() -> dict[str, Machine]:
    """All named instances by name."""
    return {machine.name: machine for family in families().values() for machine in family.MACHINES}


def machine(name: str) -> Machine:
    """The instance of that name. Raises OptionError naming the nearest."""
    known = machines()
    if name not in known:
        raise OptionError(f"no machine {name!r}; {nearest(name, known)}")
    return known[name]


@cache
def _installed() -> dict[str, Family]:
    return {entry.name: entry.load() for entry in importlib.metadata.entry_points(group=GROUP)}

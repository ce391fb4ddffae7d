"""The machines: `machines.machine("edgedrnn-minized")`, a family as `machines.deltarnn`, a new one by `register`."""

from typing import Any

from deltawave.machines.base import Machine
from deltawave.machines.registry import families, machine, machines, register, unregister

__all__ = ["Machine", "families", "machine", "machines", "register", "unregister"]


def __getattr__(name: str) -> Any:
    """A family, imported when first used."""
    if name in families():
        return families()[name]
    raise AttributeError(f"deltawave.machines has no {name!r}")

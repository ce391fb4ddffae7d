"""The machines: `machines.machine("edgedrnn-minized")`, a family as `machines.deltarnn`, a new one by `register`."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deltawave.machines.base import Machine
    from deltawave.machines.registry import families, machine, machines, register, unregister

_OF_REGISTRY = ("families", "machine", "machines", "register", "unregister")
__all__ = ["Machine", "families", "machine", "machines", "register", "unregister"]


def __getattr__(name: str) -> Any:
    """Imported when first used: one machine's arithmetic needs neither the others nor the registry."""
    if name == "Machine":
        return import_module("deltawave.machines.base").Machine
    registry = import_module("deltawave.machines.registry")
    if name in _OF_REGISTRY:
        return getattr(registry, name)
    if name in registry.families():
        return registry.families()[name]
    raise AttributeError(f"deltawave.machines has no {name!r}")

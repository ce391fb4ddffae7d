"""What to call a machine: its published name, and the options in which it differs from that."""

import dataclasses

from deltawave.machines.base import Machine
from deltawave.machines.registry import machines


def variant_name(machine: Machine) -> str:
    """`edgedrnn-minized`, or `edgedrnn-minized, theta_hidden=0.25` for one that a user changed."""
    changed = changed_options(machine)
    return ", ".join([machine.name, *(f"{name}={option_text(getattr(machine, name))}" for name in changed)])


def changed_options(machine: Machine) -> list[str]:
    """The options in which a machine differs from the published one of its name; none if there is no such one."""
    published = machines().get(machine.name)
    if published is None or type(published) is not type(machine):
        return []
    names = [field.name for field in dataclasses.fields(machine)]
    return [name for name in names if getattr(machine, name) != getattr(published, name)]


def option_text(value: object) -> str:
    """The value of an option, as people type it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {option_text(entry)}" for key, entry in value.items()) + "}"
    if isinstance(value, list | tuple):
        return ",".join(map(option_text, value))
    return str(value)

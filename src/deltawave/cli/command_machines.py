"""`deltawave machines`: which there are, and every parameter of one."""

import dataclasses
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import click

from deltawave.cli.output import terminal_width, write_json

if TYPE_CHECKING:
    from deltawave.machines import Machine


@click.command(name="machines")
@click.argument("name", required=False)
@click.option("--json", "json_path", metavar="FILE", help="Write JSON, to stdout for -.")
def command(name: str | None, json_path: str | None) -> None:
    """List the machines, or all parameters of one: what --set can change."""
    from deltawave.machines import families, machine

    rows = parameters(machine(name)) if name else [
        {"machine": m.name, "family": family, "clock_hz": m.clock_hz, "what": summary(m)}
        for family, members in families().items()
        for m in members.MACHINES
    ]  # fmt: skip
    if json_path:
        write_json(rows, json_path)
    if json_path != "-":
        click.echo(_parameter_text(name, rows) if name else _machine_text(rows), nl=False)


def summary(machine: "Machine") -> str:
    """The first line of what the machine's class says of itself."""
    return (type(machine).__doc__ or "").strip().split("\n")[0]


def parameters(machine: "Machine") -> list[dict[str, Any]]:
    """Every parameter with type, unit, value, meaning and where its default comes from."""
    from deltawave.options import field_types

    types = field_types(type(machine))
    return [
        {
            "option": field.name,
            "type": type_name(types[field.name]),
            "default": getattr(machine, field.name),
            "unit": field.metadata.get("unit", ""),
            "doc": field.metadata.get("doc", ""),
            "source": field.metadata.get("source", ""),
        }
        for field in dataclasses.fields(machine)
    ]


def type_name(kind: Any) -> str:
    """A type in the words of --set: `int or none`, `saturate | wrap`, `list of gru | lstm`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is type(None):
        return "none"
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin is dict:
        return f"by name: {type_name(arguments[1])}"
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"list of {type_name(arguments[0])}"
    if arguments:
        return (",".join if origin is tuple else " or ".join)(map(type_name, arguments))
    return str(kind.__name__)


def _machine_text(rows: list[dict[str, Any]]) -> str:
    from deltawave.report.tables import rendered, table

    grid = table("machine", "family", "clock", "what it is", texts=(0, 1, 3))
    for row in rows:
        grid.add_row(row["machine"], row["family"], f"{row['clock_hz'] / 1e6:g} MHz", row["what"])
    return rendered(grid, width=terminal_width())


def _parameter_text(name: str, rows: list[dict[str, Any]]) -> str:
    from deltawave.report.tables import rendered, table

    grid = table(name, "default", "unit", "type", "meaning", "source", texts=range(6))
    for row in rows:
        value = shown(row["default"])
        grid.add_row(row["option"], value, row["unit"], row["type"], row["doc"], row["source"])
    return rendered(grid, width=terminal_width(most=140))


def shown(value: object) -> str:
    """A value as --set takes it."""
    if value is None or value == {}:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(map(shown, value))
    return f"{value:.10g}" if isinstance(value, float) else str(value)

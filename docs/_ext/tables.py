"""Markdown tables made from the code."""

from collections.abc import Iterable, Sequence

from samples import operator_models, recurrent_layers

from deltawave.cli.command_machines import parameters as parameter_rows
from deltawave.cli.command_machines import summary
from deltawave.hardware import constants as energies
from deltawave.machines import families, machine, machines
from deltawave.machines.base import Verdict
from deltawave.machines.claims import rows
from deltawave.machines.program import look
from deltawave.network import load
from deltawave.report.tables import digits, plain


def machine_list() -> str:
    """Every machine in one line."""
    listed = [(f"`{m.name}`", f"{m.clock_hz / 1e6:g} MHz", summary(m)) for m in machines().values()]
    return markdown(("machine", "clock", "what it is"), listed)


def parameters(name: str) -> str:
    """Every parameter of a machine."""
    shown = [
        (f"`{row['option']}`", _value(row["default"]), row["unit"], row["doc"], row["source"])
        for row in parameter_rows(machine(name))
    ]
    return markdown(("parameter", "value", "unit", "meaning", "source"), shown)


def claims(family: str) -> str:
    """Published figures beside ours, reasons below."""
    reasons: dict[str, int] = {}
    shown = [_claim(row, reasons) for row in rows(families()[family].CLAIMS)]
    headings = ("machine", "claim", "reported", "ours", "unit", "deviation", "certainty", "source")
    return markdown(headings, shown) + "\n\n" + _numbered(reasons)


def _claim(row: dict[str, str | float | None], reasons: dict[str, int]) -> tuple[object, ...]:
    deviation = "" if row["deviation"] is None else f"{100 * row['deviation']:+.1f} %"
    ours = "none" if row["ours"] is None else plain(row["ours"])
    name = f"{row['name']}{_mark(row.get('reason', ''), reasons)}"
    figures = (plain(row["reported"]), ours, row["unit"], deviation)
    return (row["machine"], name, *figures, row["certainty"], row["source"])


def constants() -> str:
    """The constants that energy and area are made of."""
    found = [(name, value) for name, value in vars(energies).items() if isinstance(value, energies.Constant)]
    shown = [
        (name, digits(c.value), c.unit, f"{c.node_nm} nm", digits(c.scaled), c.source, c.certainty)
        for name, c in found
    ]
    headings = ("constant", "published", "unit", "at", f"at {energies.NODE_NM} nm", "source", "certainty")
    return markdown(headings, shown)


def recurrent_support() -> str:
    """What each machine says of recurrent layers, asked one by one."""
    known = list(machines().values())
    reasons: dict[str, int] = {}
    shown = [
        (what, *(_verdict(m.verdict(layer), reasons) for m in known)) for what, layer in recurrent_layers()
    ]
    return markdown(("layer", *(f"`{m.name}`" for m in known)), shown) + "\n\n" + _numbered(reasons)


def operators() -> str:
    """Operators that become layers, each tried in a graph of its own."""
    shown = []
    for network in map(load, operator_models()):
        (layer,) = network.layers
        takes = [f"`{m.name}`" for m in machines().values() if look(network, m)[layer.name][0].takes]
        shown.append(
            (f"`{layer.kind}`", f"`{type(layer).__name__}`", layer.shape, ", ".join(takes) or "host")
        )
    return markdown(("operator", "layer", "example", "runs on"), shown)


def markdown(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; bars in its cells are escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |" for line in lines
    )


def _value(value: object) -> str:
    if value is None or value == {}:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    if isinstance(value, float) and value == int(value):
        return f"{value:,.0f}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _verdict(verdict: Verdict, reasons: dict[str, int]) -> str:
    word = "host" if not verdict.takes else "extension" if verdict.reason else "yes"
    return word + _mark(verdict.reason, reasons)


def _mark(reason: str, reasons: dict[str, int]) -> str:
    """The number of a reason in the list below a table."""
    return f" ({reasons.setdefault(reason, len(reasons) + 1)})" if reason else ""


def _numbered(reasons: dict[str, int]) -> str:
    return "\n".join(f"{number}. {reason}" for reason, number in reasons.items())

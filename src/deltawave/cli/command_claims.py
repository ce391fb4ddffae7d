"""`deltawave claims`: published figures beside ours."""

from typing import Any

import click

from deltawave.cli.output import terminal_width
from deltawave.cli.progress import progress_bar
from deltawave.errors import OptionError
from deltawave.files import json_text
from deltawave.options import nearest

Row = dict[str, Any]


@click.command(name="claims")
@click.argument("family", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON list.")
def command(family: str | None, as_json: bool) -> None:
    """Show the published figures of all machines, or of one FAMILY, beside what our models make of them."""
    from deltawave.machines import families

    known = families()
    if family is not None and family not in known:
        raise OptionError(f"no family {family!r}; {nearest(family, known)}")
    claims = [claim for name, members in known.items() if family in (None, name) for claim in members.CLAIMS]
    rows: list[Row] = []
    with progress_bar() as progress:
        for done, claim in enumerate(claims):
            progress("claims", done, len(claims))
            rows.append(claim.row())
    click.echo(json_text(rows) if as_json else claims_text(rows, terminal_width()), nl=as_json)


def claims_text(rows: list[Row], width: int) -> str:
    """The claims as a table, their reasons below it."""
    from deltawave.report.tables import listed, rendered, table

    headings = ("machine", "claim", "reported", "ours", "deviation", "unit", "certainty", "source")
    grid = table(*headings, texts=(0, 1, 5, 6, 7))
    reasons: dict[str, int] = {}
    for row in rows:
        grid.add_row(*_cells(row, reasons))
    return rendered(grid, *([listed("reasons", "[{}]", reasons)] if reasons else []), width=width)


def _cells(row: Row, reasons: dict[str, int]) -> list[str]:
    from deltawave.report.tables import digits

    mark = f" [{reasons.setdefault(row['reason'], len(reasons) + 1)}]" if row.get("reason") else ""
    ours = "none" if row["ours"] is None else digits(row["ours"])
    deviation = "" if row["deviation"] is None else f"{100 * row['deviation']:+.1f} %"
    named = row["name"] + mark
    return [
        row["machine"],
        named,
        f"{row['reported']:,.10g}",
        ours,
        deviation,
        row["unit"],
        row["certainty"],
        row["source"],
    ]

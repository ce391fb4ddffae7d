"""`deltawave inspect`: what a network is made of, and which machine takes what of it."""

import click

from deltawave.cli.bundles import bundled
from deltawave.cli.model import ModelOptions
from deltawave.cli.output import terminal_width, write_json


@click.command(name="inspect")
@click.argument("model")
@bundled("options", ModelOptions)
@click.option("--json", "json_path", metavar="FILE", help="Write JSON, to stdout for -.")
def command(model: str, options: ModelOptions, json_path: str | None) -> None:
    """Show the layers of MODEL, its states, and for each machine whether and why not it takes them."""
    from deltawave.machines import machines
    from deltawave.report.inspection import inspect

    inspection = inspect(options.load(model), list(machines().values()))
    if json_path:
        write_json(inspection.as_dict(), json_path)
    if json_path != "-":
        click.echo(inspection.text(terminal_width(most=120)), nl=False)

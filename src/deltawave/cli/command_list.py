"""`deltawave list`: a program as text."""

import click

from deltawave.cli.bundles import bundled
from deltawave.cli.data import FileOptions
from deltawave.cli.machine import MachineOptions
from deltawave.cli.model import ModelOptions
from deltawave.cli.program import compiled
from deltawave.cli.progress import progress_bar


@click.command(name="list")
@click.argument("program")
@bundled("options", ModelOptions)
@bundled("machine", MachineOptions)
@bundled("files", FileOptions)
def command(program: str, options: ModelOptions, machine: MachineOptions, files: FileOptions) -> None:
    """Print the listing of PROGRAM, a .dwp file, or a model compiled for a machine."""
    with progress_bar() as progress:
        listing = compiled(program, options, machine, files, progress).listing()
    click.echo(listing)

"""`deltawave compile`: a program file."""

import click

from deltawave.cli.bundles import bundled
from deltawave.cli.data import FileOptions
from deltawave.cli.machine import MachineOptions
from deltawave.cli.model import SUFFIX, ModelOptions
from deltawave.cli.output import replacing
from deltawave.cli.program import check_program_name, compiled
from deltawave.cli.progress import progress_bar


@click.command(name="compile")
@click.argument("model")
@bundled("options", ModelOptions)
@bundled("machine", MachineOptions)
@bundled("files", FileOptions)
@click.option("--output", "-o", metavar="FILE", help=f"The program file to write, *{SUFFIX}.")
def command(
    model: str, options: ModelOptions, machine: MachineOptions, files: FileOptions, output: str | None
) -> None:
    """Compile MODEL for a machine into a program file."""
    from deltawave.machines.program_file import save_program
    from deltawave.report.tables import named

    target = check_program_name(output)
    with progress_bar() as progress:
        program = compiled(model, options, machine, files, progress)
    with replacing(target) as file:
        save_program(program, file)
    layers = named([layer.name for layer in program.taken])
    click.echo(f"{target}: {layers} of {program.network.name} for {program.machine.name}")

"""`deltawave search`: the thresholds of a delta machine that fetch least for a wanted quality."""

import click

from deltawave.cli.bundles import bundled
from deltawave.cli.data import FileOptions, InputOptions
from deltawave.cli.machine import MachineOptions
from deltawave.cli.model import ModelOptions
from deltawave.cli.output import replacing, terminal_width, write_json
from deltawave.cli.program import check_program_name, compiled
from deltawave.cli.progress import progress_bar
from deltawave.errors import OptionError


@click.command(name="search")
@click.argument("program")
@bundled("options", ModelOptions)
@bundled("machine", MachineOptions)
@bundled("inputs", InputOptions)
@bundled("files", FileOptions)
@click.option(
    "--max-accuracy-loss", "most_lost", type=float, metavar="POINTS", help="Points below the float network."
)
@click.option(
    "--max-error", "most_error", type=float, metavar="SHARE", help="Relative RMS error of the output."
)
@click.option("--json", "json_path", metavar="FILE", help="Write JSON, to stdout for -.")
@click.option("--output", "-o", metavar="FILE", help="Write the program with the thresholds found, *.dwp.")
def command(
    program: str,
    options: ModelOptions,
    machine: MachineOptions,
    inputs: InputOptions,
    files: FileOptions,
    most_lost: float | None,
    most_error: float | None,
    json_path: str | None,
    output: str | None,
) -> None:
    """Find the delta thresholds with which PROGRAM, on --input, fetches the fewest weights."""
    from deltawave.machines.deltarnn.search import search
    from deltawave.machines.program_file import save_program
    from deltawave.network import as_streams
    from deltawave.report.report import float_outputs
    from deltawave.report.tradeoff import Judge, Wanted, as_dict, tradeoff_text

    if most_lost is None and most_error is None:
        raise OptionError("how good must it be? give --max-accuracy-loss or --max-error")
    target = output and check_program_name(output)
    wanted = Wanted(most_lost=most_lost, most_error=most_error)
    with progress_bar() as progress:
        ready = compiled(program, options, machine, files, progress)
        data = inputs.read(ready.network, files)
        floats = float_outputs(ready.network, as_streams(ready.network, data.items), progress=progress)
        judge = Judge(wanted, floats, data.labels, inputs.scoring)
        found = search(ready, data.items, judge.loss, wanted.limit, progress=progress)
    if target:
        with replacing(target) as file:
            save_program(found.program, file)
    if json_path:
        write_json(as_dict(found, judge), json_path)
    if json_path != "-":
        click.echo(tradeoff_text(found, judge, terminal_width(most=120)), nl=False)

"""`deltawave sweep`: one network, one machine, several values of its options."""

from typing import TYPE_CHECKING

import click

from deltawave.cli.bundles import bundled
from deltawave.cli.data import FileOptions, InputOptions
from deltawave.cli.machine import MachineOptions
from deltawave.cli.model import ModelOptions, pairs
from deltawave.cli.output import replacing, terminal_width, write_json
from deltawave.cli.progress import progress_bar
from deltawave.errors import OptionError

if TYPE_CHECKING:
    from deltawave.machines import Machine


@click.command(name="sweep")
@click.argument("model")
@bundled("options", ModelOptions)
@bundled("machine", MachineOptions)
@click.option(
    "--over",
    "varied",
    multiple=True,
    metavar="OPTION=VALUE,...",
    help="An option of the machine, and its values; of several, all combinations.",
)
@bundled("inputs", InputOptions)
@bundled("files", FileOptions)
@click.option("--json", "json_path", metavar="FILE", help="Write JSON, to stdout for -.")
@click.option("--picture", metavar="FILE", help="Draw accuracy and error over the option: .svg or .png.")
def command(
    model: str,
    options: ModelOptions,
    machine: MachineOptions,
    varied: tuple[str, ...],
    inputs: InputOptions,
    files: FileOptions,
    json_path: str | None,
    picture: str | None,
) -> None:
    """Run MODEL on one machine with several values of its options."""
    from deltawave.report.picture import draw_sweep, drawing_suffix
    from deltawave.report.sweep import sweep

    if picture:
        drawing_suffix(picture)
    target = machine.machine()
    over = values_of(target, varied)
    network = options.load(model)
    data, calibration = inputs.read(network, files), files.read_calibration(network)
    with progress_bar() as progress:
        found = sweep(
            network,
            target,
            data.items,
            over=over,
            calibration=calibration,
            labels=data.labels,
            scoring=inputs.scoring,
            progress=progress,
        )
    if picture:
        with replacing(picture) as file:
            draw_sweep(found, file)
    if json_path:
        write_json(found.as_dict(), json_path)
    if json_path != "-":
        click.echo(found.text(terminal_width()), nl=False)


def values_of(machine: "Machine", texts: tuple[str, ...]) -> dict[str, list[str]]:
    """The values of each option that is varied. Raises OptionError."""
    from deltawave.report.variants import changed_options

    listed = pairs("--over", texts).items()
    over = {name: [value.strip() for value in text.split(",")] for name, text in listed}
    if not over:
        raise OptionError("over which values? give --over OPTION=VALUE,...")
    if len(over) < len(texts):
        raise OptionError("--over names an option twice; give all values at once: --over OPTION=VALUE,...")
    for name, values in over.items():
        if name in changed_options(machine):
            raise OptionError(f"{name} is both set and varied; leave out one of them")
        for value in values:
            machine.with_options({name: value})  # refuses, before anything is read
    return over

"""`deltawave compare`: one network, several machines, one table."""

import click

from deltawave.cli.bundles import bundled
from deltawave.cli.data import FileOptions, InputOptions
from deltawave.cli.machine import NAMED, variant
from deltawave.cli.model import ModelOptions
from deltawave.cli.output import replacing, terminal_width, write_json
from deltawave.cli.progress import progress_bar


@click.command(name="compare")
@click.argument("model")
@bundled("options", ModelOptions)
@click.option(
    "--machine",
    "-m",
    "names",
    multiple=True,
    metavar=NAMED,
    help="A machine, its options changed if wanted; may be repeated. [all]",
)
@bundled("inputs", InputOptions)
@bundled("files", FileOptions)
@click.option("--json", "json_path", metavar="FILE", help="Write JSON, to stdout for -.")
@click.option("--picture", metavar="FILE", help="Draw accuracy, latency and energy: .svg or .png.")
def command(
    model: str,
    options: ModelOptions,
    names: tuple[str, ...],
    inputs: InputOptions,
    files: FileOptions,
    json_path: str | None,
    picture: str | None,
) -> None:
    """Run MODEL on several machines, beside the float network."""
    from deltawave.machines import machines
    from deltawave.report.compare import compare
    from deltawave.report.picture import draw, drawing_suffix

    if picture:
        drawing_suffix(picture)
    chosen = [variant(name) for name in names] or list(machines().values())
    network = options.load(model)
    data, calibration = inputs.read(network, files), files.read_calibration(network)
    with progress_bar() as progress:
        comparison = compare(
            network,
            chosen,
            data.items,
            calibration=calibration,
            labels=data.labels,
            scoring=inputs.scoring,
            progress=progress,
        )
    if picture:
        with replacing(picture) as file:
            draw(comparison, file)
    if json_path:
        write_json(comparison.as_dict(), json_path)
    if json_path != "-":
        click.echo(comparison.text(terminal_width()), nl=False)

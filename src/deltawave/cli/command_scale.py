"""`deltawave scale`: how an array of dies grows with the network."""

import csv
from itertools import product
from typing import TYPE_CHECKING

import click

from deltawave.cli.bundles import bundled
from deltawave.cli.command_sweep import values_of
from deltawave.cli.machine import MachineOptions
from deltawave.cli.output import replacing, terminal_width, write_json
from deltawave.errors import OptionError

if TYPE_CHECKING:
    from deltawave.machines.muntaniala import Muntaniala
    from deltawave.report.scale import ScaleStudy

HIDDEN = "48,96,144,192,288,384,576,768,1152,1536,2304,3072,4608"


@click.command(name="scale")
@bundled("machine", MachineOptions)
@click.option("--hidden", default=HIDDEN, metavar="N,...", show_default=True, help="Hidden units of a layer.")
@click.option("--layers", default=1, show_default=True, help="Layers, one behind the other.")
@click.option("--inputs", type=int, help="Inputs of the first layer; as many as hidden units if left out.")
@click.option(
    "--over",
    "varied",
    multiple=True,
    metavar="OPTION=VALUE,...",
    help="An option of the machine, and its values; of several, all combinations.",
)
@click.option("--json", "json_path", metavar="FILE", help="Write JSON, to stdout for -.")
@click.option("--csv", "csv_path", metavar="FILE", help="Write a row a point.")
@click.option("--picture", metavar="FILE", help="Draw latency, power and the share of links: .svg or .png.")
def command(
    machine: MachineOptions,
    hidden: str,
    layers: int,
    inputs: int | None,
    varied: tuple[str, ...],
    json_path: str | None,
    csv_path: str | None,
    picture: str | None,
) -> None:
    """Measure arrays of dies for layers of all sizes, and find where links take longer than dies."""
    from deltawave.machines.muntaniala.scale import measure
    from deltawave.report.picture import drawing_suffix
    from deltawave.report.scale import ScaleStudy, draw_scale

    if picture:
        drawing_suffix(picture)
    target, sizes = array_of_dies(machine), sizes_of(hidden)
    variants = variants_of(target, varied)
    study = ScaleStudy(
        target.name,
        {
            name: [measure(variant, size, layers, inputs) for size in sizes]
            for name, variant in variants.items()
        },
    )
    if picture:
        with replacing(picture) as file:
            draw_scale(study, file)
    if csv_path:
        write_csv(study, csv_path)
    if json_path:
        write_json(study.as_dict(), json_path)
    if json_path != "-":
        click.echo(study.text(terminal_width()), nl=False)


def array_of_dies(options: MachineOptions) -> "Muntaniala":
    """The machine meant. Raises OptionError for one that is no array of dies."""
    from deltawave.machines import machines
    from deltawave.machines.muntaniala import Muntaniala

    target = options.machine()
    if not isinstance(target, Muntaniala):
        arrays = ", ".join(name for name, other in machines().items() if isinstance(other, Muntaniala))
        raise OptionError(
            f"{target.name} is no array of dies that grows with the network; there are: {arrays}"
        )
    return target


def sizes_of(text: str) -> list[int]:
    """Sizes in ascending order. Raises OptionError."""
    parts = [part.strip() for part in text.split(",")]
    wrong = [part for part in parts if not part.isdecimal()]
    if wrong:
        raise OptionError(f"--hidden {text!r}: {wrong[0]!r} is no number of units")
    return sorted({int(part) for part in parts})


def variants_of(machine: "Muntaniala", varied: tuple[str, ...]) -> dict[str, "Muntaniala"]:
    """The machine with all combinations of the values that are varied, by what makes each."""
    over = values_of(machine, varied) if varied else {}
    found = {}
    for values in product(*over.values()):
        settings = dict(zip(over, values, strict=True))
        name = ", ".join(f"{option}={value}" for option, value in settings.items()) or machine.name
        found[name] = machine.with_options(settings)
    return found


def write_csv(study: "ScaleStudy", path: str) -> None:
    """A row a point."""
    rows = study.rows()
    with replacing(path) as target, target.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

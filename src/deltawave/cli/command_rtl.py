"""`deltawave rtl`: hardware for a network."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deltawave.cli.bundles import bundled
from deltawave.cli.data import FileOptions, InputOptions
from deltawave.cli.machine import MachineOptions
from deltawave.cli.model import ModelOptions, is_program
from deltawave.cli.program import compiled
from deltawave.cli.progress import progress_bar
from deltawave.errors import OptionError

if TYPE_CHECKING:
    from deltawave.machines.program import Progress


@click.command(name="rtl")
@click.argument("program")
@bundled("options", ModelOptions)
@bundled("machine", MachineOptions)
@bundled("inputs", InputOptions)
@bundled("files", FileOptions)
@click.option("--out", "-o", "folder", metavar="DIR", help="The folder to write, empty or new.")
@click.option("--force", is_flag=True, help="Replace files of the same names in a folder that is not empty.")
@click.option("--check", is_flag=True, help="Run the written test benches in Verilator.")
def command(
    program: str,
    options: ModelOptions,
    machine: MachineOptions,
    inputs: InputOptions,
    files: FileOptions,
    folder: str | None,
    force: bool,
    check: bool,
) -> None:
    """Write synthesisable Verilog of PROGRAM, a .dwp file or a model: memory images, test benches with vectors from a
    run of the input, constraints, and a README."""
    from deltawave.machines.hand_over import check_folder, check_rtl, write_rtl

    if folder is None:
        raise OptionError("which folder? give --out")
    check_folder(folder, overwrite=force)
    if not is_program(program):
        check_rtl(machine.machine())
    with progress_bar() as progress:
        ready = compiled(program, options, machine, files, progress)
        check_rtl(ready.machine)
        written = write_rtl(ready, folder, inputs.read(ready.network, files).items, overwrite=force)
        click.echo(f"{folder}: {len(written)} files, {Path(folder) / 'README.md'} says how to use them")
        if check:
            click.echo(_checked(written, progress), nl=False)


def _checked(written: tuple[Path, ...], progress: "Progress") -> str:
    """What the test benches say, a line each."""
    from deltawave.rtl.testbench import run_testbench

    folders = [path.parent for path in written if path.name == "testbench.sv"]
    lines = []
    for done, place in enumerate(folders):
        progress("test benches", done, len(folders))
        said = run_testbench(place, [f"{place.name}.v", "testbench.sv"], "testbench")
        lines.append(f"{place}: {said.splitlines()[0]}\n")
    return "".join(lines)

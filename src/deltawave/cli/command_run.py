"""`deltawave run`: one network, one machine, all figures."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from deltawave.cli.bundles import bundled
from deltawave.cli.data import FileOptions, InputOptions
from deltawave.cli.machine import MachineOptions
from deltawave.cli.model import ModelOptions
from deltawave.cli.output import replacing, terminal_width, write_json
from deltawave.cli.program import compiled
from deltawave.cli.progress import progress_bar

if TYPE_CHECKING:
    from deltawave.machines.program import Run


@click.command(name="run")
@click.argument("program")
@bundled("options", ModelOptions)
@bundled("machine", MachineOptions)
@bundled("inputs", InputOptions)
@bundled("files", FileOptions)
@click.option(
    "--plain", is_flag=True, help="Run the NumPy semantics instead of the kernels: slow, the same bits."
)
@click.option("--json", "json_path", metavar="FILE", help="Write the report as JSON, to stdout for -.")
@click.option(
    "--trace", "trace_path", metavar="FILE", help="Write the first steps as a trace for ui.perfetto.dev."
)
@click.option(
    "--save", "save_path", metavar="FILE", help="Write the exact outputs, by output and stream, as .npz."
)
def command(
    program: str,
    options: ModelOptions,
    machine: MachineOptions,
    inputs: InputOptions,
    files: FileOptions,
    plain: bool,
    json_path: str | None,
    trace_path: str | None,
    save_path: str | None,
) -> None:
    """Run PROGRAM, a .dwp file or a model, on a machine: exact outputs, and what they took."""
    from deltawave.report.report import measure

    with progress_bar() as progress:
        ready = compiled(program, options, machine, files, progress)
        data = inputs.read(ready.network, files)
        run = ready.run(data.items, plain=plain, progress=progress)
        report = measure(run, data.labels, scoring=inputs.scoring, progress=progress)
    _write(run, trace_path, save_path)
    if json_path:
        write_json(report.as_dict(), json_path)
    if json_path != "-":
        click.echo(report.text(terminal_width(most=120)), nl=False)


def _write(run: "Run", trace_path: str | None, save_path: str | None) -> None:
    """The trace and the outputs, where wanted: both or none."""
    from deltawave.arrays import write_npz

    with ExitStack() as stack:
        if trace_path:
            run.timeline.save(stack.enter_context(replacing(trace_path)))
        if save_path:
            streams = enumerate(run.outputs)
            arrays = {
                f"{name}/{number}": array for number, stream in streams for name, array in stream.items()
            }
            stack.enter_context(replacing(save_path)).write_bytes(write_npz(arrays))

"""`deltawave rtl`: hardware for a network."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deltawave.cli.bundles import bundled, flag
from deltawave.cli.data import FileOptions, InputOptions
from deltawave.cli.machine import MachineOptions
from deltawave.cli.model import ModelOptions, is_program
from deltawave.cli.output import terminal_width, write_json
from deltawave.cli.program import compiled
from deltawave.cli.progress import progress_bar
from deltawave.errors import OptionError

if TYPE_CHECKING:
    from deltawave.machines.program import Program, Progress


@dataclass(frozen=True)
class RtlOptions:
    """What is written and looked at."""

    folder: str | None = flag("--out", "-o", metavar="DIR", help="The folder to write, empty or new.")
    force: bool = flag(
        "--force",
        is_flag=True,
        default=False,
        help="Replace files of the same names in a folder that is not empty.",
    )
    check: bool = flag(
        "--check", is_flag=True, default=False, help="Run the written test benches in Verilator."
    )
    report: bool = flag(
        "--report",
        is_flag=True,
        default=False,
        help="Synthesise the cores and show what they take, beside model and published figures.",
    )
    targets: str | None = flag(
        "--target",
        metavar="TARGET,...",
        help="With --report: for xc7 (Xilinx' 7 series), ecp5, gates (standard cells); all if not given.",
    )
    routes: bool = flag(
        "--route",
        is_flag=True,
        default=False,
        help="With --report: place and route on ECP5, too, for the clock.",
    )
    json_path: str | None = flag(
        "--json", metavar="FILE", help="Write the report of --report as JSON, to stdout for -."
    )

    @property
    def chosen(self) -> tuple[str, ...]:
        """The targets of --target, or all."""
        from deltawave.report.synthesis import TARGETS

        return TARGETS if self.targets is None else tuple(map(str.strip, self.targets.split(",")))

    def check_them(self) -> None:
        """Raise OptionError for options that do nothing, or a folder that must not be written to."""
        from deltawave.machines.hand_over import check_folder
        from deltawave.report.synthesis import check_targets

        if self.folder is None and not self.report:
            raise OptionError("which folder? give --out, or --report to see only what the cores take")
        if (self.targets or self.routes or self.json_path) and not self.report:
            raise OptionError("--target, --route and --json are for --report; give it, too")
        if self.folder is None and (self.check or self.force):
            raise OptionError("--check and --force are for what is written; give --out, too")
        check_targets(self.chosen, routes=self.routes)
        if self.folder is not None:
            check_folder(self.folder, overwrite=self.force)


@click.command(name="rtl")
@click.argument("program")
@bundled("options", ModelOptions)
@bundled("machine", MachineOptions)
@bundled("inputs", InputOptions)
@bundled("files", FileOptions)
@bundled("rtl", RtlOptions)
def command(
    program: str,
    options: ModelOptions,
    machine: MachineOptions,
    inputs: InputOptions,
    files: FileOptions,
    rtl: RtlOptions,
) -> None:
    """Write synthesisable Verilog of PROGRAM, a .dwp file or a model: memory images, test benches with vectors from a
    run of the input, constraints, and a README."""
    from deltawave.machines.hand_over import check_rtl

    rtl.check_them()
    if not is_program(program):
        check_rtl(machine.machine())
    with progress_bar() as progress:
        ready = compiled(program, options, machine, files, progress)
        check_rtl(ready.machine)
        if rtl.folder is not None:
            _write(ready, inputs, files, rtl, progress)
        if rtl.report:
            _report(ready, rtl, progress)


def _write(
    program: "Program", inputs: InputOptions, files: FileOptions, rtl: RtlOptions, progress: "Progress"
) -> None:
    from deltawave.machines.hand_over import write_rtl

    assert rtl.folder is not None
    data = inputs.read(program.network, files).items
    written = write_rtl(program, rtl.folder, data, overwrite=rtl.force)
    said = f"{rtl.folder}: {len(written)} files, {Path(rtl.folder) / 'README.md'} says how to use them\n"
    checks = _checks(written, progress) if rtl.check else ""
    click.echo(said + checks, nl=False, err=rtl.json_path == "-")


def _checks(written: tuple[Path, ...], progress: "Progress") -> str:
    """What the test benches say, a line each. Raises SimulationError if one fails."""
    from deltawave.rtl.testbench import run_testbench

    folders = [path.parent for path in written if path.name == "testbench.sv"]
    lines = []
    for done, place in enumerate(folders):
        progress("test benches", done, len(folders))
        said = run_testbench(place, [f"{place.name}.v", "testbench.sv"], "testbench")
        lines.append(f"{place}: {said.splitlines()[0]}\n")
    return "".join(lines)


def _report(program: "Program", rtl: RtlOptions, progress: "Progress") -> None:
    from deltawave.report.synthesis import synthesise

    report = synthesise(program, targets=rtl.chosen, routes=rtl.routes, progress=progress)
    if rtl.json_path:
        write_json(report.as_dict(), rtl.json_path)
    if rtl.json_path != "-":
        click.echo(report.text(terminal_width()), nl=False)

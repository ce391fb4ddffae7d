"""The program a command works on: read from a program file, or compiled from a model."""

from typing import TYPE_CHECKING

from deltawave.cli.data import FileOptions
from deltawave.cli.machine import MachineOptions
from deltawave.cli.model import SUFFIX, ModelOptions, is_program
from deltawave.errors import OptionError

if TYPE_CHECKING:
    from deltawave.machines.program import Program, Progress


def check_program_name(path: str | None) -> str:
    """A name for a program file. Raises OptionError for one that no command would read back."""
    if path is None or not is_program(path):
        raise OptionError(f"which file? give --output with a name that ends with {SUFFIX}")
    return path


def compiled(
    source: str, model: ModelOptions, machine: MachineOptions, files: FileOptions, progress: "Progress"
) -> "Program":
    """The program in a .dwp file, or that of a model for a machine. Raises any DeltawaveError."""
    from deltawave.machines.program import compile_network
    from deltawave.machines.program_file import load_program

    if is_program(source):
        _refuse_options(source, model, machine, files)
        return load_program(source)
    target = machine.machine()
    network = model.load(source)
    calibration = files.read_calibration(network)
    return compile_network(network, target, calibration=calibration, progress=progress)


def _refuse_options(source: str, model: ModelOptions, machine: MachineOptions, files: FileOptions) -> None:
    if machine.given:
        raise OptionError(f"{source} is compiled for its machine; leave out --machine, --set and --config")
    if model.bind or model.states or files.calibration:
        raise OptionError(f"{source} is compiled; leave out --bind, --state and --calibration")

"""Hardware for a program: its machine's Verilog with all that belongs to it, in a folder."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from deltawave.errors import OptionError
from deltawave.files import PathLike
from deltawave.machines.base import Machine
from deltawave.machines.program import Data, Program
from deltawave.machines.registry import machines


def write_rtl(program: Program, folder: PathLike, data: Data, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write synthesisable Verilog of a program's layers with memory images, test benches, constraints and a README.

    data: as for `Program.run`; a run of it gives the test benches their vectors. overwrite: replace files of the same
    names in a folder that has some. Returns the files. Nothing is written if anything is refused: OptionError for a
    machine or parameters without RTL, or a folder that is not empty; InputError, UnsupportedError; ToolError without
    the tools.
    """
    check_rtl(program.machine)
    check_folder(folder, overwrite=overwrite)
    return _write(Path(folder), program.machine.rtl_files(program, data))


def check_rtl(machine: Machine) -> None:
    """Raise OptionError for a machine that has no RTL."""
    if not machine.writes_rtl:
        others = ", ".join(name for name, other in machines().items() if other.writes_rtl)
        raise OptionError(f"{machine.name} has no RTL yet; machines that have: {others}")


def check_folder(folder: PathLike, *, overwrite: bool) -> None:
    """Raise OptionError for a folder that must not, or cannot, be written to."""
    place = Path(folder)
    if place.exists() and not place.is_dir():
        raise OptionError(f"{folder} is no folder; give the name of one")
    if place.is_dir() and any(place.iterdir()) and not overwrite:
        raise OptionError(
            f"{folder} is not empty; give another folder, or --force to replace the files of the same names"
        )
    if not place.parent.is_dir():
        raise OptionError(f"{folder}: the folder {place.parent} does not exist")


def _write(folder: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """All files or, if one cannot be written, as good as none: each takes its place when all are there."""
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".writing-") as temporary:
        for name, contents in files.items():
            beside = Path(temporary) / name
            beside.parent.mkdir(parents=True, exist_ok=True)
            beside.write_bytes(contents)
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(temporary) / name, folder / name)
    return tuple(folder / name for name in files)

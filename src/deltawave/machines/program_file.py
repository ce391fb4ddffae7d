"""Program files: a zip archive of `program.json`, `network.onnx`, and a `cells/<n>.npz` for every compiled cell.

The file names the machine it was made for by family, class and options, so a restored program has the same bits. A
file is not trusted: sizes, hashes and the version are checked first, and every damage is a ProgramError.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from deltawave.arrays import read_npz, read_zip, write_npz, write_zip
from deltawave.errors import DeltawaveError, InputError, OptionError, ProgramError
from deltawave.files import MOST_BYTES, PathLike, contents
from deltawave.machines.base import Compiled, Machine
from deltawave.machines.program import Program, look
from deltawave.machines.registry import families
from deltawave.network import load
from deltawave.options import nearest

VERSION = 1
MANIFEST, NETWORK = "program.json", "network.onnx"


class MachineRecord(msgspec.Struct, forbid_unknown_fields=True):
    """The machine a program was compiled for."""

    family: str
    kind: str
    options: dict[str, object]


class Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """`program.json`. states: input -> output; cells: in order of `cells/<n>.npz`; members: SHA-256 of all others."""

    version: int
    network: str
    states: dict[str, str]
    calibrated: bool
    machine: MachineRecord
    cells: list[str]
    members: dict[str, str]


def save_program(program: Program, path: PathLike) -> None:
    """Write a program to a file. Equal programs give equal files."""
    Path(path).write_bytes(program_bytes(program))


def program_bytes(program: Program) -> bytes:
    """The contents of a program file."""
    network = program.network
    cells = {_cell_member(n): write_npz(cell.arrays()) for n, cell in enumerate(program.cells.values())}
    members = {NETWORK: network.original.SerializeToString(deterministic=True), **cells}
    manifest = Manifest(
        version=VERSION,
        network=network.name,
        states={pair.input.name: pair.output.name for pair in network.states},
        calibrated=program.calibrated,
        machine=_record(program.machine),
        cells=list(program.cells),
        members={name: hashlib.sha256(data).hexdigest() for name, data in members.items()},
    )
    return write_zip({MANIFEST: msgspec.json.encode(manifest), **members})


def load_program(path: PathLike) -> Program:
    """Read a program file. Raises InputError if there is none, ProgramError if it is damaged or of another version."""
    return program_from(contents(path), str(path))


def program_from(data: bytes, place: str) -> Program:
    """The program in the contents of a file; `place` names it in messages. Raises ProgramError."""
    try:
        members = read_zip(data, place, MOST_BYTES)
    except InputError as error:
        raise ProgramError(str(error)) from None
    manifest = _manifest(members, place)
    try:
        return _program(manifest, members, place)
    except ProgramError:
        raise
    except DeltawaveError as error:
        raise ProgramError(f"{place} does not make a program: {error}; compile the network again") from error


def _manifest(members: Mapping[str, bytes], place: str) -> Manifest:
    """`program.json`, believed only if it describes exactly the members that are there."""
    try:
        manifest = msgspec.json.decode(members.get(MANIFEST, b""), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProgramError(
            f"{place} is not a program: its {MANIFEST} is missing or damaged ({error})"
        ) from None
    if manifest.version != VERSION:
        raise ProgramError(
            f"{place} is of version {manifest.version}, this is {VERSION}; compile the network again"
        )
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in members.items() if name != MANIFEST}
    expected = {NETWORK, *map(_cell_member, range(len(manifest.cells)))}
    if hashes != manifest.members or set(hashes) != expected:
        raise ProgramError(
            f"{place} is damaged: its contents are not those it was saved with; compile the network again"
        )
    return manifest


def _program(manifest: Manifest, members: Mapping[str, bytes], place: str) -> Program:
    network = replace(load(members[NETWORK], states=manifest.states), name=manifest.network)
    machine = _machine(manifest.machine, place)
    looked_at = look(network, machine)
    verdicts = {name: verdict for name, (verdict, _) in looked_at.items()}
    cells: dict[str, Compiled] = {}
    for number, name in enumerate(manifest.cells):
        member = _cell_member(number)
        cells[name] = machine.restore(name, read_npz(members[member], f"{member} in {place}"))
    program = Program(network, machine, verdicts, cells, calibrated=manifest.calibrated)
    wanted = [(name, layer) for layer in program.taken for name in layer.cell_names]
    if list(cells) != [name for name, _ in wanted] or not all(
        machine.is_made_for(cells[name], layer, looked_at[layer.name][1]) for name, layer in wanted
    ):
        raise ProgramError(
            f"{place} was made for other layers than {machine.name} takes; compile the network again"
        )
    machine.check(list(cells.values()))
    return program


def _machine(record: MachineRecord, place: str) -> Machine:
    """The machine of a record. Raises ProgramError if this installation has none like it."""
    family = families().get(record.family)
    if family is None:
        raise ProgramError(
            f"{place} is for a machine of the family {record.family!r}; {nearest(record.family, families())}"
        )
    alike = [machine for machine in family.MACHINES if type(machine).__name__ == record.kind]
    if not alike:
        raise ProgramError(f"{place} is for a {record.kind}, which the family {record.family} does not have")
    if record.options.keys() != _record(alike[0]).options.keys():
        raise ProgramError(f"{place} is for a {record.kind} with other options; compile the network again")
    return alike[0].with_options(record.options)


def _record(machine: Machine) -> MachineRecord:
    return MachineRecord(_family_of(machine), type(machine).__name__, msgspec.to_builtins(machine))


def _family_of(machine: Machine) -> str:
    for name, family in families().items():
        if any(type(known) is type(machine) for known in family.MACHINES):
            return name
    raise OptionError(
        f"{machine.name} is of no registered family, so a file could not name it; register its family first"
    )


def _cell_member(number: int) -> str:
    return f"cells/{number}.npz"

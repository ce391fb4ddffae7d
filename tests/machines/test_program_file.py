"""Program files: what is loaded is what was saved, and damage is always one ProgramError."""

import json
from functools import cache
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.arrays import read_npz, read_zip, write_zip
from deltawave.errors import InputError, OptionError, ProgramError
from deltawave.machines import Machine, machine
from deltawave.machines.program import Program, compile_network
from deltawave.machines.program_file import load_program, program_bytes, program_from
from networks import recurrent_network, walk

NAMES = ("deltarnn-zynq7100", "edgedrnn-minized", "spartus-zynq7100")


@cache
def saved() -> bytes:
    """A program file with thresholds by layer and state."""
    tuned = machine("edgedrnn-minized").with_options({"theta_layers.layer": "0.05,0.1"})
    return program_bytes(compile_network(recurrent_network("GRU", streaming=True), tuned, calibration=walk()))


def assert_same(program: Program, back: Program) -> None:
    assert back.machine == program.machine
    assert back.network.name == program.network.name
    assert (back.verdicts, back.calibrated) == (program.verdicts, program.calibrated)
    assert back.listing() == program.listing()
    ours, theirs = program.run(walk(seed=3)), back.run(walk(seed=3))
    assert all(np.array_equal(theirs.outputs[0][name], array) for name, array in ours.outputs[0].items())
    assert theirs.timeline.cycles == ours.timeline.cycles


@settings(deadline=None, max_examples=20)
@given(
    name=st.sampled_from(NAMES),
    op=st.sampled_from(["GRU", "LSTM", "RNN"]),
    direction=st.sampled_from(["forward", "reverse", "bidirectional"]),
    theta=st.sampled_from([0.0, 0.25]),
    calibrated=st.booleans(),
)
def test_what_is_loaded_is_what_was_saved(
    name: str, op: str, direction: str, theta: float, calibrated: bool
) -> None:
    tuned = machine(name).with_options({"theta_hidden": theta})
    network = recurrent_network(op, direction=direction)
    program = compile_network(network, tuned, calibration=walk() if calibrated else None)
    assert_same(program, program_from(program_bytes(program), "p.dwp"))


def test_a_file_keeps_state_and_thresholds_and_is_always_the_same(tmp_path: Path) -> None:
    program = program_from(saved(), "p.dwp")
    program.save(tmp_path / "p.dwp")
    assert (tmp_path / "p.dwp").read_bytes() == saved()
    assert_same(program, load_program(tmp_path / "p.dwp"))
    assert program.network.streaming
    assert program.machine.thetas("layer") == (0.05, 0.1)


def test_a_missing_file_is_no_program(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refused:
        load_program(tmp_path / "p.dwp")
    assert str(refused.value) == f"{tmp_path}/p.dwp: no such file"


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damaged_bytes_are_refused_or_change_nothing(data: st.DataObject) -> None:
    damaged = bytearray(saved())
    for _ in range(data.draw(st.integers(0, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(damaged)) | st.just(len(damaged)))
    try:
        program = program_from(bytes(damaged[:cut]), "p.dwp")
    except ProgramError:
        return
    assert program.listing() == program_from(saved(), "p.dwp").listing()


def changed(**values: object) -> bytes:
    """The saved program with other entries in program.json, hashes as they were."""
    members = read_zip(saved(), "p.dwp")
    manifest = {**json.loads(members["program.json"]), **values}
    return write_zip({**members, "program.json": msgspec.json.encode(manifest)})


def edgedrnn(**values: object) -> dict[str, object]:
    return {**json.loads(read_zip(saved(), "p.dwp")["program.json"])["machine"], **values}


REFUSALS = {
    "no archive": (b"hello", "p.dwp is not a zip archive: damaged, truncated or of another format"),
    "another archive": (
        write_zip({"a": b""}),
        "p.dwp is not a program: its program.json is missing or damaged (Input data was truncated)",
    ),
    "another version": (changed(version=2), "p.dwp is of version 2, this is 1; compile the network again"),
    "an unknown entry": (
        changed(more=1),
        "p.dwp is not a program: its program.json is missing or damaged (Object contains unknown field `more`)",
    ),
    "a cell too many": (
        changed(cells=["layer", "layer/reverse"]),
        "p.dwp is damaged: its contents are not those it was saved with; compile the network again",
    ),
    "other hashes": (
        changed(members={}),
        "p.dwp is damaged: its contents are not those it was saved with; compile the network again",
    ),
    "another layer": (
        changed(cells=["player"]),
        "p.dwp was made for other layers than edgedrnn-minized takes; compile the network again",
    ),
    "an unknown family": (
        changed(machine=edgedrnn(family="deltarnm")),
        "p.dwp is for a machine of the family 'deltarnm'; did you mean 'deltarnn'?",
    ),
    "an unknown machine": (
        changed(machine=edgedrnn(kind="EdgeDRNM")),
        "p.dwp is for a EdgeDRNM, which the family deltarnn does not have",
    ),
    "other options": (
        changed(machine=edgedrnn(options={"name": "x"})),
        "p.dwp is for a EdgeDRNN with other options; compile the network again",
    ),
    "states that are none": (
        changed(states={"h0": "z"}),
        "p.dwp does not make a program: states names 'z', which is not an output of the network; there are: hN, y; "
        "compile the network again",
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_files_of_another_kind_are_refused(case: str) -> None:
    data, message = REFUSALS[case]
    with pytest.raises(ProgramError) as refused:
        program_from(data, "p.dwp")
    assert str(refused.value) == message


def test_a_cell_of_other_arrays_is_refused() -> None:
    edge = machine("edgedrnn-minized")
    arrays = read_npz(read_zip(saved(), "p.dwp")["cells/0.npz"], "cell")
    for name in arrays:
        with pytest.raises(ProgramError):
            edge.restore("layer", {key: array for key, array in arrays.items() if key != name})
    assert edge.restore("layer", arrays).listing()


def test_a_machine_of_no_family_cannot_be_named_in_a_file() -> None:
    class Odd(type(machine("edgedrnn-minized"))):  # type: ignore[misc]
        pass

    odd: Machine = Odd(name="odd")
    with pytest.raises(OptionError) as refused:
        program_bytes(compile_network(recurrent_network("GRU"), odd))
    assert str(refused.value) == (
        "odd is of no registered family, so a file could not name it; register its family first"
    )

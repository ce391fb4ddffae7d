"""Every refusal of the command line: one line, exit code 2, nothing on stdout, no file left behind."""

import os
from pathlib import Path

import numpy as np
import pytest

from commands import deltawave, refusal, write_model
from deltawave.machines import machines
from networks import recurrent_network, walk

KNOWN = ", ".join(sorted(machines()))
IN_ORDER = ", ".join(machines())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a GRU, an LSTM with peepholes, and data, which is the current one."""
    monkeypatch.chdir(tmp_path)
    write_model(recurrent_network("GRU", streaming=True), tmp_path / "gru.onnx")
    write_model(recurrent_network("RNN", activations=["Softsign"]), tmp_path / "odd.onnx")
    np.save(tmp_path / "walk.npy", walk())
    np.save(tmp_path / "wide.npy", walk(inputs=7))
    np.save(tmp_path / "labels.npy", np.zeros(7, int))
    np.save(tmp_path / "none.npy", walk()[:0])
    np.save(tmp_path / "nan.npy", np.where(walk() > 0, np.nan, walk()))
    (tmp_path / "bad.onnx").write_bytes((tmp_path / "gru.onnx").read_bytes()[:200])
    (tmp_path / "bad.dwp").write_bytes(b"PK")
    (tmp_path / "bad.toml").write_text("theta_hidden = ")
    (tmp_path / "deep.toml").write_text("a = " + "[" * 100_000)
    (tmp_path / "odd.toml").write_text("theta_hiden = 0.1\n")
    return tmp_path


RUN = ("run", "gru.onnx", "-m", "edgedrnn-minized", "-i", "walk.npy")
REFUSALS: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown command": (("rum",), "no command 'rum'; did you mean 'run'?"),
    "unknown flag": (
        ("run", "gru.onnx", "--maschine", "x"),
        "No such option '--maschine'. Did you mean '--machine'?",
    ),
    "missing argument": (("run",), "Missing argument 'PROGRAM'."),
    "no machine": (("run", "gru.onnx"), f"which machine? give --machine; there are: {IN_ORDER}"),
    "unknown machine": (
        ("run", "gru.onnx", "-m", "edgernn"),
        "no machine 'edgernn'; did you mean 'edgedrnn-minized'?",
    ),
    "unknown machine to show": (("machines", "brain"), f"no machine 'brain'; there are: {KNOWN}"),
    "misspelt option": (
        (*RUN, "--set", "theta_hiden=0.1"),
        "edgedrnn-minized has no option 'theta_hiden'; did you mean 'theta_hidden'?",
    ),
    "option without value": ((*RUN, "--set", "theta_hidden"), "--set takes name=value, not 'theta_hidden'"),
    "option of the wrong type": (
        (*RUN, "--set", "pes=many"),
        "edgedrnn-minized: pes = 'many' is not allowed: Expected `int`, got `str`",
    ),
    "option out of range": (
        (*RUN, "--set", "theta_hidden=-1"),
        "edgedrnn-minized: theta_hidden = -1.0 is not a threshold; thresholds go from 0 to 64",
    ),
    "variant with a misspelt option": (
        ("compare", "gru.onnx", "-m", "edgedrnn-minized,tetha_input=1", "-i", "walk.npy"),
        "edgedrnn-minized has no option 'tetha_input'; did you mean 'theta_input'?",
    ),
    "machine with a misspelt option": (
        ("run", "gru.onnx", "-m", "edgedrnn-minized,tetha_input=1", "-i", "walk.npy"),
        "edgedrnn-minized has no option 'tetha_input'; did you mean 'theta_input'?",
    ),
    "machine with an option of the wrong type": (
        ("compile", "gru.onnx", "-m", "edgedrnn-minized,pes=8,many", "-o", "p.dwp"),
        "edgedrnn-minized: pes = '8,many' is not allowed: Expected `int`, got `str`",
    ),
    "machine with an option without value": (
        ("list", "gru.onnx", "-m", "edgedrnn-minized,pes"),
        "--machine edgedrnn-minized takes name=value, not 'pes'",
    ),
    "machine with a comma too many": (
        ("search", "gru.onnx", "-m", "edgedrnn-minized,", "-i", "walk.npy", "--max-error", "1"),
        "--machine edgedrnn-minized takes name=value, not ''",
    ),
    "variant of an unknown machine": (
        ("list", "gru.onnx", "-m", "edgernn,pes=8"),
        "no machine 'edgernn'; did you mean 'edgedrnn-minized'?",
    ),
    "config that is no TOML": (
        (*RUN, "--config", "bad.toml"),
        "bad.toml is not TOML: Invalid value (at end of document)",
    ),
    "config with a misspelt option": (
        (*RUN, "--config", "odd.toml"),
        "edgedrnn-minized has no option 'theta_hiden'; did you mean 'theta_hidden'?",
    ),
    "config nested without end": (
        (*RUN, "--config", "deep.toml"),
        "deep.toml is nested too deeply; options are flat, but for one level of tables",
    ),
    "entry of an option that has none": (
        (*RUN, "--set", "theta_hidden.layer=1"),
        "edgedrnn-minized: theta_hidden is one value and has no entries; set theta_hidden itself",
    ),
    "output over a device": (
        (*RUN, "--save", os.devnull),
        f"{os.devnull} is not a plain file, so nothing may take its place; give another name",
    ),
    "missing config": ((*RUN, "--config", "no.toml"), "no.toml: no such file"),
    "missing model": (("inspect", "no.onnx"), "no.onnx: no such file"),
    "truncated model": (
        ("inspect", "bad.onnx"),
        "bad.onnx is not an ONNX model: damaged, truncated or of another format",
    ),
    "misspelt binding": (("inspect", "gru.onnx", "--bind", "T"), "--bind takes name=value, not 'T'"),
    "binding that is no number": (
        ("inspect", "gru.onnx", "--bind", "T=x"),
        "--bind T=x is not a number or a list of numbers",
    ),
    "state that is none": (
        ("inspect", "gru.onnx", "--state", "h0=hM"),
        "states names 'hM', which is not an output of the network; there are: hN, y",
    ),
    "no input": (("run", "gru.onnx", "-m", "edgedrnn-minized"), "which data? give --input"),
    "missing input": ((*RUN[:-1], "no.npy"), "no.npy: no such file"),
    "input of another kind": ((*RUN[:-1], "walk.csv"), "walk.csv: inputs come as .npy, .npz, .wav, .txt"),
    "input of the wrong shape": (
        (*RUN[:-1], "wide.npy"),
        "the data for x has the shape [20, 1, 7], the network takes [T, 1, 6] for one call, "
        "or several of these along one more axis in front",
    ),
    "empty input": ((*RUN[:-1], "none.npy"), "the data for x is empty: its shape is [0, 1, 6]"),
    "labels for other data": (
        (*RUN, "--labels", "labels.npy"),
        "stream 0 has 7 labels for 1 calls and 20 steps; give one a stream, a call or a step",
    ),
    "too many files of labels": (
        (*RUN, "--labels", "labels.npy", "--labels", "labels.npy"),
        "there are 1 inputs and 2 files of labels; give one, or one each",
    ),
    "unknown metric": ((*RUN, "--metric", "top2"), "no metric 'top2'; did you mean 'top1'?"),
    "unknown output": (
        (*RUN, "--labels", "labels.npy", "--score-output", "z"),
        "no output 'z'; there are: y",
    ),
    "unknown spectrum": ((*RUN, "--spectrum", "mel"), "no spectrum 'mel'; there is: magnitude"),
    "damaged program": (
        ("list", "bad.dwp"),
        "bad.dwp is not a zip archive: damaged, truncated or of another format",
    ),
    "a program where a model is wanted": (
        ("compare", "bad.dwp", "-i", "walk.npy"),
        "bad.dwp is a compiled program, this takes a model; list, run and search take programs",
    ),
    "a search into a file that is no program": (
        ("search", *RUN[1:], "--max-error", "1", "-o", "best.onnx"),
        "which file? give --output with a name that ends with .dwp",
    ),
    "machine for a program": (
        ("run", "bad.dwp", "-m", "edgedrnn-minized", "-i", "walk.npy"),
        "bad.dwp is compiled for its machine; leave out --machine, --set and --config",
    ),
    "calibration of a program": (
        ("run", "bad.dwp", "-c", "walk.npy", "-i", "walk.npy"),
        "bad.dwp is compiled; leave out --bind, --state and --calibration",
    ),
    "a layer that no machine takes": (
        ("run", "odd.onnx", "-m", "edgedrnn-minized", "-i", "walk.npy"),
        "edgedrnn-minized takes no layer of odd (layer: no table for the activation softsign); "
        "choose another machine or other parameters",
    ),
    "a network that is too large": (
        ("compile", "gru.onnx", "-m", "deltarnn-zynq7100", "--set", "weight_memory_bytes=100", "-o", "p.dwp"),
        "the weights need 0.00 MB of weight memory, deltarnn-zynq7100 has 0.00 MB; choose a larger memory, "
        "fewer bits, or another machine",
    ),
    "no program file": (
        ("compile", "gru.onnx", "-m", "edgedrnn-minized"),
        "which file? give --output with a name that ends with .dwp",
    ),
    "a folder that is none": (
        ("compile", "gru.onnx", "-m", "edgedrnn-minized", "-o", "no/p.dwp"),
        "no/p.dwp: the folder no does not exist",
    ),
    "a picture of another kind": (
        ("compare", "gru.onnx", "-i", "walk.npy", "--picture", "a.pdf"),
        "a.pdf: pictures are drawn as .svg or .png",
    ),
    "a sweep over nothing": (("sweep", *RUN[1:]), "over which values? give --over OPTION=VALUE,..."),
    "a sweep over an option without values": (
        ("sweep", *RUN[1:], "--over", "pes="),
        "--over takes name=value, not 'pes='",
    ),
    "a sweep over a misspelt option": (
        ("sweep", *RUN[1:], "--over", "theta_hiden=0,1"),
        "edgedrnn-minized has no option 'theta_hiden'; did you mean 'theta_hidden'?",
    ),
    "a sweep over a value of the wrong type": (
        ("sweep", *RUN[1:], "--over", "pes=8,many"),
        "edgedrnn-minized: pes = 'many' is not allowed: Expected `int`, got `str`",
    ),
    "a sweep over a value out of range": (
        ("sweep", *RUN[1:], "--over", "theta_hidden=0,-1"),
        "edgedrnn-minized: theta_hidden = -1.0 is not a threshold; thresholds go from 0 to 64",
    ),
    "a sweep over an option twice": (
        ("sweep", *RUN[1:], "--over", "pes=4", "--over", "pes=8"),
        "--over names an option twice; give all values at once: --over OPTION=VALUE,...",
    ),
    "a sweep over an option that is set": (
        ("sweep", *RUN[1:], "--set", "pes=4", "--over", "pes=8"),
        "pes is both set and varied; leave out one of them",
    ),
    "a sweep of a program": (
        ("sweep", "bad.dwp", *RUN[2:], "--over", "pes=8"),
        "bad.dwp is a compiled program, this takes a model; list, run and search take programs",
    ),
    "a sweep without points to draw": (
        ("sweep", "odd.onnx", *RUN[2:], "--over", "pes=8", "--picture", "a.png"),
        "no point of the sweep ran odd, so there is nothing to draw",
    ),
    "a search without a goal": (
        ("search", "gru.onnx", "-m", "edgedrnn-minized", "-i", "walk.npy"),
        "how good must it be? give --max-accuracy-loss or --max-error",
    ),
    "a search with two goals": (
        ("search", *RUN[1:], "--max-error", "1", "--max-accuracy-loss", "1"),
        "how good must it be? give either a largest accuracy loss or a largest error",
    ),
    "a search without labels": (
        ("search", *RUN[1:], "--max-accuracy-loss", "1"),
        "an accuracy loss needs labels; give some, or a largest error instead",
    ),
    "a search on a machine without thresholds": (
        ("search", "gru.onnx", "-m", "bw-s10", "-i", "walk.npy", "--max-error", "1"),
        "thresholds can be searched for delta machines only; choose deltarnn, edgedrnn or spartus",
    ),
    "unknown family of claims": (("claims", "brain"), "no family 'brain'; did you mean 'brainwave'?"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_one_line(here: Path, case: str) -> None:
    before = sorted(here.iterdir())
    arguments, message = REFUSALS[case]
    assert refusal(*arguments) == message
    assert sorted(here.iterdir()) == before


def test_values_that_are_no_numbers_are_refused_with_their_place(here: Path) -> None:
    place = np.argwhere(walk() > 0)[0].tolist()
    assert refusal(*RUN[:-1], "nan.npy") == f"the data for x is nan at {place}; every value must be finite"


@pytest.mark.parametrize("option", ["--trace", "--save", "--json"])
def test_output_that_cannot_be_written_leaves_nothing(here: Path, option: str) -> None:
    before = sorted(here.iterdir())
    assert refusal(*RUN, option, "no/a.json") == "no/a.json: the folder no does not exist"
    assert refusal(*RUN, option, ".") == ". is a folder; give the name of a file"
    assert sorted(here.iterdir()) == before


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (KeyboardInterrupt(), 130, "\nerror: interrupted\n"),
        (
            MemoryError(),
            2,
            "error: not enough memory for this network and data; run fewer streams at a time\n",
        ),
        (OSError(28, "No space left on device", "a.json"), 2, "error: a.json: no space left on device\n"),
    ],
    ids=["interrupted", "memory", "disk"],
)
def test_what_happens_outside_is_one_line_too(
    here: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException, code: int, line: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("deltawave.machines.program.Program.run", fail)
    result = deltawave(*RUN, "--json", "a.json")
    assert (result.exit_code, result.stderr, result.stdout) == (code, line, "")
    assert not (here / "a.json").exists()

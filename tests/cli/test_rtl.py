"""`deltawave rtl`: what it writes, that its test benches pass, and what it refuses before anything is written."""

import json
from pathlib import Path

import numpy as np
import pytest

from commands import refusal, succeeds, write_model
from networks import recurrent_network, walk

EDGE = ("rtl", "gru.onnx", "-m", "edgedrnn-minized,pes=2", "-c", "walk.npy", "-i", "walk.npy")


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_model(recurrent_network("GRU", linear_before_reset=1), tmp_path / "gru.onnx")
    np.save("walk.npy", walk(5))


def names() -> set[str]:
    return {path.name for path in Path().iterdir()}


def test_files_are_written_and_their_bench_passes() -> None:
    assert succeeds(*EDGE, "--out", "rtl", "--check") == (
        "rtl: 19 files, rtl/README.md says how to use them\n"
        "rtl/layer_core: PASS: 5 steps in 1 streams: every output and the cycles of every step are the model's\n"
    )
    assert Path("rtl/layer_core/layer_core.v").read_text().count("\nmodule layer_core(") == 1


def test_a_program_file_gives_the_same_files() -> None:
    succeeds(*EDGE, "--out", "from_model")
    succeeds("compile", *EDGE[1:6], "-o", "gru.dwp")
    succeeds("rtl", "gru.dwp", "-i", "walk.npy", "--out", "from_program")
    files = sorted(path.relative_to("from_model") for path in Path("from_model").rglob("*") if path.is_file())
    assert len(files) == 19
    assert all(Path("from_model", f).read_bytes() == Path("from_program", f).read_bytes() for f in files)


def test_a_folder_with_files_needs_force() -> None:
    succeeds(*EDGE, "--out", "rtl")
    assert refusal(*EDGE, "--out", "rtl") == (
        "rtl is not empty; give another folder, or --force to replace the files of the same names"
    )
    assert succeeds(*EDGE, "--out", "rtl", "--force") == "rtl: 19 files, rtl/README.md says how to use them\n"


REFUSED = [
    ((), "which folder? give --out, or --report to see only what the cores take"),
    (("--report", "--check"), "--check and --force are for what is written; give --out, too"),
    (("--out", "rtl", "--route"), "--target, --route and --json are for --report; give it, too"),
    (("--report", "--target", "xc7,ice40"), "cores are synthesised for xc7, ecp5, gates, not for 'ice40'"),
    (("--report", "--target", ""), "cores are synthesised for xc7, ecp5, gates, not for ''"),
    (
        ("--report", "--route", "--target", "xc7, gates"),
        "cores are placed and routed on ecp5, which is not among the targets xc7, gates",
    ),
    (("--out", "walk.npy"), "walk.npy is no folder; give the name of one"),
    (("--out", "a/b"), "a/b: the folder a does not exist"),
    (
        ("--out", "rtl", "--set", "pes=0"),
        "edgedrnn-minized: pes = 0 is out of range; it goes from 1 to 1099511627776",
    ),
    (
        ("--out", "rtl", "--set", "pes=10000"),
        "edgedrnn-minized: 10000 multipliers; the RTL is written for up to 4096",
    ),
    (
        ("--out", "rtl", "--set", "mac_latency_cycles=2"),
        "edgedrnn-minized: mac_latency_cycles = 2; the RTL takes at least 3: weight, product, sum",
    ),
    (
        ("--out", "rtl", "--set", "accumulator_bits=12"),
        "edgedrnn-minized: accumulator_bits = 12 is out of range; it goes from 16 to 32",
    ),
    (
        ("--out", "rtl", "--set", "dram_bytes=100"),
        "the weights need 0.00 MB of weight memory, edgedrnn-minized has 0.00 MB; "
        "choose a larger memory, fewer bits, or another machine",
    ),
    (
        ("--out", "rtl", "-m", "bw-s10"),
        "bw-s10 has no RTL yet; machines that have: deltarnn-zynq7100, edgedrnn-minized, spartus-zynq7100",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_cannot_be_written_is_refused_before_anything_is(
    arguments: tuple[str, ...], message: str
) -> None:
    before = names()
    assert refusal(*EDGE, *arguments) == message
    assert names() == before


def test_without_input_nothing_is_written() -> None:
    assert refusal(*EDGE[:6], "--out", "rtl") == "which data? give --input"
    assert names() == {"gru.onnx", "walk.npy"}


REPORT = ("rtl", "gru.onnx", "-m", "edgedrnn-minized,pes=2", "-c", "walk.npy", "--report")


@pytest.mark.slow
def test_the_report_has_every_core_on_every_target() -> None:
    report = json.loads(succeeds(*REPORT, "--json", "-"))
    assert [(core["core"], core["family"]) for core in report["cores"]] == [
        ("layer_core", "xc7"),
        ("layer_core", "ecp5"),
    ]
    assert all(core["luts"] > 0 and core["flip_flops"] > 0 and core["dsps"] > 0 for core in report["cores"])
    (chip,) = report["chips"]
    assert chip["gates"] == chip["combinational_gates"] + chip["sequential_gates"] > 0
    sizes = (memory["count"] * memory["words"] * memory["word_bits"] for memory in chip["memories"])
    assert chip["memory_bits"] == sum(sizes) > 0
    assert [figure["name"] for figure in report["published"]] == ["DSP48E1"]
    text = succeeds(*REPORT)
    assert f"{report['cores'][0]['luts']:,}" in text
    assert f"{chip['gates'] / 1e3:.2f}" in text


@pytest.mark.slow
def test_only_the_targets_asked_for() -> None:
    report = json.loads(succeeds(*REPORT, "--json", "-", "--target", "gates"))
    assert (report["cores"], len(report["chips"])) == ([], 1)
    assert "7 series" not in succeeds(*REPORT, "--target", "gates")

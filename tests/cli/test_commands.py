"""What each command gives, in tables and in JSON."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from commands import refusal, succeeds, write_model
from deltawave.cli.output import terminal_width
from deltawave.machines import families
from deltawave.machines.deltarnn import EDGEDRNN_MINIZED
from deltawave.machines.program import compile_network
from networks import recurrent_network, walk


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with a streaming GRU, clips, and the classes that its float network says at their ends."""
    monkeypatch.chdir(tmp_path)
    network = recurrent_network("GRU", streaming=True)
    write_model(network, tmp_path / "gru.onnx")
    clips = np.stack([walk(seed=seed)[:, 0] for seed in range(8)])
    np.savez("clips.npz", frames=clips, labels=np.arange(8) % 3)
    np.save("walk.npy", walk())


CLIPS = ("-i", "clips.npz", "--separate")
EDGE = ("-m", "edgedrnn-minized")


def as_json(*arguments: object) -> Any:
    return json.loads(succeeds(*arguments, "--json", "-"))


def values(group: list[dict[str, Any]]) -> dict[str, float]:
    return {figure["name"]: figure["value"] for figure in group}


def test_help_names_every_command_and_starts_without_the_rest() -> None:
    text = succeeds("--help")
    for name in (
        "machines",
        "inspect",
        "compile",
        "list",
        "run",
        "compare",
        "sweep",
        "search",
        "scale",
        "claims",
    ):
        assert f"\n  {name} " in text
        assert "Usage" in succeeds(name, "--help")


def test_machines_lists_families_and_every_parameter() -> None:
    assert {row["machine"] for row in as_json("machines")} >= {
        "deltarnn-zynq7100",
        "edgedrnn-minized",
        "spartus-zynq7100",
    }
    options = {row["option"]: row for row in as_json("machines", "edgedrnn-minized")}
    assert options["clock_hz"]["default"] == EDGEDRNN_MINIZED.clock_hz
    assert options["clock_hz"]["unit"] == "Hz"
    assert options["activation_overflow"]["type"] == "saturate | wrap"
    assert options["weight_fraction_bits"]["type"] == "int or none"
    text = succeeds("machines", "edgedrnn-minized")
    assert all(name in text for name in options)


def test_inspect_shows_layers_states_and_what_each_machine_takes() -> None:
    found = as_json("inspect", "gru.onnx")
    assert found["states"] == {"h0": "hN"}
    assert [layer["kind"] for layer in found["layers"] if layer["parameters"]] == ["GRU", "MatMul"]
    taken = {row["machine"]: row for row in found["machines"]}["edgedrnn-minized"]
    gru = 2 * 3 * 9 * (6 + 9)
    assert taken["operations_share"] == gru / (gru + 2 * 9 * 3)
    assert taken["layers"]["dense_layer"] == [False, "runs recurrent layers only"]
    text = succeeds("inspect", "gru.onnx")
    assert "state   h0 <- hN" in text
    assert "leaves dense_layer to the host: runs recurrent layers only" in text


def test_a_program_file_lists_and_runs_like_its_model() -> None:
    tuned = (*EDGE, "--set", "theta_hidden=0.1", "-c", "walk.npy")
    assert succeeds("compile", "gru.onnx", *tuned, "-o", "gru.dwp") == (
        "gru.dwp: layer of gru for edgedrnn-minized\n"
    )
    assert succeeds("list", "gru.dwp") == succeeds("list", "gru.onnx", *tuned)
    assert succeeds("run", "gru.dwp", *CLIPS) == succeeds("run", "gru.onnx", *tuned, *CLIPS)


def test_options_come_from_a_file_and_from_set_over_it() -> None:
    Path("edge.toml").write_text(
        "theta_hidden = 0.1\ntheta_input = 0.1\n[theta_layers]\nlayer = [0.5, 0.5]\n"
    )
    listing = succeeds(
        "list", "gru.onnx", *EDGE, "--config", "edge.toml", "--set", "theta_layers.layer=0.25,0.125"
    )
    assert "theta_x 64 (0.25)  theta_h 32 (0.125)" in listing


def test_options_come_after_the_name_too_over_the_file_and_under_set() -> None:
    Path("edge.toml").write_text("theta_hidden = 0.5\ntheta_input = 0.5\n")
    named = "edgedrnn-minized,theta_input=0.25,theta_hidden=0.25,published_cells=gru,lstm"
    listing = succeeds(
        "list", "gru.onnx", "-m", named, "--config", "edge.toml", "--set", "theta_hidden=0.125"
    )
    assert "theta_x 64 (0.25)  theta_h 32 (0.125)" in listing
    apart = ("theta_input=0.25", "theta_hidden=0.125", "published_cells=gru,lstm")
    settings = [word for setting in apart for word in ("--set", setting)]
    assert listing == succeeds("list", "gru.onnx", *EDGE, *settings)


def test_run_measures_quality_time_energy_and_traffic() -> None:
    report = as_json("run", "gru.onnx", *EDGE, *CLIPS)
    assert report["streams"] == 8
    quality, work, time = (values(report[group]) for group in ("quality", "work", "time"))
    assert {"accuracy", "accuracy of the float network", "error of y", "largest error of y"} == set(quality)
    steps = 8 * 20
    assert time["steps"] == steps
    assert work["operations on the machine"] == steps * 2 * 3 * 9 * (6 + 9)
    assert work["operations on the host"] == steps * 2 * 9 * 3
    assert time["latency per step"] == time["cycles"] / steps / EDGEDRNN_MINIZED.clock_hz
    assert 0 < values(report["sparsity"])["weights fetched"] <= 1
    assert report["cells"][0]["inputs"] == 6
    assert all(figure["source"] for group in ("energy", "area") for figure in report[group])
    text = succeeds("run", "gru.onnx", *EDGE, *CLIPS)
    assert "gru on edgedrnn-minized: 8 streams, 160 steps" in text
    assert max(map(len, text.splitlines())) <= 120


def test_run_writes_outputs_and_a_trace() -> None:
    succeeds(
        "run",
        "gru.onnx",
        *EDGE,
        *CLIPS,
        "--save",
        "out.npz",
        "--trace",
        "trace.json",
        "--json",
        "report.json",
    )
    program = compile_network(recurrent_network("GRU", streaming=True), EDGEDRNN_MINIZED)
    expected = program.run(list(np.load("clips.npz")["frames"]))
    with np.load("out.npz") as saved:
        assert set(saved.files) == {f"y/{number}" for number in range(8)}
        assert all(np.array_equal(saved[f"y/{n}"], out["y"]) for n, out in enumerate(expected.outputs))
    assert json.loads(Path("trace.json").read_text())["traceEvents"]
    assert json.loads(Path("report.json").read_text())["machine"] == "edgedrnn-minized"


def test_plain_semantics_give_the_same_report() -> None:
    assert succeeds("run", "gru.onnx", *EDGE, *CLIPS, "--plain") == succeeds("run", "gru.onnx", *EDGE, *CLIPS)


def test_compare_puts_variants_beside_the_float_network_and_says_who_refuses() -> None:
    variants = ("-m", "edgedrnn-minized", "-m", "edgedrnn-minized,theta_hidden=0.25,theta_input=0.25",
                "-m", "spartus-zynq7100,extensions=false")  # fmt: skip
    found = as_json("compare", "gru.onnx", *variants, *CLIPS)
    plain, sparse, refused = found["machines"]
    assert sparse["machine"] == "edgedrnn-minized, theta_input=0.25, theta_hidden=0.25"
    assert (
        values(sparse["report"]["sparsity"])["weights fetched"]
        < values(plain["report"]["sparsity"])["weights fetched"]
    )
    assert values(sparse["report"]["time"])["cycles"] < values(plain["report"]["time"])["cycles"]
    assert refused == {
        "machine": "spartus-zynq7100, extensions=false",
        "refused": "spartus-zynq7100 takes no layer of gru (layer: the published machine has no GRU, ours has it as an "
        "extension; set extensions=true to add it); choose another machine or other parameters",
    }
    alone = as_json("run", "gru.onnx", *EDGE, *CLIPS)
    assert plain["report"] == alone
    text = succeeds("compare", "gru.onnx", *variants, *CLIPS)
    assert "float network" in text
    assert "refused" in text


def test_compare_without_machines_takes_all() -> None:
    known = [row["machine"] for row in as_json("machines")]
    assert [entry["machine"] for entry in as_json("compare", "gru.onnx", *CLIPS)["machines"]] == known


def test_compare_says_which_machine_refuses_once() -> None:
    text = succeeds("compare", "gru.onnx", "-m", "spartus-zynq7100,extensions=false", *EDGE, *CLIPS)
    assert "- spartus-zynq7100, extensions=false: spartus-zynq7100 takes no layer of gru" in text
    write_model(recurrent_network("RNN", activations=["Softsign"]), Path("odd.onnx"))
    text = succeeds("compare", "odd.onnx", *EDGE, "-i", "walk.npy")
    assert "- edgedrnn-minized takes no layer of odd" in text


def test_compare_leaves_out_columns_that_no_machine_fills() -> None:
    heads = {
        name: succeeds("compare", "gru.onnx", "-m", name, *CLIPS).splitlines()[3].split()
        for name in ("bw-s10", "edgedrnn-minized")
    }
    assert {"fetched", "DSP48E1", "BRAM36", "mm2"} & {*heads["edgedrnn-minized"]} == {
        "fetched",
        "DSP48E1",
        "BRAM36",
        "mm2",
    }
    assert {"fetched", "DSP48E1", "BRAM36", "mm2"} & {*heads["bw-s10"]} == {"mm2"}


def test_sweep_reports_what_each_point_would_alone() -> None:
    over = ("--over", "theta_input=0,0.25", "--over", "theta_hidden=0.5, 0.125,0")
    found = as_json("sweep", "gru.onnx", *EDGE, *over, *CLIPS)
    assert [found[key] for key in ("network", "machine", "streams")] == ["gru", "edgedrnn-minized", 8]
    assert [tuple(point["options"].values()) for point in found["points"]] == [
        (theta_input, theta_hidden) for theta_input in (0.0, 0.25) for theta_hidden in (0.5, 0.125, 0.0)
    ]
    for point in found["points"]:
        settings = [word for name, value in point["options"].items() for word in ("--set", f"{name}={value}")]
        assert point["report"] == as_json("run", "gru.onnx", *EDGE, *settings, *CLIPS)
    lines = succeeds("sweep", "gru.onnx", *EDGE, *over, *CLIPS).splitlines()
    assert lines[0] == "gru on edgedrnn-minized: 8 streams"
    assert lines[3].startswith("theta_input, theta_hidden ")
    assert [line.split("  ")[0] for line in lines[5:11]] == [
        "0, 0.5",
        "0, 0.125",
        "0, 0",
        "0.25, 0.5",
        "0.25, 0.125",
        "0.25, 0",
    ]


def test_sweep_tells_of_points_that_the_machine_refuses() -> None:
    sizes = ("-m", "deltarnn-zynq7100", "--over", "weight_memory_bytes=100,100000")
    refused, ran = as_json("sweep", "gru.onnx", *sizes, *CLIPS)["points"]
    assert refused == {
        "options": {"weight_memory_bytes": 100},
        "refused": "the weights need 0.00 MB of weight memory, deltarnn-zynq7100 has 0.00 MB; choose a larger memory, "
        "fewer bits, or another machine",
    }
    assert ran["report"]["machine"] == "deltarnn-zynq7100, weight_memory_bytes=100000"


@pytest.mark.parametrize("labels", [(), ("--metric", "none")])
@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<?xml"), ("a.png", b"\x89PNG")])
def test_sweep_draws_a_picture(name: str, start: bytes, labels: tuple[str, ...]) -> None:
    pytest.importorskip("matplotlib")
    succeeds("sweep", "gru.onnx", *EDGE, "--over", "pes=4,8", *CLIPS, *labels, "--picture", name)
    assert Path(name).read_bytes().startswith(start)


@pytest.mark.parametrize(("name", "start"), [("a.svg", b"<?xml"), ("a.png", b"\x89PNG")])
def test_compare_draws_a_picture(name: str, start: bytes) -> None:
    pytest.importorskip("matplotlib")
    succeeds("compare", "gru.onnx", *EDGE, *CLIPS, "--picture", name)
    assert Path(name).read_bytes().startswith(start)


def test_search_finds_thresholds_within_the_limit() -> None:
    found = as_json(
        "search",
        "gru.onnx",
        *EDGE,
        "-c",
        "walk.npy",
        "-i",
        "walk.npy",
        "--max-error",
        "0.2",
        "-o",
        "best.dwp",
    )
    assert found["best"]["error"] <= 0.2
    assert found["best"]["loss"] == found["best"]["error"]
    assert found["best"]["fetched"] == min(
        point["fetched"] for point in found["tried"] if point["loss"] <= 0.2
    )
    run = as_json("run", "best.dwp", "-i", "walk.npy")
    assert values(run["sparsity"])["weights fetched"] == pytest.approx(found["best"]["fetched"])
    assert values(run["quality"])["error of y"] == pytest.approx(found["best"]["error"])
    text = succeeds("search", "gru.onnx", *EDGE, *CLIPS, "--max-accuracy-loss", "50")
    assert "theta_hidden" in text
    assert "at most 50 points of accuracy below the float network" in text


def test_claims_are_one_list_with_exactly_these_keys() -> None:
    keys = {"machine", "name", "unit", "reported", "ours", "deviation", "source", "certainty"}
    rows = json.loads(succeeds("claims", "--json"))
    by_family = [json.loads(succeeds("claims", family, "--json")) for family in families()]
    assert rows == [row for family in by_family for row in family]
    assert all(set(row) - {"reason"} == keys for row in rows)
    compared = [row for row in rows if row["ours"] is not None]
    assert compared
    assert all(
        row["deviation"] == pytest.approx((row["ours"] - row["reported"]) / row["reported"])
        for row in compared
    )
    text = succeeds("claims")
    assert all(row["machine"] in text for row in rows)


def test_pictures_without_matplotlib_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert refusal("compare", "gru.onnx", *EDGE, *CLIPS, "--picture", "a.svg") == (
        "pictures need matplotlib; install it with: pip install 'deltawave[plot]'"
    )


def test_a_file_is_written_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("best.dwp").write_bytes(b"before")

    def fail(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device", "best.dwp")

    monkeypatch.setattr("deltawave.machines.program_file.save_program", fail)
    before = sorted(Path().iterdir())
    assert refusal("compile", "gru.onnx", *EDGE, "-o", "best.dwp") == "best.dwp: no space left on device"
    assert sorted(Path().iterdir()) == before
    assert Path("best.dwp").read_bytes() == b"before"


def test_inspect_says_what_is_in_the_way() -> None:
    write_model(recurrent_network("GRU", activations=["Sigmoid", "Relu"]), Path("relu.onnx"))
    text = succeeds("inspect", "relu.onnx")
    assert "reset before the product, activations sigmoid, relu" in text
    assert "ours adds a second pass that sends r * h" in text


def test_without_an_output_tables_have_their_full_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert terminal_width(most=77) == 77

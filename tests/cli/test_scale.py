"""Scale studies: what grows, where links overtake dies, files, refusals."""

import csv
import json
from pathlib import Path

import pytest

from commands import refusal, succeeds
from deltawave.errors import CapacityError, OptionError
from deltawave.machines.muntaniala import MUNTANIALA, PROTOTYPE, operating
from deltawave.machines.muntaniala.scale import measure, overtaken


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_point_is_what_a_run_of_that_size_says() -> None:
    point, ran = measure(PROTOTYPE, 192), operating.prototype()
    assert point.dies == ran.dies == 4
    assert point.period_s == ran.step_seconds
    assert point.latency_s == ran.timeline.parts[0].step_cycles[0] / PROTOTYPE.clock_hz
    assert point.energy_basis == "published points"
    assert point.step_j == pytest.approx(ran.step_joules, rel=0.01)  # whose first step counts for less


def test_links_overtake_dies_with_the_second_die_of_narrow_links_and_late_on_wide_ones() -> None:
    sizes = (96, 97, 1000, 4000)
    narrow, wide = (
        [measure(MUNTANIALA.with_options({"link_bits": bits}), size) for size in sizes] for bits in (8, 32)
    )
    assert [point.hidden if point else None for point in map(overtaken, (narrow, wide))] == [97, 4000]
    assert overtaken(narrow[:1]) is None


def test_layers_side_by_side_need_more_dies_and_one_period() -> None:
    one, three = (measure(MUNTANIALA, 192, layers) for layers in (1, 3))
    assert three.dies == 3 * one.dies
    assert three.period_s < 1.01 * one.period_s
    assert three.latency_s > 2.5 * one.latency_s


def test_impossible_sizes() -> None:
    with pytest.raises(OptionError) as refused:
        measure(MUNTANIALA, 0)
    assert str(refused.value) == (
        "1 layers of 0 units with 0 inputs cannot be measured; sizes go from 1 to 100000, layers from 1 to 64"
    )
    with pytest.raises(CapacityError, match=r"^layer 0 needs 199\.1 kB on a die, muntaniala has 81\.6 kB; "):
        measure(MUNTANIALA.with_options({"units": 157}), 200)


def test_tables_files_and_pictures_agree() -> None:
    text = succeeds(
        *("scale", "-m", "muntaniala", "--hidden", "192,96", "--over", "link_bits=8,32"),
        *("--csv", "s.csv", "--json", "s.json", "--picture", "s.png"),
    )
    with open("s.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    found = json.loads(Path("s.json").read_text())
    assert [{key: str(value) for key, value in point.items()} for point in found["points"]] == rows
    assert [(row["variant"], row["hidden"], row["dies"]) for row in rows] == [
        ("link_bits=8", "96", "1"),
        ("link_bits=8", "192", "4"),
        ("link_bits=32", "96", "1"),
        ("link_bits=32", "192", "4"),
    ]
    assert found["links_overtake_dies_at"] == {
        "link_bits=8": {"time": 192, "energy": 96},
        "link_bits=32": {"time": None, "energy": 96},
    }
    assert "link_bits=8: time from 192 units on; energy from 96 units on" in text
    assert "link_bits=32: time not up to the largest; energy from 96 units on" in text
    assert Path("s.png").read_bytes().startswith(b"\x89PNG")
    assert (
        json.loads(succeeds("scale", "-m", "muntaniala", "--hidden", "96", "--json", "-"))["machine"]
        == "muntaniala"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("-m", "bw-s5"),
            "bw-s5 is no array of dies that grows with the network; there are: chipmunk, muntaniala, muntaniala-2x2",
        ),
        (("-m", "muntaniala", "--hidden", "96,many"), "--hidden '96,many': 'many' is no number of units"),
        (("-m", "muntaniala", "--picture", "s.gif"), "s.gif: pictures are drawn as .svg or .png"),
        (
            ("-m", "muntaniala", "--hidden", "0"),
            "1 layers of 0 units with 0 inputs cannot be measured; sizes go from 1 to 100000, layers from 1 to 64",
        ),
    ],
)
def test_refusals(arguments: tuple[str, ...], message: str) -> None:
    assert refusal("scale", *arguments) == message
    assert not list(Path().iterdir())

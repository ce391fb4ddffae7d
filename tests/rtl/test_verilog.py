"""Verilog from Amaranth."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deltawave.errors import ToolError
from deltawave.rtl.verilog import to_verilog
from rtl.designs import Queue

ROOT = Path(__file__).parents[2]
WRITE = """
from rtl.designs import Queue
from deltawave.rtl.verilog import to_verilog
print(to_verilog(Queue(8, 3), "queue"), end="")
"""


def test_verilog_is_the_same_each_time_and_names_no_place() -> None:
    def written(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": f"{ROOT / 'tests'}:{ROOT / 'src'}"}
        command = [sys.executable, "-c", WRITE]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout

    text = to_verilog(Queue(8, 3), "queue")
    assert text == written("1") == written("2")
    assert "module queue(" in text
    assert "src =" not in text
    assert str(ROOT) not in text


@pytest.mark.parametrize("choice", [None, "system"])
def test_the_choice_of_yosys_is_left_as_it_was(choice: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if choice is None:
        monkeypatch.delenv("AMARANTH_USE_YOSYS", raising=False)
    else:
        monkeypatch.setenv("AMARANTH_USE_YOSYS", choice)
    assert "Amaranth Yosys" in to_verilog(Queue(8, 3), "queue")
    assert os.environ.get("AMARANTH_USE_YOSYS") == choice


def test_amaranth_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deltawave.rtl.tools.find_spec", lambda name: None)
    with pytest.raises(ToolError) as caught:
        to_verilog(object(), "queue")
    assert str(caught.value) == "writing Verilog needs the package amaranth; pip install 'deltawave[rtl]'"

"""What is written for a program: the test bench passes as it is, fails on any difference, and the images are true."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import deltawave as dw
from deltawave.errors import OptionError, SimulationError, UnsupportedError
from deltawave.machines import Machine
from deltawave.machines.deltarnn import EDGEDRNN_MINIZED
from deltawave.machines.deltarnn.compiled import delta_cell
from deltawave.machines.deltarnn.rtl.hand_over import module_names
from deltawave.machines.hand_over import write_rtl
from deltawave.machines.program import Program
from deltawave.rtl.testbench import run_testbench
from networks import recurrent_network, stacked_network, walk

MACHINES = {
    "edgedrnn-minized": {"pes": 2, "dram_latency_cycles": 3, "theta_hidden": 0.05},
    "deltarnn-zynq7100": {"channel_pes": 1, "activation_lanes": 2, "hidden_rate": 2, "input_rate": 2},
    "spartus-zynq7100": {"arrays": 2, "array_pes": 4, "activation_lanes": 4, "input_rate": 2},
}
BENCH = ("testbench.sv", "vectors/h.hex", "vectors/step_cycles.hex", "vectors/streams.hex", "vectors/x.hex")
EVERY_CELL = ("layer_core.lpf", "layer_core.v", "layer_core.xdc", "memories/load.hex", *BENCH)


def program_for(machine: str, op: str = "GRU", **attributes: object) -> Program:
    network = recurrent_network(op, **({"linear_before_reset": 1} if op == "GRU" else {}), **attributes)
    return dw.compile(network, dw.machine(machine).with_options(MACHINES[machine]), calibration=walk())


def stacked_program(machine: str, op: str, *sizes: int) -> Program:
    network = stacked_network(*((op, hidden) for hidden in sizes))
    return dw.compile(network, dw.machine(machine).with_options(MACHINES[machine]), calibration=walk())


def written(program: Program, folder: Path, steps: int = 4) -> Mapping[str, Path]:
    files = write_rtl(program, folder, [walk(steps), walk(steps - 1, seed=2)])
    return {str(path.relative_to(folder)): path for path in files}


def passes(folder: Path) -> str:
    return run_testbench(folder, [f"{folder.name}.v", "testbench.sv"], "testbench").splitlines()[0]


def test_the_written_bench_passes_and_sees_every_difference(tmp_path: Path) -> None:
    written(program_for("edgedrnn-minized", "LSTM"), tmp_path / "rtl")
    folder = tmp_path / "rtl" / "layer_core"
    assert passes(folder) == (
        "PASS: 7 steps in 2 streams: every output and the cycles of every step are the model's"
    )
    for vectors, place, message in (
        ("h", 13, "output 4 of step 1: {was}, not beef"),
        ("step_cycles", 2, "step 2 took {was} cycles, not 48879"),
    ):
        file = folder / "vectors" / f"{vectors}.hex"
        before = file.read_text()
        lines = before.splitlines()
        was = lines[place] if vectors == "h" else int(lines[place], 16)
        lines[place] = f"{0xBEEF:0{len(lines[place])}x}"
        file.write_text("\n".join(lines) + "\n")
        with pytest.raises(SimulationError) as failure:
            passes(folder)
        assert str(failure.value).startswith(f"the test bench in {folder} fails: ")
        assert message.format(was=was) in str(failure.value)
        file.write_text(before)


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("op", ["GRU", "LSTM", "RNN"])
def test_the_written_benches_of_all_machines_pass(machine: str, op: str, tmp_path: Path) -> None:
    written(program_for(machine, op, direction="bidirectional"), tmp_path / "rtl")
    for name in ("layer_core", "layer_reverse_core"):
        assert passes(tmp_path / "rtl" / name).startswith("PASS: 7 steps in 2 streams")


def test_the_bench_of_cells_that_take_turns_passes(tmp_path: Path) -> None:
    files = written(stacked_program("edgedrnn-minized", "GRU", 9, 5, 4), tmp_path / "rtl")
    assert {path.partition("/")[0] for path in files} == {"README.md", "layer0_core"}
    assert passes(tmp_path / "rtl" / "layer0_core").startswith("PASS: 7 steps in 2 streams")


def test_the_bench_of_a_core_with_many_memories_passes(tmp_path: Path) -> None:
    many = {"arrays": 8, "array_pes": 2, "activation_lanes": 2, "input_rate": 2}
    machine = dw.machine("spartus-zynq7100").with_options(many)
    written(dw.compile(recurrent_network("RNN"), machine, calibration=walk()), tmp_path / "rtl")
    selected = {line[:-8] for line in (tmp_path / "rtl/layer_core/memories/load.hex").read_text().split()}
    assert {int(select, 16) for select in selected} == {1, *range(4, 20)}
    assert passes(tmp_path / "rtl" / "layer_core").startswith("PASS: 7 steps in 2 streams")


@pytest.mark.slow
@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("op", ["GRU", "LSTM", "RNN"])
def test_the_benches_of_stacked_cells_pass_on_all_machines(machine: str, op: str, tmp_path: Path) -> None:
    written(stacked_program(machine, op, 9, 5), tmp_path / "rtl")
    cores = ("layer0_core", "layer1_core") if machine == "spartus-zynq7100" else ("layer0_core",)
    assert {path.name for path in (tmp_path / "rtl").iterdir()} == {"README.md", *cores}
    for core in cores:
        assert passes(tmp_path / "rtl" / core).startswith("PASS: 7 steps in 2 streams")


@pytest.mark.parametrize(
    ("machine", "memories"),
    [
        ("edgedrnn-minized", ("bias", "second_bias")),
        ("deltarnn-zynq7100", ("weights", "bias", "second_bias")),
        (
            "spartus-zynq7100",
            ("bias", "second_bias", *(f"array{n}_{what}" for n in "01" for what in ("weights", "columns"))),
        ),
    ],
)
def test_what_is_written(machine: str, memories: tuple[str, ...], tmp_path: Path) -> None:
    files = written(program_for(machine), tmp_path / "rtl")
    streamed = ("columns.bin", "columns.csv", "columns.hex", "first_words.hex", "column_cycles.hex")
    names = {f"{name}.{kind}" for name in memories for kind in ("bin", "hex")}
    names |= set(streamed) if machine == "edgedrnn-minized" else set()
    assert set(files) == {
        "README.md",
        *(f"layer_core/{name}" for name in EVERY_CELL),
        *(f"layer_core/memories/{name}" for name in names),
    }
    assert {path for path in (tmp_path / "rtl").rglob("*") if path.is_file()} == set(files.values())


def test_streamed_columns_are_where_the_table_says(tmp_path: Path) -> None:
    program = stacked_program("edgedrnn-minized", "GRU", 9, 5)
    files = written(program, tmp_path / "rtl")
    cells = {name: delta_cell(cell).cell for name, cell in program.cells.items()}
    image = np.frombuffer(files["layer0_core/memories/columns.bin"].read_bytes(), np.int8)
    table = files["layer0_core/memories/columns.csv"].read_text().splitlines()
    assert table[0] == "column,cell,vector,element,first_byte,words,cycles"
    rows = [line.split(",") for line in table[1:]]
    assert [int(row[0]) for row in rows] == list(range(sum(cell.columns for cell in cells.values())))
    for _, name, vector, element, first, words, _ in rows:
        cell = cells[name]
        matrix = {"x": cell.weights_x, "h": cell.weights_h}[vector]
        column = matrix[:, int(element)].reshape(3, cell.hidden)
        stored = image[int(first) :][: 2 * int(words)].reshape(3, -1)
        assert np.array_equal(stored[:, : cell.hidden], column)
        assert not stored[:, cell.hidden :].any()


def test_the_readme_has_every_register_and_file(tmp_path: Path) -> None:
    files = written(program_for("edgedrnn-minized"), tmp_path / "rtl")
    text = files["README.md"].read_text()
    registers = registers_in(text)
    assert registers["clear"][:3] == (0x00, "pulse", "")
    assert registers["steps"][:3] == (0x10, "read", "")
    assert registers["hidden"] == (0x40, "read, write", "9", "neurons")
    assert registers["groups_x"][:3] == (0x44, "read, write", "6")
    assert len(registers) == COUNT + SETTINGS
    assert "| x | 6 | Q" in text
    assert "{" not in text


COUNT, SETTINGS = 5, 10
"""Registers of a core, and of each of its cells."""


def registers_in(text: str) -> dict[str, tuple[int, str, str, str]]:
    """Address, access, value after reset and meaning, by name."""
    row = r"^\| (\w+) \| 0x([0-9a-f]{2,3}) \| \d+ \| ([a-z, ]+) \| (\d*) \| (.+) \|$"
    found = re.findall(row, text, re.MULTILINE)
    return {name: (int(offset, 16), *others) for name, offset, *others in found}


def test_the_readme_says_which_cells_take_turns(tmp_path: Path) -> None:
    program = stacked_program("deltarnn-zynq7100", "GRU", 9, 5)
    files = written(program, tmp_path / "rtl")
    text, shift = files["README.md"].read_text(), delta_cell(program.cells["layer1"]).input_shift
    registers = registers_in(text)
    assert len(registers) == COUNT + 2 * SETTINGS
    assert registers["hidden"][2:] == ("9", "layer0: neurons")
    assert registers["hidden_2"][2:] == ("5", "layer1: neurons")
    assert registers["step_cycles"][3] == "cycles that the last step took"
    assert (
        "- `layer0_core/`: gru layer0, 6 inputs, 9 neurons; gru layer1, 9 inputs, 5 neurons; weights of"
        in text
    )
    bias = len(files["layer0_core/memories/bias.hex"].read_text().splitlines()) // 2
    second = len(files["layer0_core/memories/second_bias.hex"].read_text().splitlines()) // 2
    assert (
        "| cell | | inputs | neurons | fed states are divided by | bias from word | second_bias from word |"
        in text
    )
    assert "| 1 | layer0 | 6 | 9 |  | 0 | 0 |" in text
    assert f"| 2 | layer1 | 9 | 5 | {2**shift} | {bias} | {second} |" in text
    assert "| h | 5 | Q" in text


def test_constraints_have_the_clock_of_the_machine(tmp_path: Path) -> None:
    files = written(program_for("edgedrnn-minized"), tmp_path / "rtl")
    assert (
        "create_clock -name clk -period 8.000 [get_ports clk]\n"
        in files["layer_core/layer_core.xdc"].read_text()
    )
    assert 'FREQUENCY PORT "clk" 125 MHZ;\n' in files["layer_core/layer_core.lpf"].read_text()


@settings(deadline=None, max_examples=200)
@given(st.sets(st.text(min_size=1, max_size=70), max_size=8))
def test_modules_have_names_of_their_own(cells: set[str]) -> None:
    names = list(module_names(cells).values())
    assert len(set(names)) == len(names) == len(cells)
    assert all(re.fullmatch(r"[A-Za-z]\w*_core", name, re.ASCII) for name in names)


def test_folders_are_not_written_over(tmp_path: Path) -> None:
    program, folder = program_for("edgedrnn-minized"), tmp_path / "rtl"
    files = written(program, folder)
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(OptionError) as refused:
        write_rtl(program, folder, walk())
    assert str(refused.value) == (
        f"{folder} is not empty; give another folder, or --force to replace the files of the same names"
    )
    steps = files["layer_core/vectors/streams.hex"].read_text()
    write_rtl(program, folder, walk(), overwrite=True)
    assert files["layer_core/vectors/streams.hex"].read_text() != steps
    assert (folder / "mine.txt").read_text() == "mine"


def refused_machine(tmp_path: Path, machine: Machine) -> str:
    """The message; nothing is written."""
    program = dw.compile(recurrent_network(), machine, calibration=walk())
    with pytest.raises(OptionError) as refused:
        write_rtl(program, tmp_path / "rtl", walk())
    assert list(tmp_path.iterdir()) == []
    return str(refused.value)


def test_a_machine_without_rtl_is_refused(tmp_path: Path) -> None:
    assert refused_machine(tmp_path, dw.machine("bw-s10")) == (
        "bw-s10 has no RTL yet; machines that have: deltarnn-zynq7100, edgedrnn-minized, spartus-zynq7100"
    )


def test_a_size_that_no_design_is_written_for_is_refused(tmp_path: Path) -> None:
    machine = EDGEDRNN_MINIZED.with_options({"fifo_depth": 1 << 30})
    assert refused_machine(tmp_path, machine) == (
        "edgedrnn-minized: 1073741824 places of the FIFO; the RTL is written for up to 65535"
    )


def test_a_state_to_start_from_is_refused(tmp_path: Path) -> None:
    program = program_for("edgedrnn-minized")
    executor = program.cells["layer"]
    from deltawave.machines.deltarnn.rtl.record import Recorder

    recorder = Recorder(delta_cell(executor), delta_cell(executor).executor())
    with pytest.raises(UnsupportedError) as refused:
        recorder.reset(np.ones(9, np.float32), None)
    assert str(refused.value) == (
        "layer starts from a state that is not zero; its RTL starts from zero: give data whose initial states are zero"
    )

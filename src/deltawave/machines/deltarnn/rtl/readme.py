"""The README of a hand-over: how to load, set, run, simulate and synthesise what is in it."""

from collections.abc import Iterator, Sequence
from importlib.resources import files

from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from deltawave.machines.deltarnn.compiled import delta_cell
from deltawave.machines.deltarnn.rtl.bench import Bench
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.machines.deltarnn.rtl.sparse import SparseShape
from deltawave.machines.deltarnn.rtl.top import MEANINGS, Top, registers, setting, settings_of
from deltawave.machines.program import Program
from deltawave.numerics import Fixed

PORTS = {
    "clk": "the clock: everything happens at its rising edge",
    "rst": "synchronous reset, active high; memories keep what they hold",
    "axil_": "AXI4-Lite slave with 32-bit registers (below)",
    "load_": "AXI4-Stream slave: fills the memories; load_select is tdest, the memory's number",
    "x_": "AXI4-Stream slave: inputs, signed, element 0 in the lowest bits of the first beat",
    "column_": "AXI4-Stream master: the number of a column of weights that is wanted",
    "w_": "AXI4-Stream slave: the words of the columns wanted, in the order in which they were",
    "h_": "AXI4-Stream master: outputs, signed, element 0 in the lowest bits of the first beat; h_last is tlast",
    "step_": "step_done is high in the last cycle of a step; step_cycles says then how many it took",
}
CORE = """
## {module}

{what}
{turns}
| stream | elements | format | beats | elements a beat |
|---|---|---|---|---|
{streams}

| port | direction | bits | |
|---|---|---|---|
{ports}

| register | address | bits | access | after reset | |
|---|---|---|---|---|---|
{registers}

| memory | load_select | words | bits of a word | lanes | beats of a word |
|---|---|---|---|---|---|
{memories}

{layout}
"""
TURNS = """
In every step the cells take turns, in this order. Each is fed the states that the one before has just made, divided as
the table says, rounded to the nearest, ties to even, and saturated; those of the last one go out. A step ends with the
last one's turn, and `clear` begins a new stream in all of them. Registers of the second cell end in _2, and so on.

| cell | | inputs | neurons | fed states are divided by |{memories}
|---|---|---|---|---|{lines}
{rows}
"""
STREAMED = """Weights stream in. The core asks for columns by number on `column`; on `w` it wants their words, {bits}
bits each, lane 0 in the lowest bits, in the same order. `memories/columns.bin` holds all columns, a word in {bytes}
bytes, little-endian; `memories/columns.csv` says where each begins, how many words it has, and how many cycles the
machine's memory takes for it. The model's cycles hold for a memory of that pace whose first word is there {latency}
cycles after the request was taken; with a slower one the core waits. `columns.hex`, `first_words.hex` and
`column_cycles.hex` are for the test bench's memory.
"""
DENSE = """A word of the weight memory holds a weight for every lane of every channel, channel 0 and lane 0 in the
lowest bits: {channels} channels of {lanes} lanes of {bits} bits. Gate g of {gates} belongs to channel g mod {channels}.
A cell's columns of x begin with the word that its register base_x says after reset, those of h with base_h{second}.
"""
SPARSE = """Element j of a vector goes to array j mod {arrays}. `array*_columns` says with which word a column begins
({address} bits) and, above that, how many words it has; a word of `array*_weights` has for every PE a weight
({bits} bits) and, above it, the local row it is for ({rows} bits).
"""


def readme(program: Program, benches: Sequence[Bench]) -> str:
    """The text."""
    taken = {layer.name for layer in program.taken}
    host = [layer.name for layer in program.network.layers if layer.name not in taken and layer.parameters]
    head = (
        (files(__package__) / "readme.md")
        .read_text()
        .format(
            network=program.network.name,
            machine=program.machine.name,
            cores="\n".join(f"- `{bench.shape.name}/`: {_what(bench)}" for bench in benches),
            host=", ".join(host) or "nothing with weights",
        )
    )
    cells = {name: delta_cell(cell) for name, cell in program.cells.items()}
    return head + "".join(_core(bench, cells[bench.cells[0]].input_format) for bench in benches)


def _what(bench: Bench) -> str:
    cells = zip(bench.cells, bench.shape.layers, strict=True)
    each = (f"{s.kind} {name}, {s.cell.inputs} inputs, {s.cell.hidden} neurons" for name, s in cells)
    bits, multipliers = bench.shape.cell.weight_bits, bench.machine.multipliers
    return f"{'; '.join(each)}; weights of {bits} bits, {multipliers} multipliers"


def _turns(bench: Bench) -> str:
    """Which cells a core runs, if they are several, and where their words are in memories that have places for all."""
    layers = bench.shape.layers
    if len(layers) == 1:
        return ""
    shared = [image for image in bench.top.images if image.name != "weights"]
    rows = []
    for number, (name, layer) in enumerate(zip(bench.cells, layers, strict=True)):
        firsts = [number * len(image.words) // len(layers) for image in shared]
        divisor = 2**layer.input_shift if number else ""
        row = (number + 1, name, layer.cell.inputs, layer.cell.hidden, divisor, *firsts)
        rows.append(f"| {' | '.join(map(str, row))} |")
    memories = "".join(f" {image.name} from word |" for image in shared)
    return TURNS.format(memories=memories, lines="---|" * len(shared), rows="\n".join(rows))


def _streams(shape: CoreShape, input_format: Fixed) -> Iterator[str]:
    first, last = shape, shape.layers[-1]
    for name, size, groups, rate, number in (
        ("x", first.cell.inputs, first.groups(0), shape.input_rate, input_format),
        ("h", last.cell.hidden, last.groups(1), shape.hidden_rate, last.cell.activation),
    ):
        yield f"| {name} | {size} | {number}, {shape.cell.activation.bits} bits | {groups} | {rate} |"


def _core(bench: Bench, input_format: Fixed) -> str:
    return CORE.format(
        module=bench.shape.name,
        what=_what(bench),
        turns=_turns(bench),
        streams="\n".join(_streams(bench.shape, input_format)),
        ports="\n".join(_ports(bench.top)),
        registers="\n".join(_registers(bench)),
        memories="\n".join(_memories(bench.top)),
        layout=_layout(bench),
    )


def _ports(top: Top) -> Iterator[str]:
    members = {"clk": In(1), "rst": In(1), **top.signature.members}
    said = set()
    for name, member in members.items():
        group = next(prefix for prefix in PORTS if name.startswith(prefix))
        direction = "in" if member.flow is In else "out"
        bits = Shape.cast(member.shape).width
        yield f"| {name} | {direction} | {bits} | {'' if group in said else PORTS[group]} |"
        said.add(group)


def _registers(bench: Bench) -> Iterator[str]:
    for r in registers(bench.shape, bench.top.core):
        access = "pulse" if r.pulse else "read, write" if r.writable else "read"
        reset = r.reset if r.writable and not r.pulse else ""
        yield f"| {r.name} | 0x{r.offset:02x} | {r.bits} | {access} | {reset} | {_meaning(bench, r.name)} |"


def _meaning(bench: Bench, register: str) -> str:
    """What a register is, and of which cell, if there are several."""
    name = setting(register)
    if len(bench.cells) == 1 or register not in settings_of(bench.shape):
        return MEANINGS[name]
    number = int(register.removeprefix(name).removeprefix("_") or 1)
    return f"{bench.cells[number - 1]}: {MEANINGS[name]}"


def _memories(top: Top) -> Iterator[str]:
    for image in top.images:
        words, lanes = image.words.shape
        cells = (image.name, image.select, words, image.bits, lanes, image.beats_a_word)
        yield f"| {' | '.join(map(str, cells))} |"


def _layout(bench: Bench) -> str:
    shape = bench.shape
    if isinstance(shape, SparseShape):
        return SPARSE.format(
            arrays=shape.arrays,
            address=shape.address_bits,
            bits=shape.cell.weight_bits,
            rows=shape.row_bits,
        )
    if shape.streams_weights:
        bits = shape.lanes * shape.cell.weight_bits
        latency = bench.memory_latency_cycles
        return STREAMED.format(bits=bits, bytes=-(-bits // 8), latency=latency)
    return DENSE.format(
        channels=shape.channels,
        lanes=shape.lanes,
        bits=shape.cell.weight_bits,
        gates=shape.gates,
        second=", those of r * h with base_rh" if shape.sources == 3 else "",
    )

"""The README of a hand-over: how to load, set, run, simulate and synthesise what is in it."""

from collections.abc import Iterator, Mapping
from importlib.resources import files

from amaranth.hdl import Shape
from amaranth.lib.wiring import In

from deltawave.machines.deltarnn.compiled import delta_cell
from deltawave.machines.deltarnn.rtl.bench import Bench
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.machines.deltarnn.rtl.sparse import SparseShape
from deltawave.machines.deltarnn.rtl.top import MEANINGS, Top, registers, settings_of
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
CELL = """
## {module}

{what}

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
STREAMED = """Weights stream in. The core asks for columns by number on `column`; on `w` it wants their words, {bits}
bits each, lane 0 in the lowest bits, in the same order. `memories/columns.bin` holds all columns, a word in {bytes}
bytes, little-endian; `memories/columns.csv` says where each begins, how many words it has, and how many cycles the
machine's memory takes for it. The model's cycles hold for a memory of that pace whose first word is there {latency}
cycles after the request was taken; with a slower one the core waits. `columns.hex`, `first_words.hex` and
`column_cycles.hex` are for the test bench's memory.
"""
DENSE = """A word of the weight memory holds a weight for every lane of every channel, channel 0 and lane 0 in the
lowest bits: {channels} channels of {lanes} lanes of {bits} bits. Gate g of {gates} belongs to channel g mod {channels}.
Columns of x come first, then from word {base_h} on those of h{second}.
"""
SPARSE = """Element j of a vector goes to array j mod {arrays}. `array*_columns` says with which word a column begins
({address} bits) and, above that, how many words it has; a word of `array*_weights` has for every PE a weight
({bits} bits) and, above it, the local row it is for ({rows} bits).
"""


def readme(program: Program, benches: Mapping[str, Bench]) -> str:
    """The text."""
    cells = "\n".join(f"- `{bench.shape.name}/`: {_what(name, bench)}" for name, bench in benches.items())
    taken = {layer.name for layer in program.taken}
    host = [layer.name for layer in program.network.layers if layer.name not in taken and layer.parameters]
    head = (
        (files(__package__) / "readme.md")
        .read_text()
        .format(
            network=program.network.name,
            machine=program.machine.name,
            cells=cells,
            host=", ".join(host) or "nothing with weights",
        )
    )
    formats = {name: delta_cell(cell).input_format for name, cell in program.cells.items()}
    return head + "".join(_cell(name, bench, formats[name]) for name, bench in benches.items())


def _what(name: str, bench: Bench) -> str:
    cell = bench.shape.cell
    return (
        f"{cell.kind} {name}, {cell.inputs} inputs, {cell.hidden} neurons, weights of "
        f"{cell.weight_bits} bits, {bench.machine.multipliers} multipliers"
    )


def _streams(shape: CoreShape, input_format: Fixed) -> Iterator[str]:
    cell = shape.cell
    for name, size, source, rate, number in (
        ("x", cell.inputs, 0, shape.input_rate, input_format),
        ("h", cell.hidden, 1, shape.hidden_rate, cell.activation),
    ):
        yield f"| {name} | {size} | {number}, {cell.activation.bits} bits | {shape.groups(source)} | {rate} |"


def _cell(name: str, bench: Bench, input_format: Fixed) -> str:
    return CELL.format(
        module=bench.shape.name,
        what=_what(name, bench),
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
        yield f"| {r.name} | 0x{r.offset:02x} | {r.bits} | {access} | {reset} | {MEANINGS[r.name]} |"


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
    bases = settings_of(shape)
    return DENSE.format(
        channels=shape.channels,
        lanes=shape.lanes,
        bits=shape.cell.weight_bits,
        gates=shape.gates,
        base_h=bases["base_h"],
        second=f", from word {bases['base_rh']} on those of r * h" if shape.sources == 3 else "",
    )

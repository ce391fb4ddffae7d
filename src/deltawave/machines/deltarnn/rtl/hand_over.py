"""Everything a hardware engineer needs for the cells of a program: Verilog, memory images, test benches, constraints.

Each core has a folder of its own, named like its module, which is named after the first cell that it runs; a README
says how to use them.
"""

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from io import StringIO

import numpy as np

from deltawave.machines.deltarnn.compiled import delta_cell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.rtl.bench import Bench
from deltawave.machines.deltarnn.rtl.constraints import constraints
from deltawave.machines.deltarnn.rtl.design import cores, stacked_shape
from deltawave.machines.deltarnn.rtl.readme import readme
from deltawave.machines.deltarnn.rtl.record import record
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.machines.deltarnn.rtl.top import Top
from deltawave.machines.program import Data, Program
from deltawave.rtl.hex import hex_lines, packed
from deltawave.rtl.verilog import to_verilog

LONGEST_NAME = 48
LINT = ("CASEINCOMPLETE", "CMPCONST", "UNSIGNED", "WIDTHEXPAND", "WIDTHTRUNC")
QUIET = "".join(f"/* verilator lint_off {rule} */\n" for rule in LINT) + "`timescale 1ns / 1ps\n"
"""Written Verilog relies on the rules of the language for widths and missing cases."""
VECTORS = ("x", "h", "r*h")
"""What columns are of, in the order of their numbers."""


def files(program: Program, data: Data) -> Mapping[str, bytes]:
    """All files by path; the vectors of the test benches are from a run of the data. Raises OptionError for parameters
    that have no RTL, InputError, UnsupportedError for data that starts from a state, ToolError without the tools."""
    machine = program.machine
    assert isinstance(machine, DeltaMachine)
    designs, streams = shapes(program), record(program, data)
    found, benches = {}, []
    for names, shape in designs.items():
        through_all = list(zip(*(streams[name] for name in names), strict=True))
        bench = Bench(machine, shape, names, Top(shape), through_all)
        benches.append(bench)
        texts = {f"{shape.name}.v": QUIET + to_verilog(bench.top, shape.name), **_texts(bench)}
        contents = {**{path: text.encode() for path, text in texts.items()}, **_binaries(bench)}
        found.update({f"{shape.name}/{path}": some for path, some in contents.items()})
    return {"README.md": readme(program, benches).encode(), **found}


def modules(program: Program) -> Mapping[str, str]:
    """Verilog by the name of its top module. Raises OptionError, ToolError."""
    return {shape.name: QUIET + to_verilog(Top(shape), shape.name) for shape in shapes(program).values()}


def shapes(program: Program) -> Mapping[tuple[str, ...], CoreShape]:
    """The design of each core, by the names of its cells. Raises OptionError."""
    machine = program.machine
    assert isinstance(machine, DeltaMachine)
    stacks = cores(program)
    modules = module_names([names[0] for names in stacks])
    cells = {name: delta_cell(cell) for name, cell in program.cells.items()}
    return {
        names: stacked_shape(machine, [cells[name] for name in names], modules[names[0]]) for names in stacks
    }


def module_names(cells: Collection[str]) -> dict[str, str]:
    """A module for each cell: its name as an identifier of Verilog, no keyword, no two alike."""
    names: dict[str, str] = {}
    for cell in cells:
        plain = re.sub(r"\W+", "_", cell, flags=re.ASCII).strip("_")[-LONGEST_NAME:].strip("_")
        stem = plain if plain[:1].isalpha() else f"cell_{plain}".rstrip("_")
        choices = (
            f"{stem}{suffix}_core" for suffix in ("", *(f"_{number}" for number in range(2, len(cells) + 2)))
        )
        names[cell] = next(name for name in choices if name not in names.values())
    return names


def _texts(bench: Bench) -> Mapping[str, str]:
    images = bench.top.images
    return {
        **bench.files(),
        **{f"memories/{image.name}.hex": hex_lines(image.words, image.lane_bits) for image in images},
        **constraints(bench.shape.name, bench.machine.clock_hz),
        **({"memories/columns.csv": _column_table(bench)} if bench.shape.streams_weights else {}),
    }


def _binaries(bench: Bench) -> Mapping[str, bytes]:
    images = {f"memories/{image.name}.bin": image.beats().tobytes() for image in bench.top.images}
    if not bench.shape.streams_weights:
        return images
    words, *_ = bench.streamed
    return {**images, "memories/columns.bin": packed(words, bench.shape.cell.weight_bits).tobytes()}


def _column_table(bench: Bench) -> str:
    """Where each column is in columns.bin."""
    words, counts, cycles, _ = bench.streamed
    word_bytes = packed(words[:1], bench.shape.cell.weight_bits).shape[1]
    first, table = (np.cumsum(counts) - counts) * word_bytes, StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("column", "cell", "vector", "element", "first_byte", "words", "cycles"))
    rows = zip(_columns(bench), first, counts, cycles, strict=True)
    writer.writerows((column, *whose, *row) for column, (whose, *row) in enumerate(rows))
    return table.getvalue()


def _columns(bench: Bench) -> Iterator[tuple[str, str, int]]:
    """Cell, vector and element of each column, in the order of their numbers."""
    for name, layer in zip(bench.cells, bench.shape.layers, strict=True):
        sizes = (layer.cell.inputs, *[layer.cell.hidden] * (layer.sources - 1))
        for vector, size in zip(VECTORS, sizes, strict=False):
            yield from ((name, vector, element) for element in range(size))

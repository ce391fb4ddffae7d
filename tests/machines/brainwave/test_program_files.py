"""Brainwave programs of all kinds of layers in files; damaged arrays; sources that a file invents."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import ProgramError
from deltawave.machines.brainwave.compiled_layer import BrainwaveLayer
from deltawave.machines.brainwave.machine import BW_S10, Brainwave
from deltawave.machines.brainwave.restore import Unit, restore
from deltawave.machines.program import compile_network
from deltawave.machines.program_file import program_bytes, program_from
from deltawave.network import Network, load
from machines.brainwave.drawn_networks import Sketch, map_networks, sequence_networks
from machines.brainwave.test_devices import SEEDS, STEPS, divided, inputs, machines, parts_of
from network.onnx_models import constants, model, value


@settings(deadline=None, max_examples=30)
@given(st.one_of(map_networks(), sequence_networks()), machines(), st.integers(1, 3), SEEDS)
def test_what_is_loaded_is_what_was_saved(
    drawn: tuple[Network, tuple[int, ...]], machine: Brainwave, devices: int, seed: int
) -> None:
    network, sizes = drawn
    program = compile_network(network, divided(compile_network(network, machine), devices))
    saved = program_bytes(program)
    again = program_from(saved, "p.dwp")
    assert program_bytes(again) == saved
    assert again.listing() == program.listing()
    assert [part.resident for part in parts_of(again)] == [part.resident for part in parts_of(program)]
    x = inputs(seed, STEPS, *([1, *sizes] if len(sizes) == 1 else sizes))
    ours, theirs = program.run(x), again.run(x)
    assert theirs.timeline.step_cycles.keys() == ours.timeline.step_cycles.keys()
    assert theirs.timeline.cycles == ours.timeline.cycles
    for mine, other in zip(ours.outputs, theirs.outputs, strict=True):
        assert all(np.array_equal(mine[name], other[name], equal_nan=True) for name in mine)


def every_kind() -> Network:
    """x -> a (product) -> b (depthwise) -> c (maximum) -> d (average) -> e (pointwise) -> f (product of a map)."""
    sketch = Sketch(np.random.default_rng(0))
    a = sketch.add("Conv", ["x", sketch.store(6, 2, 3, 3)], (6, 6, 6))
    b = sketch.add("Conv", [a, sketch.store(6, 1, 2, 2)], (6, 5, 5), group=6)
    c = sketch.add("MaxPool", [b], (6, 4, 4), kernel_shape=[2, 2])
    d = sketch.add("AveragePool", [c], (6, 3, 3), kernel_shape=[2, 2])
    e = sketch.add("Mul", [d, sketch.store(6, 1, 1)], (6, 3, 3))
    flat = sketch.add("Flatten", [e], (54,))
    f = sketch.add("Gemm", [flat, sketch.store(54, 5)], (5,))
    return load(
        model(sketch.nodes, [value("x", ["N", 2, 8, 8])], [value(f, ["N", 5])], constants(**sketch.stored))
    )


SMALL = replace(BW_S10, native_dim=4, lanes=2, mfu_lanes=2)
PARTS: dict[str, Unit] = {
    part.shape.kind: part
    for part in parts_of(compile_network(every_kind(), SMALL))
    if isinstance(part, BrainwaveLayer)
}


def changed(kind: str, name: str, position: int, number: int) -> np.ndarray:
    array = PARTS[kind].arrays()[name].copy()
    array[position] = number
    return array


KERNEL_HEIGHT = 4
"""Where it stands in a window."""


@pytest.mark.parametrize(
    ("kind", "part", "value", "why"),
    [
        ("product", "kind", np.array("softmax"), "ValueError('there is no layer softmax')"),
        ("pointwise", "operation", np.array("vv_div"), "ValueError(\"'vv_div' is not a valid Opcode\")"),
        ("product", "sizes", np.zeros(3, np.int32), "ValueError('sizes is int32 (3,)')"),
        (
            "product",
            "sizes",
            changed("product", "sizes", 2, 0),
            "ValueError('no layer has 5 outputs in 0 groups')",
        ),
        (
            "maximum",
            "sizes",
            changed("maximum", "sizes", 0, -1),
            "ValueError('no layer has -1 outputs in 1 groups')",
        ),
        (
            "average",
            "window",
            changed("average", "window", KERNEL_HEIGHT, (1 << 24) - 1),
            "ValueError('its program is too short for windows of 33554430 positions')",
        ),
        (
            "depthwise",
            "window",
            changed("depthwise", "window", KERNEL_HEIGHT, 0),
            "OptionError('window: kernel_height = 0 is out of range; it goes from 1 to 16777215')",
        ),
        ("average", "constants", np.zeros((1, 6), np.float32), "ValueError('constants is float32 (1, 6)')"),
        ("product", "exponents", np.zeros((5, 1), np.int8), "ValueError('exponents is int8 (5, 1)')"),
        (
            "product",
            "mantissas",
            np.full((5, 14, 4), 99, np.int8),
            "ValueError('weights are not of the format')",
        ),
        ("product", "flags", np.zeros(4, np.int64), "ValueError('flags is int64 (4,)')"),
        ("pointwise", "sources", np.array([], "<U1"), "IndexError('tuple index out of range')"),
        ("maximum", "program", np.zeros(8, np.uint8), "ValueError('program is uint8 (8,)')"),
    ],
)
def test_damaged_arrays_are_refused(kind: str, part: str, value: np.ndarray, why: str) -> None:
    with pytest.raises(ProgramError) as error:
        restore("layer", {**PARTS[kind].arrays(), part: value})
    assert str(error.value) == f"cell layer of the program file is damaged ({why}); compile the network again"


@pytest.mark.parametrize("kind", PARTS)
def test_missing_arrays_and_other_instructions_are_refused(kind: str) -> None:
    arrays = PARTS[kind].arrays()
    unread = () if kind == "product" else ("mantissas", "exponents")
    for name in arrays.keys() - unread:
        with pytest.raises(ProgramError) as error:
            restore("layer", {other: array for other, array in arrays.items() if other != name})
        assert str(error.value) == (
            f"cell layer of the program file is damaged (KeyError('{name}')); compile the network again"
        )
    code = arrays["program"].copy()
    code[-1] ^= 1
    with pytest.raises(ProgramError) as error:
        restore("layer", {**arrays, "program": code})
    assert str(error.value) == (
        "cell layer of the program file is damaged (ValueError('its instructions are not those of the cell')); "
        "compile the network again"
    )


@settings(deadline=None, max_examples=60)
@given(st.one_of(map_networks(), sequence_networks()), st.data())
def test_invented_sources_do_no_harm(drawn: tuple[Network, tuple[int, ...]], data: st.DataObject) -> None:
    """Whatever a file says of what feeds a layer: outputs are the same, and the program can be listed and timed."""
    network, sizes = drawn
    program = compile_network(network, replace(SMALL, initial_vrf_entries=9999, add_sub_vrf_entries=9999))
    names = st.sampled_from(["", "nobody", *program.cells])
    cells = {}
    for name, cell in program.cells.items():
        arrays = cell.arrays()
        which = "source" if "source" in arrays else "sources"
        shape = arrays[which].shape
        invented = [data.draw(names) for _ in range(int(np.prod(shape)))]
        leaves = np.array(data.draw(st.booleans()))
        changes = {which: np.array(invented).reshape(shape)} | (
            {"leaves": leaves} if "leaves" in arrays else {}
        )
        cells[name] = restore(name, {**arrays, **changes})
    forged = replace(program, cells=cells)
    x = inputs(0, STEPS, *([1, *sizes] if len(sizes) == 1 else sizes))
    for mine, other in zip(program.run(x).outputs, forged.run(x).outputs, strict=True):
        assert all(np.array_equal(mine[name], other[name], equal_nan=True) for name in mine)
    assert forged.run(x).timeline.cycles > 0
    assert forged.listing().startswith("program ")
    program.machine.check(list(cells.values()))


def test_parts_of_other_sizes_than_the_network_has_are_refused() -> None:
    program = compile_network(every_kind(), SMALL)
    name, part = next((n, p) for n, p in program.cells.items() if isinstance(p, BrainwaveLayer))
    other = replace(part, shape=replace(part.shape, window=replace(part.shape.window, row_stride=2)))
    forged = replace(program, cells={**program.cells, name: other})
    with pytest.raises(ProgramError) as refusal:
        program_from(program_bytes(forged), "p.dwp")
    assert str(refusal.value) == (
        f"p.dwp was made for other layers than {SMALL.name} takes; compile the network again"
    )

"""Whole networks as programs of devices: interpreted, they send the bits that layer after layer makes."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.machine import BW_S10, Brainwave
from deltawave.machines.brainwave.restore import Unit, units
from deltawave.machines.program import Program, compile_network
from deltawave.network import Network
from machines.brainwave.drawn_networks import map_networks, sequence_networks
from machines.brainwave.interpreted import run_devices

LARGE = dict.fromkeys(
    ("mrf_tiles", "initial_vrf_entries", "add_sub_vrf_entries", "multiply_vrf_entries"), 4000
)
STEPS = 3
SHAPING = ("Flatten", "Squeeze")


@st.composite
def machines(draw: st.DrawFn) -> Brainwave:
    native, bits, mfus = (draw(st.integers(*ends)) for ends in ((1, 5), (2, 5), (2, 3)))
    sizes = {"native_dim": native, "lanes": native, "mfu_lanes": native, "mantissa_bits": bits, "mfus": mfus}
    return replace(BW_S10, devices=100, **sizes, **LARGE)


def inputs(seed: int, *shape: int) -> np.ndarray:
    """Mostly of size one, some large, few beyond float16: they become infinities, and NaN where these meet."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape) * np.where(rng.random(shape) < 0.05, 3e4, 1)
    rare = rng.choice([-0.0, 1e30, -1e30, 6e-8], shape)
    return np.where(rng.random(shape) < 0.02, rare, x).astype(np.float32)


def sent_by_host(x: np.ndarray) -> np.ndarray:
    """[steps, channels, *pixels] as float16 [steps, pixels, channels]."""
    with np.errstate(over="ignore"):
        halves = x.astype(np.float16).reshape(len(x), x.shape[1], -1)
    return halves.swapaxes(1, 2)


def parts_of(program: Program) -> list[Unit]:
    return units(list(program.cells.values()))


def divided(program: Program, devices: int) -> Brainwave:
    """A machine of which the program needs several, about so many."""
    tiles = [part.tiles for part in parts_of(program)]
    return replace(program.machine, mrf_tiles=max(*tiles, -(-sum(tiles) // devices), 1))


def streaming(program: Program) -> Brainwave:
    """A machine through which the weights stream, if they fill more than two rows of the widest matrix."""
    products = [part for part in parts_of(program) if part.tiles]
    widest = max((part.shape.window.vectors for part in products), default=1)
    tiles = max(2 * widest, sum(part.tiles for part in products) // 2)
    return replace(program.machine, dram_bytes_per_cycle=3, mrf_tiles=tiles)


def check_devices(program: Program, x: np.ndarray, items: np.ndarray) -> None:
    """Every output of the network must be what its layer sent. items: x as the host sends it."""
    for loop in program.machine.plan(parts_of(program)):
        for device in loop.programs.values():
            check(device.assembled.program, program.machine.limits)
    sent, runs = run_devices(program, items), program.run(x).outputs
    for name, maker in makers(program.network).items():
        expected = np.concatenate([run[name] for run in runs])
        expected = (
            expected[0] if len(expected) == 1 else expected[:, 0]
        )  # one call of all steps, or one of each
        vectors = expected.reshape(STEPS, 1, -1) if expected.ndim < 4 else sent_by_host(expected)
        assert np.array_equal(np.stack(sent[maker]), vectors, equal_nan=True), name


def makers(network: Network) -> dict[str, str]:
    """The layer whose values each output of the network has."""
    made = {layer.outputs[0]: layer for layer in network.layers}
    found = {tensor.name: made[tensor.name] for tensor in network.outputs}
    return {
        name: made[layer.inputs[0]].name if layer.kind in SHAPING else layer.name
        for name, layer in found.items()
    }


def test_what_is_drawn_runs_on_the_machine_but_for_what_only_shapes() -> None:
    @settings(deadline=None, max_examples=30)
    @given(st.one_of(map_networks(), sequence_networks()), machines())
    def holds(drawn: tuple[Network, tuple[int, ...]], machine: Brainwave) -> None:
        program = compile_network(drawn[0], machine)
        left = [layer for layer in program.network.layers if layer not in program.taken]
        assert {layer.kind for layer in left} <= set(SHAPING)

    holds()


SEEDS = st.integers(0, 2**32 - 1)
HOW = st.sampled_from(["one device", "two devices", "three devices", "streaming"])


@settings(deadline=None, max_examples=80)
@given(map_networks(), machines(), HOW, SEEDS)
def test_maps(drawn: tuple[Network, tuple[int, ...]], machine: Brainwave, how: str, seed: int) -> None:
    network, sizes = drawn
    check_one_way(network, machine, how, inputs(seed, STEPS, *sizes))


@settings(deadline=None, max_examples=80)
@given(sequence_networks(), machines(), HOW, SEEDS)
def test_sequences(drawn: tuple[Network, tuple[int, ...]], machine: Brainwave, how: str, seed: int) -> None:
    network, sizes = drawn
    check_one_way(network, machine, how, inputs(seed, STEPS, 1, *sizes))


def check_one_way(network: Network, machine: Brainwave, how: str, x: np.ndarray) -> None:
    program = compile_network(network, machine)
    if how == "streaming":
        has_cells = any(part.resident.is_recurrent for part in parts_of(program))
        machine = machine if has_cells else streaming(program)
    elif how != "one device":
        machine = divided(program, 2 if how == "two devices" else 3)
    items = sent_by_host(x if x.ndim == 4 else x.swapaxes(1, 2))
    check_devices(compile_network(network, machine), x, items)

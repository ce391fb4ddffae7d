"""Random delta machines that have RTL, random cells for them, and inputs from still to violent; each from a seed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.cell import GATES, MEMORIES, CellKind, QuantisedCell
from deltawave.machines.deltarnn.compiled import DeltaCell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.machine_deltarnn import DeltaRNN
from deltawave.machines.deltarnn.machine_edgedrnn import EdgeDRNN
from deltawave.machines.deltarnn.machine_spartus import Spartus
from deltawave.machines.deltarnn.rtl.design import legal_shape
from deltawave.machines.deltarnn.rtl.shape import ACTIVATION_STAGES
from deltawave.machines.deltarnn.rtl.simulate import OnACore, model
from deltawave.numerics import ActivationTable, Fixed, stepped_table

KINDS: tuple[CellKind, ...] = tuple(GATES)
Random = np.random.Generator


@dataclass(frozen=True, eq=False)
class Case:
    """A machine, the cell that its core is made for, and others that the same core runs, too: smaller ones.
    stack: cells that take turns on the core, `cell` the first; others are then as many, of the same sizes."""

    seed: int
    machine: DeltaMachine
    cell: QuantisedCell
    others: tuple[OnACore, ...]
    stack: tuple[DeltaCell, ...] = ()

    @property
    def runs(self) -> OnACore:
        """What the core is made for."""
        return self.stack or self.cell

    def __str__(self) -> str:
        parts = vars(self.machine)
        sizes = ", ".join(f"{name}={parts[name]}" for name in sorted(parts) if name in SIZES)
        return f"seed {self.seed}: {self.machine.name}({sizes}), {described(self.runs)}"


SIZES = {field for kind in (DeltaRNN, EdgeDRNN, Spartus) for field in kind.__annotations__} | {"weight_bits"}


def described(runs: OnACore) -> str:
    """What a failure has to say of a cell, or of several."""
    if isinstance(runs, Sequence):
        return "; then ".join(
            f"{described(compiled.cell)}, fed states divided by 2^{compiled.input_shift}" for compiled in runs
        )
    cell = first_of(runs)
    return (
        f"{cell.kind} of {cell.inputs} inputs and {cell.hidden} neurons, values {cell.activation}"
        f" {cell.activation.overflow}, weights of {cell.weight_bits} bits, accumulators of {cell.accumulator_bits}"
        f" {cell.accumulator.overflow}, thresholds {cell.theta_x} and {cell.theta_h}"
    )


def first_of(runs: OnACore) -> QuantisedCell:
    """The cell, or the first of several."""
    if isinstance(runs, QuantisedCell):
        return runs
    return runs.cell if isinstance(runs, DeltaCell) else runs[0].cell


def random_case(seed: int, machine: str, kind: CellKind, smaller: int = 1) -> Case:
    """machine: deltarnn, edgedrnn or spartus, whose core runs no smaller cells."""
    rng = np.random.default_rng(seed)
    cell = _cell(rng, kind)
    if machine == "spartus":
        cell = _sparse(rng, cell)
        return Case(seed, _spartus(rng, cell), cell, ())
    make = {"deltarnn": _deltarnn, "edgedrnn": _edgedrnn}[machine]
    others = tuple(_smaller(rng, cell) for _ in range(smaller))
    return Case(seed, make(rng, cell), cell, others)


def random_stack(seed: int, machine: str, kind: CellKind) -> Case:
    """Two to four cells that feed each other on a deltarnn or an edgedrnn, and others of the same sizes; the states of
    the last one move, else comparing them would say little."""
    rng = np.random.default_rng(seed)
    while not _moves(rng, case := _stack(rng, seed, machine, kind)):
        pass
    return case


def _moves(rng: Random, case: Case) -> bool:
    outputs = model(case.machine, case.runs, random_inputs(rng, case.cell, 20)).outputs
    return bool((np.diff(outputs, axis=0) != 0).mean() > 0.1)


def _stack(rng: Random, seed: int, machine: str, kind: CellKind) -> Case:
    first = _cell(rng, kind)
    sizes = [first.hidden, *(int(rng.integers(1, 17)) for _ in range(rng.integers(1, 4)))]
    like = [first, *(_with_sizes(rng, first, *pair) for pair in pairwise(sizes))]
    shifts = (0, *(int(one_of(rng, 0, 0, 1, 2, -1)) for _ in like[1:]))
    cells = [_with_point(rng, cell) if cell is not first else cell for cell in like]
    others = [_with_sizes(rng, cell, cell.inputs, cell.hidden) for cell in cells]
    made = _stackable(rng, _deltarnn(rng, first), first) if machine == "deltarnn" else _edgedrnn(rng, first)
    return Case(seed, made, first, (_compiled(others, shifts),), _compiled(cells, shifts))


def _stackable(rng: Random, machine: DeltaRNN, cell: QuantisedCell) -> DeltaRNN:
    """With a rate of inputs that a word of states is a multiple of."""
    lanes = legal_shape(machine, cell, "core").state_lanes
    return machine.with_options(
        {"input_rate": int(one_of(rng, *(rate for rate in range(1, 7) if lanes % rate == 0)))}
    )


def _with_point(rng: Random, cell: QuantisedCell) -> QuantisedCell:
    """With the point of the weights elsewhere."""
    fraction = cell.weight_fraction_bits + int(rng.integers(-1, 2))
    return replace(cell, weight_fraction_bits=max(0, fraction))


def _compiled(cells: Sequence[QuantisedCell], shifts: Sequence[int]) -> tuple[DeltaCell, ...]:
    pairs = zip(cells, shifts, strict=True)
    return tuple(DeltaCell(f"cell{number}", *pair) for number, pair in enumerate(pairs))


def tightest(machine: str, cells: int = 1) -> Case:
    """Nothing waits longer than the RTL needs, states are one word, and the FIFO is short. cells: that take turns."""
    rng, sizes = np.random.default_rng(0), {"deltarnn": (1, 1), "edgedrnn": (6, 4)}[machine]
    sigmoid, tanh = stepped_table("sigmoid", 8, 4), stepped_table("tanh", 8, 4)
    first = weighted(
        rng,
        "gru",
        *sizes,
        activation=Fixed(8, 8),
        weight_bits=8,
        weight_fraction_bits=7,
        accumulator_bits=24,
        accumulator_saturates=False,
        tables=(sigmoid, tanh, tanh),
    )
    hidden = first.hidden
    all_cells = [
        _lively(first),
        *(_lively(_with_sizes(rng, first, hidden, hidden)) for _ in range(cells - 1)),
    ]
    stack = _compiled(all_cells, [0] * cells) if cells > 1 else ()
    return Case(0, _tightest_machine(machine), all_cells[0], (), stack)


def _tightest_machine(machine: str) -> DeltaMachine:
    if machine == "deltarnn":
        rates = dict.fromkeys(("input_rate", "hidden_rate", "scheduler_rate"), 1)
        lanes = dict.fromkeys(("channel_pes", "memory_ports", "activation_lanes"), 1)
        times = {"encoder_latency_cycles": 1, "mxv_latency_cycles": 3, "activation_stages": 5}
        return DeltaRNN(name=machine, **rates, **lanes, **times)
    times = {"encoder_latency_cycles": 1, "dram_latency_cycles": 0, "mac_latency_cycles": 3}
    activation = {"activation_cycles": 7, "activation_extra_groups": 0}
    return EdgeDRNN(name=machine, pes=4, fifo_depth=2, **times, **activation)


def _lively(cell: QuantisedCell) -> QuantisedCell:
    """A GRU whose update gate is a half, so that its state moves with its inputs; every value that moves is sent."""
    keeps = np.arange(3 * cell.hidden) // cell.hidden != 1
    x, h = ((w * keeps[:, None]).astype(np.int16) for w in (cell.weights_x, cell.weights_h))
    return replace(cell, weights_x=x, weights_h=h, bias=np.zeros_like(cell.bias), theta_x=0, theta_h=0)


def one_of(rng: Random, *values):
    return values[rng.integers(len(values))]


def _edgedrnn(rng: Random, cell: QuantisedCell) -> EdgeDRNN:
    gates = len(GATES[cell.kind])
    interval = int(rng.integers(gates, 8))
    groups_of_latency = -(-(gates - 1 + ACTIVATION_STAGES) // interval) - 1
    return EdgeDRNN(
        name="edgedrnn",
        pes=int(rng.integers(1, 10)),
        fifo_depth=int(one_of(rng, 1, 2, 3, 5, 16)),
        encoder_latency_cycles=int(rng.integers(1, 5)),
        dram_latency_cycles=int(rng.integers(0, 6)),
        dram_bytes_per_cycle=float(one_of(rng, 0.5, 1.5, 4.0, 8.0, 64.0)) + 0.5,
        mac_latency_cycles=int(rng.integers(3, 8)),
        activation_cycles=interval,
        activation_extra_groups=groups_of_latency + int(rng.integers(3)),
        weight_bits=cell.weight_bits,
        bias_as_column=bool(rng.integers(2)),
    )


def _deltarnn(rng: Random, cell: QuantisedCell) -> DeltaRNN:
    pes = one_of(rng, 1, 1, 2, 3, 4, 5, 6)
    return DeltaRNN(
        name="deltarnn",
        channels=int(rng.integers(1, 5)),
        channel_pes=pes,
        memory_ports=int(rng.integers(1, 4)) if pes > 1 else 1,
        input_rate=int(rng.integers(1, 7)),
        hidden_rate=int(rng.integers(1, 13)),
        scheduler_rate=int(rng.integers(1, 6)),
        encoder_latency_cycles=int(rng.integers(1, 5)),
        mxv_latency_cycles=int(rng.integers(3, 8)),
        activation_stages=int(rng.integers(ACTIVATION_STAGES, 9)),
        activation_lanes=int(rng.integers(1, 13)),
        weight_bits=cell.weight_bits,
    )


def _spartus(rng: Random, cell: QuantisedCell) -> Spartus:
    arrays, lanes = int(rng.integers(1, 5)), int(one_of(rng, 1, 2, 4))
    rates = [n for n in (1, 2, 4) if arrays % n == 0]
    return Spartus(
        name="spartus",
        arrays=arrays,
        array_pes=lanes * int(rng.integers(1, 4)),
        input_rate=int(one_of(rng, *rates)),
        encoder_latency_cycles=int(rng.integers(2, 5)),
        mac_latency_cycles=int(rng.integers(3, 8)),
        activation_lanes=lanes,
        activation_stages=int(rng.integers(ACTIVATION_STAGES, 9)),
        weight_bits=cell.weight_bits,
    )


def _sparse(rng: Random, cell: QuantisedCell) -> QuantisedCell:
    """The same with weights missing; accumulators wrap."""
    kept = one_of(rng, 0.05, 0.4, 1.0)
    x, h = (w * (rng.random(w.shape) < kept).astype(np.int16) for w in (cell.weights_x, cell.weights_h))
    return replace(cell, weights_x=x, weights_h=h, accumulator_saturates=False)


def _cell(rng: Random, kind: CellKind) -> QuantisedCell:
    """Mostly with the point of the weights where sums are about one when inputs go all over their format: else gates
    are open or shut for good, and states stand still."""
    activation_bits = int(rng.integers(4, 17))
    fraction = int(rng.integers(1, min(12, activation_bits + 1)))
    weight_bits = int(one_of(rng, 2, 4, 8, min(16, 32 - activation_bits)))
    least = max(16, weight_bits + activation_bits)
    inputs, hidden = int(one_of(rng, 1, *range(2, 13))), int(one_of(rng, 1, *range(2, 21)))
    product_bits = weight_bits + activation_bits - 3 + (inputs + hidden).bit_length() // 2
    balanced = min(max(product_bits - fraction, 0), 24)
    return weighted(
        rng,
        kind,
        inputs,
        hidden,
        activation=Fixed(activation_bits - fraction, fraction, one_of(rng, "saturate", "wrap")),
        weight_bits=weight_bits,
        weight_fraction_bits=int(
            one_of(rng, balanced, balanced, balanced - 1 if balanced else 0, weight_bits)
        ),
        accumulator_bits=int(one_of(rng, least, min(least + 3, 32), 32)),
        accumulator_saturates=bool(rng.integers(2)),
        tables=_tables(rng, fraction),
    )


def _smaller(rng: Random, cell: QuantisedCell) -> QuantisedCell:
    return _with_sizes(
        rng, cell, int(rng.integers(1, cell.inputs + 1)), int(rng.integers(1, cell.hidden + 1))
    )


def _with_sizes(rng: Random, cell: QuantisedCell, inputs: int, hidden: int) -> QuantisedCell:
    """Other weights, biases and thresholds; formats and tables are built in."""
    return weighted(
        rng,
        cell.kind,
        inputs,
        hidden,
        activation=cell.activation,
        weight_bits=cell.weight_bits,
        weight_fraction_bits=cell.weight_fraction_bits,
        accumulator_bits=cell.accumulator_bits,
        accumulator_saturates=cell.accumulator_saturates,
        tables=(cell.gate, cell.candidate, cell.output),
    )


def weighted(
    rng: Random,
    kind: CellKind,
    inputs: int,
    hidden: int,
    *,
    activation: Fixed,
    weight_bits: int,
    weight_fraction_bits: int,
    accumulator_bits: int,
    accumulator_saturates: bool,
    tables: tuple[ActivationTable, ActivationTable, ActivationTable],
) -> QuantisedCell:
    """Weights all over their format, biases about one or of any size, thresholds from none to more than all."""
    reach, rows = 1 << (weight_bits - 1), len(GATES[kind]) * hidden
    one = min(weight_fraction_bits + activation.fraction_bits, 31)
    bias_reach = 1 << int(one_of(rng, 4, one, one, one, one, 31))
    thetas = (0, 1, 2, 1 << (activation.bits // 2), 1 << activation.bits, 1 << 40)
    return QuantisedCell(
        kind=kind,
        weights_x=rng.integers(-reach, reach, (rows, inputs)).astype(np.int16),
        weights_h=rng.integers(-reach, reach, (rows, hidden)).astype(np.int16),
        bias=rng.integers(-bias_reach, bias_reach, len(MEMORIES[kind]) * hidden).astype(np.int32),
        activation=activation,
        weight_bits=weight_bits,
        weight_fraction_bits=weight_fraction_bits,
        accumulator_bits=accumulator_bits,
        accumulator_saturates=accumulator_saturates,
        gate=tables[0],
        candidate=tables[1],
        output=tables[2],
        theta_x=int(rng.choice(thetas, p=[0.5, 0.1, 0.1, 0.2, 0.05, 0.05])),
        theta_h=int(rng.choice(thetas, p=[0.5, 0.1, 0.1, 0.2, 0.05, 0.05])),
    )


def _tables(rng: Random, fraction: int) -> tuple[ActivationTable, ActivationTable, ActivationTable]:
    if rng.random() < 0.15:
        return _wild(rng), _wild(rng), _wild(rng)
    step = int(rng.integers(1, fraction + 1))
    gate = stepped_table(one_of(rng, "sigmoid", "sigmoid", "hard_sigmoid"), fraction, step)
    tanh = stepped_table("tanh", fraction, step)
    if rng.random() < 0.15:
        return gate, _ramp(), tanh
    return gate, tanh, tanh


def _wild(rng: Random) -> ActivationTable:
    """No function anyone would use."""
    entries = int(rng.integers(1, 500))
    values = rng.integers(-32768, 32768, entries).astype(np.int16)
    return ActivationTable("wild", int(rng.integers(-300, 300)), values)


def _ramp() -> ActivationTable:
    """The lower end of a relu."""
    return ActivationTable("ramp", 0, np.arange(2000, dtype=np.int16))


def random_inputs(rng: Random, cell: QuantisedCell, steps: int) -> NDArray[np.int64]:
    """Integers [steps, inputs]: slow walks, noise over the whole format, or leaps from end to end; often still."""
    low, high = cell.activation.lowest, cell.activation.highest
    shape = (steps, cell.inputs)
    noise = rng.integers(low, high + 1, shape)
    xs = one_of(
        rng,
        np.clip(np.cumsum(noise // 8, axis=0), low, high),
        noise,
        noise,
        np.where(rng.random(shape) < 0.5, low, high),
    )
    still = rng.random(shape) < one_of(rng, 0.0, 0.5, 0.95)
    for t in range(1, steps):
        xs[t] = np.where(still[t], xs[t - 1], xs[t])
    return xs

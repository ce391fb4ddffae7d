"""Where the registers of an activation pass are, and whose multipliers it uses: as many registers as there is time for,
and the multipliers of the channels if they are enough.
"""

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import cast

from amaranth import Const, Module, Value

from deltawave.kernels.cell import CellKind
from deltawave.machines.deltarnn.rtl.datapath import Datapath
from deltawave.machines.deltarnn.rtl.multipliers import Crowded, LentMultipliers, Multipliers, OwnMultipliers
from deltawave.machines.deltarnn.rtl.pipeline import Pipeline, Staged, staged
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.machines.deltarnn.rtl.sparse import SparseShape

_LONG = (
    "update",
    "product",
    "start",
    "sum",
    "candidate_read",
    "gate_read",
    "total",
    "state",
    "made",
    "candidate",
    "gate",
)
CUTS: dict[CellKind, tuple[str, ...]] = {
    "gru": _LONG,
    "lstm": tuple(cut for cut in _LONG if cut != "state"),
    "gru_before": ("update", "start", "sum", "gate_read", "state", "made", "gate"),
    "rnn": ("start", "sum", "gate_read", "made", "gate"),
}
"""Registers within the stages of the activation, those first that shorten the longest path most. start: behind the
signal that begins a pass; sum: between a sum and its rounding; gate, candidate: before the tables; gate_read,
candidate_read: behind them; product, total: behind the products and the total of stage 3; state: behind the state as it
was; update: behind the products of stage 5; made: behind the new state. Products of lent multipliers always have
one."""


@dataclass(frozen=True)
class Plan:
    """cuts: the registers that are there. lends: whether the channels' multipliers are used."""

    cuts: frozenset[str]
    lends: bool


def plan(shape: CoreShape) -> Plan:
    """The one that a core has."""
    plain = Plan(frozenset(), lends=False)
    lending = Plan(frozenset(), lends=True)
    found = lending if _may_lend(shape) and _fits(shape, lending) else plain
    for cut in CUTS[shape.kind]:
        more = replace(found, cuts=found.cuts | {cut})
        found = more if _fits(shape, more) else found
    return found


def _fits(shape: CoreShape, choice: Plan) -> bool:
    try:
        made = stages(shape, choice).made
    except Crowded:
        return False
    return made + 1 + ("made" in choice.cuts) + ("start" in choice.cuts) <= stages_allowed(shape)


def _may_lend(shape: CoreShape) -> bool:
    """Spartus activates in units of their own, and a plain RNN multiplies nothing."""
    return not isinstance(shape, SparseShape) and shape.kind != "rnn"


def stages_allowed(shape: CoreShape) -> int:
    """From the last words of a group of neurons to its new state."""
    return shape.activation_interval_cycles + shape.activation_tail_cycles - (shape.turns - 1)


def stages(shape: CoreShape, choice: Plan) -> "Stages":
    """Those of an activation with these registers: it is made for no lanes at all. Raises Crowded."""
    m = cast(Module, SimpleNamespace(d=SimpleNamespace(comb=[], sync=[])))  # nothing becomes of it
    pipeline = Pipeline(m, choice.cuts)
    multipliers: Multipliers = OwnMultipliers(pipeline)
    if choice.lends:
        multipliers = LentMultipliers(pipeline, shape, factor_bits(shape), Const(0, 0))
    sums = [staged((), 1 + ("sum" in choice.cuts)) for _ in range(shape.gates + 1)]
    found = Stages()
    found.made = Datapath(m, shape, pipeline, multipliers, found).made(sums).stage
    return found


def factor_bits(shape: CoreShape) -> tuple[int, int]:
    """Of the factors of a channel's multiplier: weights or gates, and deltas or whatever gates are multiplied with."""
    cell = shape.cell
    one = 1 << cell.activation.fraction_bits
    gates = [int(value) for value in cell.gate.values]
    most = max(max(gates), one - min(gates), -1 - min(gates), max(gates) - one - 1)
    return max(cell.weight_bits, 1 + most.bit_length()), cell.activation.bits + 1


@dataclass(eq=False)
class Stages:
    """The stages in which what a lane needs must be there, and what it makes is: `datapath.States` of no lanes. None:
    it is neither needed nor made."""

    made: int = 0
    of_state: int | None = None
    of_cell_state: int | None = None
    new_cell: int | None = None
    last_round: Value = field(default_factory=lambda: Const(1))

    def state(self, stage: int) -> Staged:
        """See `States`."""
        self.of_state = stage
        return staged((), stage)

    def cell_state(self, stage: int) -> Staged:
        """See `States`."""
        self.of_cell_state = stage
        return staged((), stage)

    def keep_cell_state(self, new: Staged) -> None:
        """See `States`."""
        self.new_cell = new.stage

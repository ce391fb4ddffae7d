"""The datapath of the activation: from a group of neurons' rounded sums to their new state."""

from typing import Protocol

from amaranth import Module, Mux, Value

from deltawave.machines.deltarnn.rtl.arithmetic import Lookup, narrowed, round_shift, rounded_bits
from deltawave.machines.deltarnn.rtl.multipliers import Multipliers
from deltawave.machines.deltarnn.rtl.pipeline import Pipeline, Staged, staged
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.numerics import ActivationTable

Lanes = list[Staged]
"""By gate."""
R, U, C = range(3)
I, F, G, O = range(4)  # noqa: E741 - the field's names


class States(Protocol):
    """What the datapath reads beside sums, and keeps beside the new state."""

    last_round: Value

    def state(self, stage: int) -> Staged:
        """h of the neurons in a stage."""

    def cell_state(self, stage: int) -> Staged:
        """The LSTM's cell state of the neurons in a stage."""

    def keep_cell_state(self, new: Staged) -> None:
        """The new one."""


class Datapath:
    """Makes the new state, or r * h, in module m."""

    def __init__(
        self, m: Module, shape: CoreShape, pipeline: Pipeline, multipliers: Multipliers, states: States
    ) -> None:
        self._m, self._shape, self._pipeline = m, shape, pipeline
        self._multipliers, self._states = multipliers, states

    def made(self, gates: Lanes) -> Staged:
        """Of the gates' sums; a GRU's last entry is the candidate's sum over h."""
        kinds = {"gru": self._gru, "gru_before": self._gru_before, "lstm": self._lstm, "rnn": self._rnn}
        return kinds[self._shape.kind](gates)

    def _gru(self, gates: Lanes) -> Staged:
        cell, pipeline = self._shape.cell, self._pipeline
        fraction = cell.activation.fraction_bits
        r, u = self._gates(gates, r=R, u=U)
        sum_bits = max(
            rounded_bits(cell.accumulator_bits, layer.cell.weight_fraction_bits)
            for layer in self._shape.layers
        )
        reset = self._multipliers.product("reset", r, gates[3], sum_bits, "product")
        total = pipeline.each(
            "total", lambda at, reset, x: narrowed(self._m, reset + x, cell.accumulator, at), reset, gates[C]
        )
        total = pipeline.cut(total, "total")
        sums = pipeline.each(
            "candidate_sum", lambda at, value: round_shift(self._m, value, fraction, at), total
        )
        c = self._lookup(cell.candidate, pipeline.kept(sums, "candidate_sum"), "c", "candidate")
        return self._updated(u, c, self._states.state(u.stage))

    def _gru_before(self, gates: Lanes) -> Staged:
        r, u = self._gates(gates, r=R, u=U)
        c = self._lookup(self._shape.cell.candidate, gates[C], "c", "gate")
        h = self._states.state(c.stage)
        new, reset = (
            self._updated(u, c, h),
            self._rounded_product("rh", r, h, self._shape.cell.activation.bits, "update"),
        )
        return self._pipeline.each(
            "new",
            lambda at, h, rh: Mux(self._states.last_round, h.as_unsigned(), rh.as_unsigned()),
            new,
            reset,
        )

    def _lstm(self, gates: Lanes) -> Staged:
        cell, pipeline, multiply = self._shape.cell, self._pipeline, self._multipliers.product
        i, f, o = self._gates(gates, i=I, f=F, o=O)
        g = self._lookup(cell.candidate, gates[G], "g", "gate")
        new_part = multiply("new_part", i, g, cell.candidate.bits, "product")
        old_part = multiply("old_part", f, self._states.cell_state(f.stage), cell.activation.bits, "product")
        total = pipeline.each("total", lambda at, new, old: new + old, new_part, old_part)
        new = self._rounded(pipeline.cut(total, "total"), "c")
        self._states.keep_cell_state(new)
        out = self._lookup(cell.output, pipeline.kept(new, "c"), "out", "candidate")
        return self._rounded_product("h", o, out, cell.output.bits, "update")

    def _rnn(self, gates: Lanes) -> Staged:
        number = self._shape.cell.activation
        c = self._lookup(self._shape.cell.candidate, gates[0], "c", "gate")
        return self._pipeline.each("h", lambda at, value: narrowed(self._m, value, number, at), c)

    def _gates(self, gates: Lanes, **places: int) -> Lanes:
        """Gates by name and place, through their table."""
        table = self._shape.cell.gate
        return [self._lookup(table, gates[place], name, "gate") for name, place in places.items()]

    def _lookup(self, table: ActivationTable, values: Staged, name: str, cut: str) -> Staged:
        """Values through a table, a stage later."""
        lookup, pipeline = Lookup(table), self._pipeline
        index = pipeline.each(f"{name}_index", lambda at, value: lookup.index(self._m, value, at), values)
        index = pipeline.cut(index, cut)
        found = [lookup.read(self._m, value, f"{name}{lane}") for lane, value in enumerate(index.lanes)]
        return pipeline.cut(staged(found, index.stage + 1), f"{cut}_read")

    def _updated(self, u: Staged, c: Staged, h: Staged) -> Staged:
        """(1 - u) * c + u * h, each product rounded."""
        number, multiply = self._shape.cell.activation, self._multipliers.product
        fraction = number.fraction_bits
        rest = self._pipeline.each("rest", lambda at, u: (1 << fraction) - u, u)
        old = multiply("old", u, h, number.bits, "update")
        fresh = multiply("fresh", rest, c, self._shape.cell.candidate.bits, "update")

        def new(at: str, fresh: Value, old: Value) -> Value:
            products = ((fresh, "fresh"), (old, "old"))
            rounded = [round_shift(self._m, value, fraction, f"{at}_{name}") for value, name in products]
            return narrowed(self._m, rounded[0] + rounded[1], number, at)

        return self._pipeline.each("h", new, fresh, old)

    def _rounded_product(self, name: str, a: Staged, b: Staged, b_bits: int, cut: str) -> Staged:
        """a * b as an activation."""
        return self._rounded(self._multipliers.product(f"{name}_product", a, b, b_bits, cut), name)

    def _rounded(self, product: Staged, name: str) -> Staged:
        """A product as an activation."""
        number = self._shape.cell.activation

        def rounded(at: str, value: Value) -> Value:
            return narrowed(
                self._m, round_shift(self._m, value, number.fraction_bits, f"{at}_rounded"), number, at
            )

        return self._pipeline.each(name, rounded, product)

"""A lane of the activation: the sums of a neuron after another, to its new state."""

from amaranth import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.arithmetic import round_shift
from deltawave.machines.deltarnn.rtl.datapath import C, Datapath
from deltawave.machines.deltarnn.rtl.multipliers import LentMultipliers, OwnMultipliers, sets
from deltawave.machines.deltarnn.rtl.pipeline import Pipeline, Staged, staged
from deltawave.machines.deltarnn.rtl.plan import factor_bits, plan
from deltawave.machines.deltarnn.rtl.shape import CoreShape


class ActivationLane(wiring.Component):
    """sums: of the neuron's gates of a turn, a channel after another, and at the end that of a GRU's candidate over h;
    turns: whether they are of the first turn, the second, ... The rest comes and goes in the stages that the plan
    says: state, the neuron's h; cell_state and new_cell, an LSTM's; is_neuron: whether there is such a neuron; made:
    its new state, or r * h if this is not the last_round. layer: the number of the cell, where there are several. a, b:
    factors for lent multipliers, phase: that of the neurons whose words are read; lent: the products a cycle later."""

    def __init__(self, shape: CoreShape) -> None:
        self.shape, self.plan = shape, plan(shape)
        cell, bits = shape.cell, shape.cell.activation.bits
        self.sum_count = shape.channels + (shape.kind == "gru")
        members = {
            "sums": In(self.sum_count * cell.accumulator_bits),
            "turns": In(shape.turns),
            "last_round": In(1),
            "state": In(bits),
            "is_neuron": In(1),
            "made": Out(bits),
        }
        if shape.layer_bits:
            members |= {"layer": In(shape.layer_bits)}
        if shape.kind == "lstm":
            members |= {"cell_state": In(bits), "new_cell": Out(bits)}
        if self.plan.lends:
            (a, b), count = factor_bits(shape), sets(shape)
            factors = {"a": Out(count * a), "b": Out(count * b), "lent": In(count * (a + b))}
            members |= {"phase": In(range(max(2, shape.activation_interval_cycles))), **factors}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m, shape = Module(), self.shape
        self._pipeline = pipeline = Pipeline(m, self.plan.cuts)
        gates = self._gates(m)
        if not self.plan.lends:
            self._write(m, Datapath(m, shape, pipeline, OwnMultipliers(pipeline), self._states).made(gates))
            return m
        multipliers = LentMultipliers(pipeline, shape, factor_bits(shape), self.lent)
        self._write(m, Datapath(m, shape, pipeline, multipliers, self._states).made(gates))
        multipliers.drive(m, self.phase, self.a, self.b)
        return m

    @property
    def _states(self) -> "LaneStates":
        return LaneStates(self, self._pipeline)

    def _gates(self, m: Module) -> list[Staged]:
        """The rounded sums of the gates; a GRU's last entry is the candidate's sum over h."""
        shape, bits = self.shape, self.shape.cell.accumulator_bits
        sums = [
            self._pipeline.cut(staged([self.sums.word_select(n, bits).as_signed()], 0), "sum")
            for n in range(self.sum_count)
        ]
        gates = [(gate, *divmod(gate, shape.channels)) for gate in range(shape.gates)]
        if shape.kind == "gru":
            gates.append((shape.gates, C // shape.channels, shape.channels))
        return [self._kept(m, gate, turn, sums[place]) for gate, turn, place in gates]

    def _kept(self, m: Module, gate: int, turn: int, sums: Staged) -> Staged:
        """A gate's rounded sum, which stays until that of the last gate is there, too."""
        number = self.shape.cell.activation
        is_sum_over_x = self.shape.kind == "gru" and gate == C
        shifts = [
            layer.cell.weight_fraction_bits - number.fraction_bits * is_sum_over_x
            for layer in self.shape.layers
        ]
        (comes,) = self._pipeline.at(staged([self.turns[turn]], 0), sums.stage, f"turn{gate}").lanes
        rounded = self._shifted(m, sums.lanes[0], shifts, f"rounded{gate}")
        kept = Signal(rounded.shape(), name=f"gate{gate}")
        with m.If(comes):
            m.d.sync += kept.eq(rounded)
        return staged([kept], sums.stage + 1)

    def _shifted(self, m: Module, value: Value, shifts: list[int], name: str) -> Value:
        """A value rounded as its cell wants it."""
        if len(set(shifts)) == 1:
            return round_shift(m, value, shifts[0], name)
        choices = [round_shift(m, value, shift, f"{name}_{layer}") for layer, shift in enumerate(shifts)]
        chosen = Signal(max((choice.shape() for choice in choices), key=lambda shape: shape.width), name=name)
        m.d.comb += chosen.eq(Array(choices)[self.layer])
        return chosen

    def _write(self, m: Module, new: Staged) -> None:
        """The new state goes out; behind the last neuron it is zero."""
        bits, is_neuron = self.shape.cell.activation.bits, staged([self.is_neuron], new.stage)
        made = self._pipeline.each("new", lambda at, mine, value: Mux(mine, value[:bits], 0), is_neuron, new)
        m.d.comb += self.made.eq(Cat(*self._pipeline.cut(made, "made").lanes))


class LaneStates:
    """What the datapath of a lane reads beside sums, and keeps beside the new state: `datapath.States`."""

    def __init__(self, lane: ActivationLane, pipeline: Pipeline) -> None:
        self._lane, self._pipeline, self.last_round = lane, pipeline, lane.last_round

    def state(self, stage: int) -> Staged:
        """See `States`."""
        read = staged([self._lane.state.as_signed()], stage - ("state" in self._lane.plan.cuts))
        return self._pipeline.cut(read, "state")

    def cell_state(self, stage: int) -> Staged:
        """See `States`."""
        return staged([self._lane.cell_state.as_signed()], stage)

    def keep_cell_state(self, new: Staged) -> None:
        """See `States`."""
        self._pipeline.m.d.comb += self._lane.new_cell.eq(new.lanes[0])

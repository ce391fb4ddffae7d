"""The activation pass: gates, candidate and new state of a group of neurons after another, in five stages or more.

1  the sums of the gates, turn by turn, rounded to activations
2  gates through their tables
3  GRU: the candidate's sum; LSTM: the new cell state; reset before the product, first pass: r * h
4  the candidate's table, or that of the LSTM's cell state
5  the new state

A machine whose pass leaves more time gets registers within these stages, too, and uses the multipliers of the channels:
see `plan`.
"""

from amaranth import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.arithmetic import round_shift
from deltawave.machines.deltarnn.rtl.datapath import C, Datapath, Lanes
from deltawave.machines.deltarnn.rtl.multipliers import LentMultipliers, OwnMultipliers
from deltawave.machines.deltarnn.rtl.pipeline import Pipeline, Staged, staged
from deltawave.machines.deltarnn.rtl.plan import factor_bits, plan
from deltawave.machines.deltarnn.rtl.shape import CoreShape


class Activation(wiring.Component):
    """The pass. begins: its first cycle. last_round: it makes the new state, else r * h. reads: the words `read` (and
    `read_second`) of the sums are read in this cycle; sums_x, sums_h: these. hidden: neurons in all; tokens: groups of
    neurons; layer: the number of the cell, where there are several. state_read: the group of h to be had in the next
    cycle, state_data: that group. write: the group `made` is ready: new state, or r * h."""

    def __init__(self, shape: CoreShape, address_bits: int, word_bits: int) -> None:
        cell = shape.cell
        self.shape, self.plan = shape, plan(shape)
        self.factor_bits = factor_bits(shape)
        self.bits = cell.activation.bits
        self.token_bits = max(1, (shape.most_tokens - 1).bit_length())
        lanes = shape.activation_lanes
        super().__init__(
            {
                "begins": In(1),
                "last_round": In(1),
                "hidden": In(17),
                "tokens": In(self.token_bits + 1),
                "words": In(word_bits + 1),
                "clear": In(1),
                "clear_token": In(self.token_bits),
                "reads": Out(1),
                "read": Out(address_bits),
                "read_second": Out(word_bits),
                "sums_x": In(shape.channels * shape.lanes * cell.accumulator_bits),
                "sums_h": In(shape.lanes * cell.accumulator_bits),
                "state_read": Out(self.token_bits),
                "state_data": In(lanes * self.bits),
                "write": Out(1),
                "write_token": Out(self.token_bits),
                "made": Out(lanes * self.bits),
                **({"layer": In(shape.layer_bits)} if shape.layer_bits else {}),
                **(self._lending() if self.plan.lends else {}),
            }
        )

    def _lending(self) -> dict[str, wiring.Member]:
        """Factors for the multipliers of the channels, and their products."""
        multipliers, (a, b) = self.shape.channels * self.shape.lanes, self.factor_bits
        return {
            "lend_a": Out(multipliers * a),
            "lend_b": Out(multipliers * b),
            "lent": In(multipliers * (a + b)),
        }

    def elaborate(self, platform: object) -> Module:
        m, shape = Module(), self.shape
        self._pipeline = pipeline = Pipeline(m, self.plan.cuts)
        phase, token, part = self._count(m)
        complete = Signal()
        m.d.comb += complete.eq(self.reads & (phase == shape.turns - 1))
        self._valid, self._token = staged([complete], 0), staged([token], 0)
        gates = self._sums(m, phase, part)
        if not self.plan.lends:
            self._write(m, Datapath(m, shape, pipeline, OwnMultipliers(pipeline), self).made(gates))
            return m
        multipliers = LentMultipliers(pipeline, shape, self.factor_bits, self.lent)
        self._write(m, Datapath(m, shape, pipeline, multipliers, self).made(gates))
        multipliers.drive(m, phase, self.lend_a, self.lend_b)
        return m

    def _count(self, m: Module) -> tuple[Value, Value, Value]:
        """Which words are read: those of a group of neurons, gate after gate; phase, group, and part of the words."""
        shape, starts_later = self.shape, "start" in self.plan.cuts
        per_word = shape.lanes // shape.activation_lanes
        reading = Signal()
        phase = Signal(range(max(2, shape.activation_interval_cycles)))
        token = Signal(self.token_bits)
        part = Signal(range(max(2, per_word)))
        word = Signal.like(self.read_second)
        gate_word = Signal.like(self.read)
        counters = (phase, token, part, word, gate_word)
        now = counters if starts_later else tuple(Mux(self.begins, 0, counter) for counter in counters)
        now_phase, now_token, now_part, now_word, now_gate_word = now
        m.d.comb += [
            self.reads.eq(reading if starts_later else reading | self.begins),
            self.read.eq(now_gate_word + now_word),
            self.read_second.eq(now_word),
        ]
        ends, is_full = now_phase == shape.activation_interval_cycles - 1, now_part == per_word - 1
        m.d.sync += [
            phase.eq(Mux(ends, 0, now_phase + 1)),
            gate_word.eq(Mux(ends, 0, now_gate_word + self.words)),
            token.eq(now_token + ends),
            part.eq(Mux(ends, Mux(is_full, 0, now_part + 1), now_part)),
            word.eq(now_word + (ends & is_full)),
            reading.eq(self.reads & ~(ends & (now_token == self.tokens - 1))),
        ]
        if starts_later:
            with m.If(self.begins):
                m.d.sync += [reading.eq(1), *(counter.eq(0) for counter in counters)]
        return now_phase, now_token, now_part

    def _sums(self, m: Module, phase: Value, part: Value) -> Lanes:
        """Stage 1: by gate. A GRU's last entry is the candidate's sum over h."""
        shape = self.shape
        sums = [self._group(channel, part, self.sums_x) for channel in range(shape.channels)]
        gates = [(gate, *divmod(gate, shape.channels)) for gate in range(shape.gates)]
        rounded = [self._rounded(m, gate, phase, turn, sums[channel]) for gate, turn, channel in gates]
        if shape.kind == "gru":
            second = self._group(0, part, self.sums_h)
            rounded.append(self._rounded(m, 3, phase, C // shape.channels, second))
        return rounded

    def _group(self, channel: int, part: Value, sums: Value) -> Staged:
        """The sums of a channel's group of neurons, as they were read."""
        shape, bits = self.shape, self.shape.cell.accumulator_bits
        first = channel * shape.lanes
        words = [sums.word_select(first + lane, bits).as_signed() for lane in range(shape.lanes)]
        lanes = range(shape.activation_lanes)
        choices = (Array(words[lane :: len(lanes)])[part] for lane in lanes)
        read = self._pipeline.each(f"sum{channel}_", lambda at, value: Value.cast(value), staged(choices, 0))
        return self._pipeline.cut(read, "sum")

    def _rounded(self, m: Module, gate: int, phase: Value, turn: int, sums: Staged) -> Staged:
        """A gate's rounded sums, which stay until those of the last gate are there, too."""
        number = self.shape.cell.activation
        is_sum_over_x = self.shape.kind == "gru" and gate == C
        shifts = [
            layer.cell.weight_fraction_bits - number.fraction_bits * is_sum_over_x
            for layer in self.shape.layers
        ]
        turns = self._pipeline.at(staged([self.reads & (phase == turn)], 0), sums.stage, f"turn{gate}").lanes
        kept = []
        for lane, value in enumerate(sums.lanes):
            rounded = self._shifted(m, value, shifts, f"rounded{gate}_{lane}")
            register = Signal(rounded.shape(), name=f"gate{gate}_{lane}")
            with m.If(turns[0]):
                m.d.sync += register.eq(rounded)
            kept.append(register)
        return staged(kept, sums.stage + 1)

    def _shifted(self, m: Module, value: Value, shifts: list[int], name: str) -> Value:
        """A value rounded as its cell wants it."""
        if len(set(shifts)) == 1:
            return round_shift(m, value, shifts[0], name)
        choices = [round_shift(m, value, shift, f"{name}_{layer}") for layer, shift in enumerate(shifts)]
        chosen = Signal(max((choice.shape() for choice in choices), key=lambda shape: shape.width), name=name)
        m.d.comb += chosen.eq(Array(choices)[self.layer])
        return chosen

    def state(self, stage: int) -> Staged:
        """h of the neurons in a stage."""
        reads = stage - 1 - ("state" in self.plan.cuts)
        m, token = self._pipeline.m, self._pipeline.at(self._token, reads, "token").lanes[0]
        m.d.comb += self.state_read.eq(token)
        read = (
            self.state_data.word_select(lane, self.bits).as_signed()
            for lane in range(self.shape.activation_lanes)
        )
        return self._pipeline.cut(staged(read, reads + 1), "state")

    def cell_state(self, stage: int) -> Staged:
        """The LSTM's cell state of the neurons in a stage."""
        lanes, depth = range(self.shape.activation_lanes), self.shape.for_layers(self.shape.most_tokens)
        memory = Memory(shape=len(lanes) * self.bits, depth=depth, init=[])
        self._pipeline.m.submodules.cell_state = self._cells = memory
        read, (token, _) = memory.read_port(), self._at(stage - 1)
        self._pipeline.m.d.comb += read.addr.eq(self._in_layer(token))
        return staged((read.data.word_select(lane, self.bits).as_signed() for lane in lanes), stage)

    def keep_cell_state(self, new: Staged) -> None:
        """The new one, or zero when a stream begins."""
        write, (token, valid) = self._cells.write_port(), self._at(new.stage)
        self._pipeline.m.d.comb += [
            write.addr.eq(self._in_layer(Mux(self.clear, self.clear_token, token))),
            write.data.eq(Mux(self.clear, 0, Cat(*new.lanes))),
            write.en.eq(self.clear | valid),
        ]

    def _in_layer(self, token: Value) -> Value:
        """The place of a cell's group of neurons in a memory."""
        bits = self.shape.place_bits(self.shape.most_tokens)
        return Cat(token[:bits], self.layer) if self.shape.layer_bits else token

    def _at(self, stage: int) -> tuple[Value, Value]:
        """The group of neurons in a stage, and whether there is one."""
        pipeline = self._pipeline
        return (
            pipeline.at(self._token, stage, "token").lanes[0],
            pipeline.at(self._valid, stage, "valid").lanes[0],
        )

    def _write(self, m: Module, new: Staged) -> None:
        """The new state goes out; lanes behind the last neuron are zero."""
        number, lanes = self.shape.cell.activation, self.shape.activation_lanes
        token, _ = self._at(new.stage)
        is_neuron = staged((token * lanes + lane < self.hidden for lane in range(lanes)), new.stage)
        made = self._pipeline.each(
            "made", lambda at, mine, value: Mux(mine, value[: number.bits], 0), is_neuron, new
        )
        made = self._pipeline.cut(made, "made")
        token, valid = self._at(made.stage)
        m.d.comb += [self.made.eq(Cat(*made.lanes)), self.write_token.eq(token), self.write.eq(valid)]

"""The activation pass: gates, candidate and new state of a group of neurons after another, in five stages or more.

1  the sums of the gates, turn by turn, rounded to activations
2  gates through their tables
3  GRU: the candidate's sum; LSTM: the new cell state; reset before the product, first pass: r * h
4  the candidate's table, or that of the LSTM's cell state
5  the new state

A machine whose pass leaves more time gets registers within these stages, too, and uses the multipliers of the channels:
see `plan`.
"""

from typing import Any

from amaranth import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.activation_lane import ActivationLane
from deltawave.machines.deltarnn.rtl.multipliers import sets
from deltawave.machines.deltarnn.rtl.pipeline import Pipeline, staged
from deltawave.machines.deltarnn.rtl.plan import factor_bits, plan, stages
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.rtl.shared import shared


class Activation(wiring.Component):
    """The pass. begins: its first cycle. last_round: it makes the new state, else r * h. reads: the words `read` (and
    `read_second`) of the sums are read in this cycle; sums_x, sums_h: these. hidden: neurons in all; tokens: groups of
    neurons; layer: the number of the cell, where there are several. state_read: the group of h to be had in the next
    cycle, state_data: that group. clear: forget the cell state of group `clear_token`. write: the group `made` is
    ready: new state, or r * h. lend_a, lend_b: factors for the multipliers of the channels, lent: their products."""

    def __init__(self, shape: CoreShape, address_bits: int, word_bits: int) -> None:
        cell = shape.cell
        self.shape, self.plan = shape, plan(shape)
        self.factor_bits, self.stages = factor_bits(shape), stages(shape, self.plan)
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
        self._pipeline = Pipeline(m, self.plan.cuts)
        phase, token, part = self._count(m)
        complete = Signal()
        m.d.comb += complete.eq(self.reads & (phase == shape.turns - 1))
        self._valid, self._token = staged([complete], 0), staged([token], 0)
        lanes = [
            shared(m, f"lane{number}", ActivationLane, shape) for number in range(shape.activation_lanes)
        ]
        self._sums(m, lanes, phase, part)
        self._state(m, lanes)
        if shape.kind == "lstm":
            self._cell_state(m, lanes)
        if self.plan.lends:
            self._lend(m, lanes, phase)
        self._write(m, lanes)
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
        # not as late as a group ends: the next cell's sizes may be there by then
        is_last = (now_phase == shape.turns - 1) & (now_token == self.tokens - 1)
        m.d.sync += [
            phase.eq(Mux(ends, 0, now_phase + 1)),
            gate_word.eq(Mux(ends, 0, now_gate_word + self.words)),
            token.eq(now_token + ends),
            part.eq(Mux(ends, Mux(is_full, 0, now_part + 1), now_part)),
            word.eq(now_word + (ends & is_full)),
            reading.eq(self.reads & ~is_last),
        ]
        if starts_later:
            with m.If(self.begins):
                m.d.sync += [reading.eq(1), *(counter.eq(0) for counter in counters)]
        return now_phase, now_token, now_part

    def _sums(self, m: Module, lanes: list[Any], phase: Value, part: Value) -> None:
        """The sums of the neurons whose turn it is among those of the words that were read."""
        shape = self.shape
        channels = [(channel * shape.lanes, self.sums_x) for channel in range(shape.channels)]
        channels += [(0, self.sums_h)] * (shape.kind == "gru")
        for number, lane in enumerate(lanes):
            chosen = (self._sum(first + number, sums, part) for first, sums in channels)
            m.d.comb += lane.sums.eq(Cat(*chosen))
            m.d.comb += lane.turns.eq(Cat(self.reads & (phase == turn) for turn in range(shape.turns)))
            m.d.comb += lane.last_round.eq(self.last_round)
            if shape.layer_bits:
                m.d.comb += lane.layer.eq(self.layer)

    def _sum(self, first: int, sums: Value, part: Value) -> Value:
        """Of a neuron of a group, whose parts stand behind each other in a word."""
        shape, bits = self.shape, self.shape.cell.accumulator_bits
        places = range(first, first + shape.lanes - first % shape.lanes, shape.activation_lanes)
        return Value.cast(Array(sums.word_select(place, bits) for place in places)[part])

    def _state(self, m: Module, lanes: list[Any]) -> None:
        """The state of the neurons, asked for a cycle ahead."""
        if self.stages.of_state is not None:
            token, _ = self._at(self.stages.of_state - 1 - ("state" in self.plan.cuts))
            m.d.comb += self.state_read.eq(token)
        for number, lane in enumerate(lanes):
            m.d.comb += lane.state.eq(self.state_data.word_select(number, self.bits))

    def _cell_state(self, m: Module, lanes: list[Any]) -> None:
        """An LSTM's: read, written a few stages later, and zero when a stream begins."""
        assert self.stages.of_cell_state is not None
        assert self.stages.new_cell is not None
        depth = self.shape.for_layers(self.shape.most_tokens)
        m.submodules.cell_state = memory = Memory(shape=len(lanes) * self.bits, depth=depth, init=[])
        read, write = memory.read_port(), memory.write_port()
        (asked, _), (token, valid) = self._at(self.stages.of_cell_state - 1), self._at(self.stages.new_cell)
        m.d.comb += [
            read.addr.eq(self._in_layer(asked)),
            write.addr.eq(self._in_layer(Mux(self.clear, self.clear_token, token))),
            write.data.eq(Mux(self.clear, 0, Cat(lane.new_cell for lane in lanes))),
            write.en.eq(self.clear | valid),
        ]
        for number, lane in enumerate(lanes):
            m.d.comb += lane.cell_state.eq(read.data.word_select(number, self.bits))

    def _lend(self, m: Module, lanes: list[Any], phase: Value) -> None:
        """Each lane has a multiplier of every set of them."""
        a_bits, b_bits = self.factor_bits
        for number, lane in enumerate(lanes):
            m.d.comb += lane.phase.eq(phase)
            for place in range(sets(self.shape)):
                multiplier = place * len(lanes) + number
                m.d.comb += [
                    self.lend_a.word_select(multiplier, a_bits).eq(lane.a.word_select(place, a_bits)),
                    self.lend_b.word_select(multiplier, b_bits).eq(lane.b.word_select(place, b_bits)),
                    lane.lent.word_select(place, a_bits + b_bits).eq(
                        self.lent.word_select(multiplier, a_bits + b_bits)
                    ),
                ]

    def _write(self, m: Module, lanes: list[Any]) -> None:
        """The new state goes out; lanes behind the last neuron are zero."""
        made = self.stages.made
        token, _ = self._at(made)
        for number, lane in enumerate(lanes):
            m.d.comb += lane.is_neuron.eq(token * len(lanes) + number < self.hidden)
        token, valid = self._at(made + ("made" in self.plan.cuts))
        m.d.comb += [
            self.made.eq(Cat(lane.made for lane in lanes)),
            self.write_token.eq(token),
            self.write.eq(valid),
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

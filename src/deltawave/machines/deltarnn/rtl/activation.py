"""The activation pass: gates, candidate and new state of a group of neurons after another, in five stages.

1  the sums of the gates, turn by turn, rounded to activations
2  gates through their tables
3  GRU: the candidate's sum; LSTM: the new cell state; reset before the product, first pass: r * h
4  the candidate's table, or that of the LSTM's cell state
5  the new state
"""

from amaranth import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.arithmetic import Lookup, narrowed, round_shift
from deltawave.machines.deltarnn.rtl.shape import CoreShape

Lanes = list[list[Signal]]
"""By gate and lane."""
R, U, C = range(3)
I, F, G, O = range(4)  # noqa: E741 - the field's names


class Activation(wiring.Component):
    """The pass. active: one is on; begins: its first cycle. last_round: it makes the new state, else r * h.
    read: the words of the sums that are read in this cycle; sums_x, sums_h: these. hidden: neurons in all; tokens:
    groups of neurons. state_read: the group of h to be had in the next cycle, state: that group. write: the group
    `made` is ready: new state, or r * h."""

    def __init__(self, shape: CoreShape, address_bits: int, word_bits: int) -> None:
        cell = shape.cell
        self.shape = shape
        self.bits = cell.activation.bits
        self.token_bits = max(1, (shape.tokens - 1).bit_length())
        lanes = shape.activation_lanes
        super().__init__(
            {
                "begins": In(1),
                "active": In(1),
                "last_round": In(1),
                "hidden": In(17),
                "tokens": In(self.token_bits + 1),
                "words": In(word_bits + 1),
                "clear": In(1),
                "clear_token": In(self.token_bits),
                "read": Out(address_bits),
                "read_second": Out(word_bits),
                "sums_x": In(shape.channels * shape.lanes * cell.accumulator_bits),
                "sums_h": In(shape.lanes * cell.accumulator_bits),
                "state_read": Out(self.token_bits),
                "state": In(lanes * self.bits),
                "write": Out(1),
                "write_token": Out(self.token_bits),
                "made": Out(lanes * self.bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m, shape = Module(), self.shape
        interval, per_word = shape.activation_interval_cycles, shape.lanes // shape.activation_lanes
        phase, token = Signal(range(max(2, interval))), Signal(self.token_bits + 1)
        word, part = Signal(17), Signal(range(max(2, per_word)))
        now_phase, now_token = Signal.like(phase), Signal.like(token)
        now_word, now_part = Signal.like(word), Signal.like(part)
        for now, kept in ((now_phase, phase), (now_token, token), (now_word, word), (now_part, part)):
            m.d.comb += now.eq(Mux(self.begins, 0, kept))
        ends = now_phase == interval - 1
        counts = ends & (now_token != self.tokens)  # behind the last group it stands still
        m.d.sync += [phase.eq(Mux(ends, 0, now_phase + 1)), token.eq(now_token + counts)]
        with m.If(ends):
            is_full = now_part == per_word - 1
            m.d.sync += [part.eq(Mux(is_full, 0, now_part + 1)), word.eq(now_word + is_full)]
        with m.Else():
            m.d.sync += [part.eq(now_part), word.eq(now_word)]
        m.d.comb += [self.read.eq(now_phase * self.words + now_word), self.read_second.eq(now_word)]
        reads = self.active & (now_token < self.tokens)
        gates = self._sums(m, reads, now_phase, now_part)
        complete = Signal()
        m.d.comb += complete.eq(reads & (now_phase == shape.turns - 1))
        self._pipeline(m, complete, now_token, gates)
        return m

    def _sums(self, m: Module, reads: Signal, phase: Signal, part: Signal) -> list[list[Signal]]:
        """Stage 1: by gate and lane. A GRU's last entry is the candidate's sum over h."""
        shape = self.shape
        found = []
        for gate in range(shape.gates):
            turn, channel = divmod(gate, shape.channels)
            mine = reads & (phase == turn)
            found.append(
                self._rounded(m, mine, self.sums_x, channel * shape.lanes, part, gate, f"gate{gate}")
            )
        if shape.kind == "gru":
            mine = reads & (phase == C // shape.channels)
            found.append(self._rounded(m, mine, self.sums_h, 0, part, -1, "second"))
        return found

    def _rounded(
        self, m: Module, mine: Signal, sums: Signal, first: int, part: Signal, gate: int, name: str
    ) -> list[Signal]:
        shape, cell = self.shape, self.shape.cell
        bits, lanes = cell.accumulator_bits, shape.activation_lanes
        shift = cell.weight_fraction_bits
        if shape.kind == "gru" and gate == C:
            shift -= cell.activation.fraction_bits
        group = Signal(lanes * bits, name=f"{name}_group")
        m.d.comb += group.eq(
            sums[first * bits : (first + shape.lanes) * bits].word_select(part, lanes * bits)
        )
        kept = []
        for lane in range(lanes):
            value = Signal(signed(bits), name=f"{name}_sum{lane}")
            m.d.comb += value.eq(group.word_select(lane, bits).as_signed())
            rounded = round_shift(m, value, shift, f"{name}_rounded{lane}")
            register = Signal(rounded.shape(), name=f"{name}_{lane}")
            with m.If(mine):
                m.d.sync += register.eq(rounded)
            kept.append(register)
        return kept

    def _pipeline(self, m: Module, complete: Signal, token: Signal, gates: list[list[Signal]]) -> None:
        stages, tokens = [complete], [token]
        for number in range(2, 6):
            valid, kept = Signal(name=f"valid{number}"), Signal.like(token, name=f"token{number}")
            m.d.sync += [valid.eq(stages[-1]), kept.eq(tokens[-1])]
            stages.append(valid)
            tokens.append(kept)
        cell, lanes = self.shape.cell, self.shape.activation_lanes
        self._gate, self._candidate, self._output = (
            Lookup(table, f"table_{name}")
            for name, table in (("gate", cell.gate), ("candidate", cell.candidate), ("output", cell.output))
        )
        state = [self.state.word_select(lane, self.bits).as_signed() for lane in range(lanes)]
        write = {"gru": self._gru, "gru_before": self._gru_before, "lstm": self._lstm, "rnn": self._rnn}
        made, at = write[self.shape.kind](m, gates, state, stages, tokens)
        masked = [
            Mux(tokens[at - 1] * lanes + lane < self.hidden, value, 0) for lane, value in enumerate(made)
        ]
        m.d.comb += [
            self.made.eq(Cat(*(v[: self.bits] for v in masked))),
            self.write_token.eq(tokens[at - 1]),
        ]
        m.d.comb += self.write.eq(stages[at - 1])

    def _registers(self, m: Module, values: list[Signal], name: str) -> list[Signal]:
        kept = []
        for lane, value in enumerate(values):
            register = Signal(value.shape(), name=f"{name}{lane}")
            m.d.sync += register.eq(value)
            kept.append(register)
        return kept

    def _tables(self, m: Module, table: Lookup, values: list[Signal], name: str) -> list[Signal]:
        return self._registers(m, [table.read(m, value) for value in values], name)

    def _later(self, m: Module, values: list[Signal], name: str, cycles: int) -> list[Signal]:
        for cycle in range(cycles):
            values = self._registers(m, values, f"{name}_{cycle}_")
        return values

    def _updated(self, m: Module, u: list[Signal], c: list[Signal], h: list[Signal]) -> list[Signal]:
        """(1 - u) * c + u * h, each product rounded."""
        number = self.shape.cell.activation
        fraction, new = number.fraction_bits, []
        for lane, (u_, c_, h_) in enumerate(zip(u, c, h, strict=True)):
            fresh = round_shift(m, ((1 << fraction) - u_) * c_, fraction, f"fresh{lane}")
            old = round_shift(m, u_ * h_, fraction, f"old{lane}")
            new.append(narrowed(m, fresh + old, number, f"h{lane}"))
        return new

    def _gru(
        self, m: Module, gates: Lanes, state: list[Value], stages: list[Signal], tokens: list[Signal]
    ) -> tuple[list[Signal], int]:
        cell = self.shape.cell
        fraction = cell.activation.fraction_bits
        r, u = (self._tables(m, self._gate, gates[g], f"{name}_") for g, name in ((R, "r"), (U, "u")))
        cx, ch = self._registers(m, gates[C], "cx"), self._registers(m, gates[3], "ch")
        pre = []
        for lane in range(len(r)):
            total = narrowed(m, r[lane] * ch[lane] + cx[lane], cell.accumulator, f"candidate_sum{lane}")
            pre.append(round_shift(m, total, fraction, f"candidate_rounded{lane}"))
        pre, u = self._registers(m, pre, "pre"), self._later(m, u, "u3", 2)
        c = self._tables(m, self._candidate, pre, "c_")
        m.d.comb += self.state_read.eq(tokens[3])
        return self._updated(m, u, c, state), 5

    def _gru_before(
        self, m: Module, gates: Lanes, state: list[Value], stages: list[Signal], tokens: list[Signal]
    ) -> tuple[list[Signal], int]:
        number = self.shape.cell.activation
        r, u = (self._tables(m, self._gate, gates[g], f"{name}_") for g, name in ((R, "r"), (U, "u")))
        c = self._later(m, self._tables(m, self._candidate, gates[C], "c_"), "c3", 2)
        u = self._later(m, u, "u3", 2)
        # r * h is made in the last stage, too, so that both passes write in the same one
        r = self._later(m, r, "r3", 2)
        new, reset = self._updated(m, u, c, state), []
        for lane, (r_, h_) in enumerate(zip(r, state, strict=True)):
            product = round_shift(m, r_ * h_, number.fraction_bits, f"rh_rounded{lane}")
            reset.append(narrowed(m, product, number, f"rh{lane}"))
        m.d.comb += self.state_read.eq(tokens[3])
        chosen = []
        for lane, (h_, rh) in enumerate(zip(new, reset, strict=True)):
            value = Signal(signed(self.bits), name=f"made{lane}")
            m.d.comb += value.eq(Mux(self.last_round, h_, rh))
            chosen.append(value)
        return chosen, 5

    def _lstm(
        self, m: Module, gates: Lanes, state: list[Value], stages: list[Signal], tokens: list[Signal]
    ) -> tuple[list[Signal], int]:
        number, lanes = self.shape.cell.activation, self.shape.activation_lanes
        fraction = number.fraction_bits
        i, f, o = (self._tables(m, self._gate, gates[g], f"{n}_") for g, n in ((I, "i"), (F, "f"), (O, "o")))
        g = self._tables(m, self._candidate, gates[G], "g_")
        memory = Memory(shape=lanes * self.bits, depth=self.shape.tokens, init=[])
        m.submodules.cell_state = memory
        read, write = memory.read_port(), memory.write_port()
        old = [read.data.word_select(lane, self.bits).as_signed() for lane in range(lanes)]
        new = []
        for lane in range(lanes):
            total = round_shift(m, f[lane] * old[lane] + i[lane] * g[lane], fraction, f"c_rounded{lane}")
            new.append(narrowed(m, total, number, f"c{lane}"))
        m.d.comb += [
            read.addr.eq(tokens[1]),
            write.addr.eq(Mux(self.clear, self.clear_token, tokens[2])),
            write.data.eq(Mux(self.clear, 0, Cat(*new))),
            write.en.eq(self.clear | stages[2]),
        ]
        c = self._registers(m, new, "c_kept")
        out = self._tables(m, self._output, c, "out")
        o = self._later(m, o, "o3", 2)
        made = []
        for lane in range(lanes):
            product = round_shift(m, o[lane] * out[lane], fraction, f"h_rounded{lane}")
            made.append(narrowed(m, product, number, f"h{lane}"))
        return made, 5

    def _rnn(
        self, m: Module, gates: Lanes, state: list[Value], stages: list[Signal], tokens: list[Signal]
    ) -> tuple[list[Signal], int]:
        h = self._later(m, self._tables(m, self._candidate, gates[0], "h_"), "h3", 2)
        return [narrowed(m, value, self.shape.cell.activation, f"h{lane}") for lane, value in enumerate(h)], 5

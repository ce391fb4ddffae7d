"""The whole core of a delta machine for one recurrent cell: encoder, lists, channels, activation, streams.

A step goes in rounds: scan and multiply, then an activation pass. Its first cycle is that in which the first group of
elements is compared, its last one that of its last pass. The next step begins in the cycle after, if its inputs are
there; they may come in while a step is under way, and the outputs of the last two steps may wait to be taken.
"""

from dataclasses import replace
from functools import partial

from amaranth import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory, ReadPort, WritePort
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.activation import Activation
from deltawave.machines.deltarnn.rtl.arithmetic import divided, narrowed, round_shift
from deltawave.machines.deltarnn.rtl.channels import Channels
from deltawave.machines.deltarnn.rtl.columns import ColumnList
from deltawave.machines.deltarnn.rtl.delay import delayed
from deltawave.machines.deltarnn.rtl.image import BEAT_BITS
from deltawave.machines.deltarnn.rtl.inputs import Inputs
from deltawave.machines.deltarnn.rtl.outputs import Outputs
from deltawave.machines.deltarnn.rtl.plan import factor_bits, plan
from deltawave.machines.deltarnn.rtl.scan_path import BIAS, RH, H, PathShape, ScanPath, X
from deltawave.machines.deltarnn.rtl.shape import CoreShape


class Core(wiring.Component):
    """Streams: x, `input_rate` elements a beat; h, `hidden_rate` elements a beat; with streamed weights the column that
    is asked for, by its number among x, h, r * h, and its words. load: see `Channels`.

    Where several cells run one after the other, `layer` is the number of the one whose turn it is: from the second on
    they are fed the states that the one before has just made, and the last one's go out.

    Settings, those of the cell whose turn it is, which stand still while a step is under way: hidden; groups_x,
    groups_h of elements that are scanned together; words of a gate; tokens, groups of neurons; theta_x, theta_h;
    base_x, base_h, base_rh: where its columns begin. groups_in, groups_out: groups of the first one's inputs and of the
    last one's states. hold: no step begins. clear: begin a new stream (a pulse while nothing is under way and hold is
    up).
    step_done: a pulse in the last cycle of a step, step_cycles: how long it took. idle: nothing is under way."""

    def __init__(self, shape: CoreShape) -> None:
        cell = shape.cell
        self.shape, self.bits = shape, cell.activation.bits
        self.depth_x, self.depth_h = shape.most_groups(0), shape.most_groups(1)
        self.paths = self._paths()
        self.channels = self._channels()
        self.activation = Activation(shape, self.channels.address_bits, self.channels.word_bits)
        members = {
            "x_data": In(shape.input_rate * self.bits),
            "x_valid": In(1),
            "x_ready": Out(1),
            "h_data": Out(shape.hidden_rate * self.bits),
            "h_valid": Out(1),
            "h_last": Out(1),
            "h_ready": In(1),
            "load_data": In(BEAT_BITS),
            "load_select": In(len(self.channels.load_select)),
            "load_valid": In(1),
            "load_ready": Out(1),
            "rewind": In(1),
            "hidden": In(17),
            "groups_x": In(17),
            "groups_h": In(17),
            "groups_in": In(17),
            "groups_out": In(17),
            "words": In(17),
            "tokens": In(17),
            "theta_x": In(self.bits + 1),
            "theta_h": In(self.bits + 1),
            "hold": In(1),
            "clear": In(1),
            "idle": Out(1),
            "step_done": Out(1),
            "step_cycles": Out(32),
        }
        if shape.layer_bits:
            members |= {"layer": Out(shape.layer_bits)}
        if shape.streams_weights:
            members |= {
                "column_data": Out(17),
                "column_valid": Out(1),
                "column_ready": In(1),
                "w_data": In(self.channels.width * cell.weight_bits),
                "w_valid": In(1),
                "w_ready": Out(1),
            }
        if self.has_bases:
            members |= {"base_x": In(32), "base_h": In(32), "base_rh": In(32)}
        super().__init__(members)

    has_bases = True
    """Whether the places where columns begin are settings."""

    def _channels(self) -> Channels:
        found = plan(self.shape)
        return Channels(self.shape, factor_bits(self.shape) if found.lends else None)

    def _paths(self) -> list[PathShape]:
        shape, second = self.shape, ((RH,),) if self.shape.sources == 3 else ()
        if shape.separate_paths:
            return [
                self._path(((X,), *(() for _ in second)), shape.input_rate, self.depth_x, credits=0),
                self._path(((H,), *second), shape.hidden_rate, self.depth_h, credits=0),
            ]
        depth = max(self.depth_x, self.depth_h)
        first = (BIAS, X, H) if shape.has_bias_place else (X, H)
        return [self._path((first, *second), 1, depth, credits=shape.fifo_depth)]

    def _path(self, rounds: tuple[tuple[int, ...], ...], rate: int, depth: int, *, credits: int) -> PathShape:
        shape = self.shape
        latency = shape.encoder_latency_cycles - shape.lists_later
        return PathShape(
            rounds,
            rate,
            shape.scheduler_rate,
            self.bits,
            depth,
            credits,
            latency,
            shape.picks_later,
            len(shape.layers),
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.channels, m.submodules.activation = self.channels, self.activation
        if self.shape.layer_bits:
            m.d.comb += [self.channels.layer.eq(self.layer), self.activation.layer.eq(self.layer)]
        self._rounds = Const(int(self.shape.sources == 3), 1)  # the number of the last one
        self._control(m)
        self._inputs(m)
        self._states(m)
        self._scan(m)
        self._multiply(m)
        self._outputs(m)
        return m

    def _control(self, m: Module) -> None:
        """Which cell, which round and which cycle of it."""
        self.scanning = Signal()
        self.passing = Signal()
        self.round = Signal()
        self.begin_round = Signal()
        self.pass_begins = Signal()
        self.pass_ends = Signal()
        self.drained = Signal()
        self.can_step = Signal()
        self.can_pass = Signal()
        self.last_round = Signal()
        self.last_pass = Signal()
        self.begin_step = Signal()
        self._count_pass(m)
        self._clear_all(m)
        self._take_turns(m)
        m.d.comb += [
            self.last_round.eq(self.round == self._rounds),
            self.pass_begins.eq(self.scanning & self.drained & (self.can_pass | ~self.last_pass)),
            self.step_done.eq(self.pass_ends & self.last_pass),
            self.begin_step.eq(
                self.can_step
                & (self.step_done | ~(self.scanning | self.passing))
                & ~self._clearing
                & ~self.hold
            ),
            self.begin_round.eq(self.begin_step | (self.pass_ends & ~self.last_pass)),
            self.idle.eq(~(self.scanning | self.passing | self._clearing)),
        ]
        with m.If(self.pass_begins):
            m.d.sync += [self.scanning.eq(0), self.passing.eq(1)]
        with m.If(self.pass_ends):
            m.d.sync += [self.passing.eq(0), self.round.eq(Mux(self.last_round, 0, 1))]
        with m.If(self.begin_round):
            m.d.sync += self.scanning.eq(1)
        cycles = Signal(32)
        m.d.comb += self.step_cycles.eq(cycles + 1)
        with m.If(self.begin_step):
            m.d.sync += cycles.eq(0)
        with m.Elif(self.scanning | self.passing):
            m.d.sync += cycles.eq(cycles + 1)

    def _count_pass(self, m: Module) -> None:
        """When an activation pass ends."""
        shape = self.shape
        position = Signal(32)
        length = Signal(32)
        m.d.sync += [
            length.eq(self.tokens * shape.activation_interval_cycles + shape.activation_tail_cycles),
            position.eq(Mux(self.passing, position + 1, 1)),
            self.pass_ends.eq(self.passing & (position == length - 2)),
        ]

    def _take_turns(self, m: Module) -> None:
        """Whose turn it is, and in the next cycle (`_next_layer`)."""
        if not self.shape.layer_bits:
            m.d.comb += self.last_pass.eq(self.last_round)
            return
        last_layer = Signal()
        self._next_layer = Signal.like(self.layer)
        m.d.comb += [
            last_layer.eq(self.layer == len(self.shape.layers) - 1),
            self.last_pass.eq(self.last_round & last_layer),
            self._next_layer.eq(self.layer),
        ]
        with m.If((self.pass_ends & self.last_round) | self._cleared):
            m.d.comb += self._next_layer.eq(Mux(last_layer, 0, self.layer + 1))
        m.d.sync += self.layer.eq(self._next_layer)

    def _in_layer(self, word: Value, depth: int, layer: Value | None = None) -> Value:
        """The place of a cell's word in a memory."""
        if not self.shape.layer_bits:
            return word
        bits = self.shape.place_bits(depth)
        place = (word | Const(0, bits))[:bits]  # a path that scans fewer words counts with fewer bits
        return Cat(place, self.layer if layer is None else layer)

    def _clear_all(self, m: Module) -> None:
        """Goes through all memories that must be zero, or hold the bias, when a stream begins, cell by cell."""
        shape = self.shape
        depth = max(self.depth_x, self.depth_h, self.clear_words, shape.most_tokens)
        self._clearing = Signal(init=1)
        self._cleared = Signal()
        self.clear_word = Signal(range(depth + 1))
        is_last = self.layer == len(shape.layers) - 1 if shape.layer_bits else Const(1)
        m.d.comb += self._cleared.eq(self._clearing & (self.clear_word == depth))
        with m.If(self._clearing):
            m.d.sync += [
                self.clear_word.eq(Mux(self._cleared, 0, self.clear_word + 1)),
                self._clearing.eq(~(self._cleared & is_last)),
            ]
        with m.If(self.clear):
            m.d.sync += [self._clearing.eq(1), self.clear_word.eq(0), self.round.eq(0)]

    def _inputs(self, m: Module) -> None:
        shape = self.shape
        self.inputs = inputs = Inputs(shape.input_rate * self.bits, shape.groups(0))
        m.submodules.inputs = inputs
        m.d.comb += [
            inputs.x_data.eq(self.x_data),
            inputs.x_valid.eq(self.x_valid),
            self.x_ready.eq(inputs.x_ready),
            inputs.beats.eq(self.groups_in),
            self.can_step.eq(inputs.has_one),
        ]

    def _states(self, m: Module) -> None:
        """h and, where the reset comes before the product, r * h."""
        shape, activation = self.shape, self.activation
        self.per_word = shape.state_lanes // shape.activation_lanes
        self.state_depth = -(-self.depth_h * shape.hidden_rate // shape.state_lanes)
        self.state_bits = shape.state_lanes * self.bits
        self.token_word, self.token_part = divided(m, activation.write_token, self.per_word, "token")
        h_memory, h_write, h_read = self._state_memory(
            m, "h_memory", self.last_round if shape.sources == 3 else Const(1)
        )
        self.reads = [h_read]
        if shape.sources == 3:
            self.reads.append(self._state_memory(m, "rh_memory", ~self.last_round)[2])
        if shape.layer_bits:
            self.fed_read = h_memory.read_port(transparent_for=(h_write,))
        self._update(m, h_memory)
        m.d.comb += [
            activation.begins.eq(self.pass_begins),
            activation.last_round.eq(self.last_round),
            activation.hidden.eq(self.hidden),
            activation.tokens.eq(self.tokens),
            activation.words.eq(self.words),
            activation.clear.eq(self._clearing),
            activation.clear_token.eq(self.clear_word),
            activation.sums_x.eq(self.channels.read_x),
            activation.sums_h.eq(self.channels.read_h),
        ]
        if activation.plan.lends:
            m.d.comb += [
                self.channels.lends.eq(self.passing),
                self.channels.lend_a.eq(activation.lend_a),
                self.channels.lend_b.eq(activation.lend_b),
                activation.lent.eq(self.channels.lent),
            ]

    def _state_memory(self, m: Module, name: str, is_made: Value) -> tuple[Memory, WritePort, ReadPort]:
        """States that an activation pass makes and a scan reads."""
        activation, depth = self.activation, self.shape.for_layers(self.state_depth)
        memory = Memory(shape=self.state_bits, depth=depth, init=[])
        m.submodules[name] = memory
        write = memory.write_port(granularity=self.shape.activation_lanes * self.bits)
        m.d.comb += [
            write.addr.eq(self._in_layer(self.token_word, self.state_depth)),
            write.data.eq(activation.made.replicate(self.per_word)),
        ]
        with m.If(activation.write & is_made):
            m.d.comb += write.en.eq(1 << self.token_part)
        with m.If(self._clearing):
            m.d.comb += [write.addr.eq(self._in_layer(self.clear_word, self.state_depth)), write.data.eq(0)]
            m.d.comb += write.en.eq(Mux(self.clear_word < self.state_depth, (1 << self.per_word) - 1, 0))
        return memory, write, memory.read_port(transparent_for=(write,))

    def _update(self, m: Module, memory: Memory) -> None:
        """The state that a pass makes a new one of."""
        activation, update = self.activation, memory.read_port()
        word, part = divided(m, activation.state_read, self.per_word, "updated")
        kept = delayed(m, part, 1, "updated_part")
        m.d.comb += [
            update.addr.eq(self._in_layer(word, self.state_depth)),
            activation.state_data.eq(update.data.word_select(kept, self.shape.activation_lanes * self.bits)),
        ]

    def _scan(self, m: Module) -> None:
        """The paths of the encoder, and when all of a round has been scanned."""
        self.lists, closed = [], []
        for number, path_shape in enumerate(self.paths):
            path = ScanPath(path_shape)
            m.submodules[f"path{number}"] = path
            columns = self._list(m, path_shape, number)
            for k in range(path_shape.picks):
                m.d.comb += [
                    getattr(columns, f"push{k}").eq(getattr(path, f"push{k}")),
                    getattr(columns, f"entry{k}").eq(
                        self._listed(m, path_shape, getattr(path, f"entry{k}"), f"{number}_{k}")
                    ),
                ]
            scans = Signal(name=f"scans{number}")
            rounds = [bool(vectors) for vectors in path_shape.rounds]
            m.d.comb += scans.eq(Mux(self.next_round(m), rounds[-1], rounds[0]))
            for v in path_shape.vectors:
                groups, theta = (self.groups_x, self.theta_x) if v == X else (self.groups_h, self.theta_h)
                m.d.comb += [getattr(path, f"groups{v}").eq(groups), getattr(path, f"theta{v}").eq(theta)]
            m.d.comb += [
                path.begin.eq(self.begin_round & scans),
                path.round.eq(self._next_round),
                path.now.eq(self._elements(m, path, path_shape, number)),
                path.clear.eq(self._clearing & (self.clear_word < path_shape.depth)),
                path.clear_group.eq(self.clear_word),
            ]
            if self.shape.layer_bits:
                m.d.comb += path.layer.eq(self._next_layer)
            self.lists.append((path, columns, path_shape))
            closed.append(self._closed(m, path, scans, number))
        self.closed = closed
        is_first = self.layer == 0 if self.shape.layer_bits else Const(1)
        m.d.comb += self.inputs.taken.eq(self.lists[0][0].x_ends & is_first)

    def _list(self, m: Module, path: PathShape, number: int) -> wiring.Component:
        """What takes the values that a path sends: it holds them as they come, or as they go to the channels."""
        bits, depth = self.bits + 1 + 2 + self.channels.begin_bits, path.credits or path.depth * path.rate
        if self.shape.lists_later:
            listed = partial(self._for_channels, path=path, name=f"_of_list{number}")
            columns = ColumnList(path.entry_bits, depth, path.picks, listed, bits)
        else:
            columns = ColumnList(bits, depth, path.picks)
        m.submodules[f"list{number}"] = columns
        return columns

    def _listed(self, m: Module, path: PathShape, entry: Value, name: str) -> Value:
        """What the list holds of a value."""
        return entry if self.shape.lists_later else self._for_channels(m, entry, path, name)

    def _for_channels(self, m: Module, entry: Value, path: PathShape, name: str) -> Value:
        """The difference, what it is of, and where its column is stored."""
        delta, element, source = path.fields(entry)
        if self.shape.streams_weights:
            return Cat(delta, source)
        begin = Signal(self.channels.begin_bits, name=f"begin{name}")
        bases = (self.base_x, self.base_h, self.base_rh)
        with m.Switch(source):
            for s in range(self.shape.sources):
                words = Signal(16, name=f"column_words{name}_{s}")
                m.d.comb += words.eq(len(self.shape.turns_of(s)) * self.words)
                with m.Case(X + s):
                    m.d.comb += begin.eq(bases[s] + element * words)
        return Cat(delta, source, begin)

    @property
    def clear_words(self) -> int:
        """Words of sums that become the bias when a stream begins."""
        return self.shape.turns * self.shape.most_words

    def next_round(self, m: Module) -> Signal:
        """The round that is scanned next, while none is."""
        if not hasattr(self, "_next_round"):
            self._next_round = Signal()
            m.d.comb += self._next_round.eq(Mux(self.passing, ~self.last_round, 0))
        return self._next_round

    def _elements(self, m: Module, path: ScanPath, shape: PathShape, number: int) -> Signal:
        """The elements asked for in the cycle before."""
        vector = Signal(2, name=f"vector{number}")
        now = Signal(shape.rate * self.bits, name=f"now{number}")
        m.d.sync += vector.eq(path.vector)
        for v in shape.vectors:
            asked = self._asked(m, path, shape, v)
            with m.If(vector == v):
                m.d.comb += now.eq(asked)
        return now

    def _asked(self, m: Module, path: ScanPath, shape: PathShape, vector: int) -> Value:
        """The elements of a vector."""
        if vector != X:
            return self._state_part(m, self.reads[vector - H], path, shape, f"state{vector}", self._scanned)
        m.d.comb += self.inputs.at.eq(path.group)
        if not self.shape.layer_bits:
            return self.inputs.data
        fed = self._state_part(m, self.fed_read, path, shape, "fed", self._scanned - 1)
        return Mux(self.layer == 0, self.inputs.data, self._as_input(m, fed))

    @property
    def _scanned(self) -> Value:
        """The number of the cell that is scanned in the next cycle."""
        return self._next_layer if self.shape.layer_bits else Const(0)

    def _state_part(
        self, m: Module, read: ReadPort, path: ScanPath, shape: PathShape, name: str, layer: Value
    ) -> Value:
        """The elements of a state that a path asks for."""
        word, part = divided(m, path.group, self.shape.state_lanes // shape.rate, name)
        part = delayed(m, part, 1, f"{name}_part")
        m.d.comb += read.addr.eq(self._in_layer(word, self.state_depth, layer[: self.shape.layer_bits]))
        return read.data.word_select(part, shape.rate * self.bits)

    def _as_input(self, m: Module, state: Value) -> Value:
        """States of the cell before as inputs of this one."""
        shifts = [layer.input_shift for layer in self.shape.layers]
        if not any(shifts[1:]):
            return state
        number, elements = replace(self.shape.cell.activation, overflow="saturate"), []
        for lane in range(len(state) // self.bits):
            value = state.word_select(lane, self.bits).as_signed()
            choices = [
                narrowed(
                    m, round_shift(m, value, shift, f"fed{lane}_shifted{layer}"), number, f"fed{lane}_{layer}"
                )
                for layer, shift in enumerate(shifts)
            ]
            elements.append(Array(choices)[self.layer])
        return Cat(*(element[: self.bits] for element in elements))

    def _closed(self, m: Module, path: ScanPath, scans: Signal, number: int) -> Signal:
        cycles = self.shape.close_latency_cycles - 1 - path.shape.ahead
        pulse = delayed(m, path.finish, cycles, f"finish{number}")
        closed = Signal(name=f"closed{number}")
        with m.If(pulse):
            m.d.sync += closed.eq(1)
        with m.If(self.begin_round):
            m.d.sync += closed.eq(~scans)
        return closed

    def _multiply(self, m: Module) -> None:
        """Columns go from the lists to the channels: those of the first list as long as there may be any."""
        channels, lists = self.channels, [columns for _, columns, _ in self.lists]
        head = lists[0].head
        if len(lists) == 2:
            path, (first, second) = self.lists[0][0], lists
            from_second = Signal()
            head = Mux(from_second, second.head, first.head)
            m.d.comb += [
                from_second.eq(self.closed[0] & ~path.pending & ~first.valid),
                first.pop.eq(channels.begins & ~from_second),
                second.pop.eq(channels.begins & from_second),
                channels.column_valid.eq(Mux(from_second, second.valid, first.valid)),
            ]
        else:
            path, columns, _ = self.lists[0]
            m.d.comb += [
                columns.pop.eq(channels.begins),
                path.taken.eq(channels.begins),
                channels.column_valid.eq(columns.valid),
            ]
        m.d.comb += [channels.delta.eq(head[: self.bits + 1]), channels.source.eq(head[self.bits + 1 :][:2])]
        if not self.shape.streams_weights:
            m.d.comb += channels.begin.eq(head[self.bits + 3 :])
        pending = [path.pending for path, _, _ in self.lists]
        m.d.comb += self.drained.eq(
            channels.idle
            & Cat(*self.closed).all()
            & ~Cat(*pending).any()
            & ~Cat(*(columns.valid for _, columns, _ in self.lists)).any()
        )
        m.d.comb += [
            channels.words.eq(self.words),
            channels.reads.eq(self.activation.reads),
            channels.read_second.eq(self.activation.read_second),
            channels.clear.eq(self._clearing & (self.clear_word < self.clear_words)),
        ]
        self._load(m)
        if self.shape.streams_weights:
            self._request(m)
            m.d.comb += [
                channels.w_data.eq(self.w_data),
                channels.w_valid.eq(self.w_valid),
                self.w_ready.eq(channels.w_ready),
            ]

    def _load(self, m: Module) -> None:
        m.d.comb += [
            self.channels.read.eq(self.activation.read),
            self.channels.clear_word.eq(self.clear_word),
            self.channels.load_data.eq(self.load_data),
            self.channels.load_select.eq(self.load_select),
            self.channels.load_valid.eq(self.load_valid),
            self.channels.rewind.eq(self.rewind),
            self.load_ready.eq(1),
        ]

    def _request(self, m: Module) -> None:
        """Ask for the weights of a column as soon as it is known that it is sent."""
        path, _, shape = self.lists[0]
        places = self.shape.fifo_depth + 1  # a column may have begun that nobody asked for yet
        requests = ColumnList(17, places, 1)
        m.submodules.requests = requests
        number = Signal(17)
        _, element, source = shape.fields(path.leaving)
        with m.Switch(source):
            for v, base in ((X, self.base_x), (H, self.base_h), (RH, self.base_rh)):
                with m.Case(v):
                    m.d.comb += number.eq(base + element)
        passes = path.leaves & ~requests.valid & shape.ahead  # asked for at once: it leaves a cycle late
        m.d.comb += [
            requests.push0.eq(path.leaves & ~(passes & self.column_ready)),
            requests.entry0.eq(number),
            self.column_data.eq(Mux(passes, number, requests.head)),
            self.column_valid.eq(requests.valid | passes),
            requests.pop.eq(self.column_ready),
        ]

    def _outputs(self, m: Module) -> None:
        """The states that the last pass of a step makes."""
        shape, activation = self.shape, self.activation
        outputs = Outputs(
            shape.state_lanes, shape.hidden_rate, shape.activation_lanes, self.bits, self.state_depth
        )
        m.submodules.outputs = outputs
        m.d.comb += [
            outputs.write.eq(activation.write & self.last_pass),
            outputs.states.eq(activation.made),
            outputs.word.eq(self.token_word),
            outputs.part.eq(self.token_part),
            outputs.done.eq(self.step_done),
            outputs.beats.eq(self.groups_out),
            self.can_pass.eq(outputs.has_room),
            self.h_data.eq(outputs.h_data),
            self.h_valid.eq(outputs.h_valid),
            self.h_last.eq(outputs.h_last),
            outputs.h_ready.eq(self.h_ready),
        ]

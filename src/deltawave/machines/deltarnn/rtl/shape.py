"""What the RTL of a delta machine depends on: sizes, formats and latencies, from the machine and one compiled cell.

One design serves DeltaRNN and EdgeDRNN. It multiplies in `channels` channels of `lanes` lanes: gate g of a cell belongs
to channel g mod channels and takes its turn g // channels there; a word is what all lanes do in a cycle. DeltaRNN has a
channel a gate and weights on the chip; EdgeDRNN has one channel, and weights that stream in.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from deltawave.errors import OptionError
from deltawave.kernels.cell import GATES, HEARS, CellKind, QuantisedCell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.machine_deltarnn import DeltaRNN
from deltawave.machines.deltarnn.machine_edgedrnn import EdgeDRNN

ACTIVATION_STAGES = 5
"""Read and round; gates; candidate's sum, or cell state; candidate, or its tanh; new state."""
SUM_STAGES = 3
"""Weight, product, sum."""


@dataclass(frozen=True, eq=False)
class CoreShape:
    """Everything that the generated design depends on.

    `streams_weights`: whether weights come in as a stream, else they lie in a memory. `has_bias_place`: whether the
    encoder spends a cycle on the bias, which stands before the inputs. Rates are elements a cycle; `separate_paths`:
    whether x and h are scanned at the same time, each into a list that holds it whole, else one after the other into a
    FIFO of `fifo_depth`.
    """

    name: str
    cell: QuantisedCell
    channels: int
    lanes: int
    streams_weights: bool
    has_bias_place: bool
    separate_paths: bool
    input_rate: int
    hidden_rate: int
    scheduler_rate: int
    fifo_depth: int
    encoder_latency_cycles: int
    close_latency_cycles: int
    sum_latency_cycles: int
    activation_lanes: int
    activation_interval_cycles: int
    activation_tail_cycles: int
    input_shift: int = field(default=0, kw_only=True)
    """Inputs that are states of the cell before are divided by 2**input_shift."""
    others: tuple["CoreShape", ...] = field(default=(), kw_only=True)
    """Of the cells that run on the same core after this one, each fed by the one before; all that depends on neither
    weights nor sizes is alike."""

    @property
    def layers(self) -> tuple["CoreShape", ...]:
        """Of all cells, in the order in which they run."""
        return (self, *self.others)

    @property
    def layer_bits(self) -> int:
        """Of the number of a cell: 0 if there is one."""
        return len(self.others).bit_length()

    def for_layers(self, words: int) -> int:
        """Words of a memory that has up to so many for each cell, the number of the cell above those of its words."""
        return len(self.layers) << self.place_bits(words) if self.others else words

    @staticmethod
    def place_bits(words: int) -> int:
        """Of the place of one of so many words of a cell."""
        return (words - 1).bit_length()

    @property
    def kind(self) -> CellKind:
        """Of the cell."""
        return self.cell.kind

    @property
    def gates(self) -> int:
        """Of the cell."""
        return len(GATES[self.kind])

    @property
    def turns(self) -> int:
        """Gates that a channel has at most."""
        return -(-self.gates // self.channels)

    @property
    def most_words(self) -> int:
        """Words that the rows of a gate of any cell take."""
        return max(layer.words for layer in self.layers)

    @property
    def most_tokens(self) -> int:
        """Groups of neurons of any cell."""
        return max(layer.tokens for layer in self.layers)

    def most_groups(self, source: int) -> int:
        """Groups of elements of x, h or r * h of any cell."""
        return max(layer.groups(source) for layer in self.layers)

    @property
    def words(self) -> int:
        """Words that the rows of a gate take."""
        return -(-self.cell.hidden // self.lanes)

    @property
    def stored_words(self) -> int:
        """Words of the weights of all cells."""
        return sum(layer._column_words() for layer in self.layers)

    def _column_words(self) -> int:
        sizes = (self.cell.inputs, self.cell.hidden, self.cell.hidden)
        return sum(self.column_words(source) * sizes[source] for source in range(self.sources))

    def turns_of(self, source: int) -> range:
        """The turns that a column of x, h or r * h (0, 1, 2) takes."""
        turns = {gate // self.channels for gate in HEARS[self.kind][source]}
        return range(min(turns), max(turns) + 1)

    @property
    def sources(self) -> int:
        """Vectors that are scanned for values to send."""
        return len(HEARS[self.kind])

    def column_words(self, source: int) -> int:
        """Words of a column of x, h or r * h."""
        return len(self.turns_of(source)) * self.words

    @property
    def tokens(self) -> int:
        """Groups of neurons in an activation pass."""
        return -(-self.cell.hidden // self.activation_lanes)

    @property
    def pass_cycles(self) -> int:
        """Cycles of an activation pass."""
        return self.tokens * self.activation_interval_cycles + self.activation_tail_cycles

    @property
    def picks_later(self) -> bool:
        """Whether the encoder has a cycle between comparing a group and choosing the values that leave."""
        return self.close_latency_cycles > 1

    def groups(self, source: int) -> int:
        """Groups of elements of x, h or r * h that are scanned together."""
        size, rate = (self.cell.hidden, self.hidden_rate) if source else (self.cell.inputs, self.input_rate)
        return -(-size // rate)

    def threshold(self, theta: int) -> int:
        """The register's value for a threshold: no difference reaches 2^bits."""
        return min(max(theta, 0), 1 << self.cell.activation.bits)

    @property
    def state_lanes(self) -> int:
        """Elements in a word of the state memory."""
        return max(self.activation_lanes, self.hidden_rate)


def core_shape(machine: DeltaMachine, cell: QuantisedCell, name: str) -> CoreShape:
    """The design for a cell of a program. Raises OptionError for parameters that no design of ours can meet."""
    shape = (
        _edgedrnn(machine, cell, name) if isinstance(machine, EdgeDRNN) else _deltarnn(machine, cell, name)
    )
    check_shape(machine, shape)
    return shape


def _edgedrnn(machine: EdgeDRNN, cell: QuantisedCell, name: str) -> CoreShape:
    return CoreShape(
        name=name,
        cell=cell,
        channels=1,
        lanes=machine.pes,
        streams_weights=True,
        has_bias_place=machine.bias_as_column,
        separate_paths=False,
        input_rate=1,
        hidden_rate=1,
        scheduler_rate=1,
        fifo_depth=machine.fifo_depth,
        encoder_latency_cycles=machine.encoder_latency_cycles + machine.dram_latency_cycles,
        close_latency_cycles=machine.encoder_latency_cycles,
        sum_latency_cycles=machine.mac_latency_cycles,
        activation_lanes=machine.pes,
        activation_interval_cycles=machine.activation_cycles,
        activation_tail_cycles=machine.activation_cycles * machine.activation_extra_groups,
    )


def _deltarnn(machine: DeltaMachine, cell: QuantisedCell, name: str) -> CoreShape:
    if not isinstance(machine, DeltaRNN):
        raise OptionError(f"{machine.name} has no RTL yet; DeltaRNN and EdgeDRNN machines have")
    channels, lanes = machine.channels_of(cell.kind)
    return CoreShape(
        name=name,
        cell=cell,
        channels=channels,
        lanes=lanes,
        streams_weights=False,
        has_bias_place=False,
        separate_paths=True,
        input_rate=machine.input_rate,
        hidden_rate=machine.hidden_rate,
        scheduler_rate=machine.scheduler_rate,
        fifo_depth=0,
        encoder_latency_cycles=machine.encoder_latency_cycles,
        close_latency_cycles=machine.encoder_latency_cycles,
        sum_latency_cycles=machine.mxv_latency_cycles,
        activation_lanes=machine.activation_lanes_of(cell.kind),
        activation_interval_cycles=-(-len(GATES[cell.kind]) // channels),
        activation_tail_cycles=machine.activation_stages - 1,
    )


def check_shape(machine: DeltaMachine, shape: CoreShape) -> None:
    """Raise OptionError for parameters that no design of ours can meet."""
    for is_met, rule in (*_number_rules(shape), *_time_rules(machine, shape), *_lane_rules(shape)):
        if not is_met:
            raise OptionError(f"{machine.name}: {rule}")


Rules = Iterator[tuple[bool, str]]


def _number_rules(shape: CoreShape) -> Rules:
    cell, bits = shape.cell, shape.cell.weight_bits + shape.cell.activation.bits
    yield (
        cell.accumulator_bits >= bits,
        f"accumulators of {cell.accumulator_bits} bits do not hold a product of {cell.weight_bits}-bit weights and "
        f"{cell.activation.bits}-bit values; set accumulator_bits = {bits} or more",
    )


def _time_rules(machine: DeltaMachine, shape: CoreShape) -> Rules:
    is_edge = isinstance(machine, EdgeDRNN)
    multiply = "mxv_latency_cycles" if isinstance(machine, DeltaRNN) else "mac_latency_cycles"
    yield (
        shape.sum_latency_cycles >= SUM_STAGES,
        f"{multiply} = {shape.sum_latency_cycles}; the RTL takes at least {SUM_STAGES}: weight, product, sum",
    )
    interval, tail = shape.activation_interval_cycles, shape.activation_tail_cycles
    yield (
        interval >= shape.turns,
        f"activation_cycles = {interval}; the RTL reads the {shape.turns} gates of a neuron one after another: "
        f"set activation_cycles = {shape.turns} or more",
    )
    latency = shape.turns - 1 + ACTIVATION_STAGES
    more = "activation_extra_groups" if is_edge else "activation_stages"
    yield (
        interval + tail >= latency,
        f"a group of neurons is activated in {interval + tail} cycles; the RTL takes {latency}: set more {more}",
    )


def _lane_rules(shape: CoreShape) -> Rules:
    lanes, rate = shape.activation_lanes, shape.hidden_rate
    yield (
        shape.lanes % lanes == 0,
        f"activation_lanes = {lanes} do not divide the {shape.lanes} multipliers of a gate",
    )
    larger, smaller = max(lanes, rate), min(lanes, rate)
    yield (
        larger % smaller == 0,
        f"activation_lanes = {lanes} and {rate} states scanned in a cycle: {smaller} does not divide {larger}",
    )

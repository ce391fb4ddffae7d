"""The top module: a core with its registers behind AXI4-Lite and a narrow port for its memories.

Streams are named as everywhere in this project; in AXI4-Stream's words NAME_data is tdata, NAME_valid tvalid,
NAME_ready tready, h_last tlast and load_select tdest.
"""

import re
from collections.abc import Iterator

from amaranth import Array, Const, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from deltawave.machines.deltarnn.rtl.core import Core
from deltawave.machines.deltarnn.rtl.design import core_of, images_of
from deltawave.machines.deltarnn.rtl.image import BEAT_BITS
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.machines.deltarnn.rtl.sparse import SparseShape
from deltawave.rtl.axi_lite import BYTES, Register, RegisterFile, axi_lite_slave, forward_axi_lite

ADDRESS_BITS = 9
"""Of the registers, unless there are more cells than these have places for."""
SETTINGS_OFFSET = 0x40
BASES = ("base_x", "base_h", "base_rh")
FORWARDED = ("x_", "h_", "column_", "w_", "step_")
THRESHOLDS = ("theta_x", "theta_h")
MEANINGS = {
    "clear": "write 1: begin a new stream when the step under way is over; no step begins until then",
    "rewind": "write 1: the memories are loaded from their beginnings again",
    "idle": "1 when no step is under way and no stream is being cleared",
    "step_cycles": "cycles that the last step took",
    "steps": "steps done since the stream began",
    "hidden": "neurons",
    "groups_x": "beats of a vector of inputs",
    "groups_h": "beats of a vector of outputs",
    "words": "words of a gate: the neurons by the lanes of a channel, rounded up",
    "tokens": "groups of neurons: the neurons by the lanes of the activation, rounded up",
    "theta_x": "threshold of inputs, in units of an input's last place",
    "theta_h": "threshold of states, in units of a state's last place",
    "base_x": "where the columns of x begin: a word of the weight memory or, if weights stream in, a column's number",
    "base_h": "where the columns of h begin",
    "base_rh": "where the columns of r * h begin",
}
"""Of every register."""


def settings_of(shape: CoreShape) -> dict[str, int]:
    """The values of all cells' settings, by register: those of the second cell end in _2, and so on."""
    found = {}
    for number, (layer, bases) in enumerate(zip(shape.layers, _bases(shape), strict=True)):
        ending = f"_{number + 1}" if number else ""
        found.update({f"{name}{ending}": value for name, value in {**_sizes(layer), **bases}.items()})
    return found


def _sizes(shape: CoreShape) -> dict[str, int]:
    cell = shape.cell
    return {
        "hidden": cell.hidden,
        "groups_x": shape.groups(0),
        "groups_h": shape.groups(1),
        "words": shape.words,
        "tokens": shape.tokens,
        "theta_x": shape.threshold(cell.theta_x),
        "theta_h": shape.threshold(cell.theta_h),
    }


def _bases(shape: CoreShape) -> Iterator[dict[str, int]]:
    """Where the columns of each cell begin: words of the weight memory, or columns, if they are streamed."""
    first = 0
    for layer in shape.layers:
        if isinstance(layer, SparseShape):
            yield {}
            continue
        bases = {}
        sizes = (layer.cell.inputs, layer.cell.hidden, layer.cell.hidden)
        for source, name in enumerate(BASES):
            bases[name] = first
            if source < layer.sources:
                first += sizes[source] * (1 if layer.streams_weights else layer.column_words(source))
        yield bases


def registers(shape: CoreShape, core: Core) -> tuple[Register, ...]:
    """Control and status, then the settings, which hold those of the shape's own cell after reset."""
    state = (
        Register("clear", 0x00, 1, pulse=True),
        Register("rewind", 0x04, 1, pulse=True),
        Register("idle", 0x08, 1, writable=False),
        Register("step_cycles", 0x0C, 32, writable=False),
        Register("steps", 0x10, 32, writable=False),
    )
    settings = enumerate(settings_of(shape).items())
    return state + tuple(
        Register(
            name,
            SETTINGS_OFFSET + BYTES * place,
            len(getattr(core, setting(name))),
            value,
            is_writable(shape, name),
        )
        for place, (name, value) in settings
    )


def setting(register: str) -> str:
    """The setting of the core that a register holds the value of for one of its cells."""
    return re.sub(r"_\d+$", "", register)


def is_writable(shape: CoreShape, setting: str) -> bool:
    """Sizes of compressed weights are built in."""
    return setting in THRESHOLDS or not isinstance(shape, SparseShape)


class Top(wiring.Component):
    """A core that is set through registers. Settings that are written reach it between two steps.

    load: the memories, in beats of 32 bits (see `LoadedMemory`); it begins a new stream, as the register clear does.
    step_done, step_cycles: see `Core`.
    """

    def __init__(self, shape: CoreShape) -> None:
        self.shape, self.core, self.images = shape, core_of(shape), images_of(shape)
        select_bits = len(self.core.load_select)
        all_registers = registers(shape, self.core)
        address_bits = max(ADDRESS_BITS, all_registers[-1].offset.bit_length())
        self.file = RegisterFile(all_registers, address_bits)
        self.values = settings_of(shape)
        members = self.core.signature.members.items()
        self.forwarded = {name: member for name, member in members if name.startswith(FORWARDED)}
        load = {"load_data": In(BEAT_BITS), "load_valid": In(1), "load_ready": Out(1)}
        load["load_select"] = In(select_bits)
        super().__init__({**axi_lite_slave(address_bits), **self.forwarded, **load})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core, m.submodules.registers = self.core, self.file
        m.d.comb += forward_axi_lite(self, self.file)
        for name, member in self.forwarded.items():
            outer, inner = getattr(self, name), getattr(self.core, name)
            m.d.comb += inner.eq(outer) if member.flow is In else outer.eq(inner)
        self._load(m)
        self._set(m)
        self._clear(m)
        return m

    def _load(self, m: Module) -> None:
        core = self.core
        m.d.comb += [
            self.load_ready.eq(1),
            core.load_data.eq(self.load_data),
            core.load_select.eq(self.load_select),
            core.load_valid.eq(self.load_valid),
            core.rewind.eq(self.file.rewind),
        ]

    def _set(self, m: Module) -> None:
        """Settings stand still while a step is under way; the core has those of the cell whose turn it is."""
        core, kept = self.core, {name: self._kept(m, name) for name in self.values}
        for name in dict.fromkeys(map(setting, kept)):
            values = [value for register, value in kept.items() if setting(register) == name]
            m.d.comb += getattr(core, name).eq(Array(values)[core.layer] if len(values) > 1 else values[0])
        last = f"_{len(self.shape.layers)}" if self.shape.layer_bits else ""
        m.d.comb += [core.groups_in.eq(kept["groups_x"]), core.groups_out.eq(kept[f"groups_h{last}"])]

    def _kept(self, m: Module, name: str) -> Value:
        """What a register held when the step began."""
        written = getattr(self.file, name)
        if not is_writable(self.shape, name):
            m.d.comb += written.eq(self.values[name])
            return Const(self.values[name], len(written))
        kept = Signal(len(written), name=name, init=written.init)
        with m.If(self.core.idle | self.core.step_done):
            m.d.sync += kept.eq(written)
        return kept

    def _clear(self, m: Module) -> None:
        core, file = self.core, self.file
        pending = Signal()
        wanted = Signal()
        steps = Signal(32)
        m.d.comb += [
            wanted.eq(file.clear | pending),
            core.hold.eq(wanted),
            core.clear.eq(wanted & core.idle),
            file.idle.eq(core.idle & ~wanted),
            file.steps.eq(steps),
        ]
        m.d.sync += pending.eq(self.load_valid | (wanted & ~core.clear))
        with m.If(core.step_done):
            m.d.sync += [steps.eq(steps + 1), file.step_cycles.eq(core.step_cycles)]
        with m.If(core.clear):
            m.d.sync += steps.eq(0)

"""The self-checking test bench of a core, and the vectors it reads: recorded streams as hexadecimal text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.machine_edgedrnn import EdgeDRNN
from deltawave.machines.deltarnn.rtl.image import BEAT_BITS
from deltawave.machines.deltarnn.rtl.images import streamed_columns
from deltawave.machines.deltarnn.rtl.record import CellStream
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.machines.deltarnn.rtl.simulate import expected, in_lanes
from deltawave.machines.deltarnn.rtl.top import Top, registers
from deltawave.rtl.hex import hex_lines, hex_numbers

SLACK_CYCLES = 10_000
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Bench:
    """A core, the names of the cells that it runs one after the other, and the streams that it is checked with, each
    as it goes through all of its cells."""

    machine: DeltaMachine
    shape: CoreShape
    cells: Sequence[str]
    top: Top
    streams: Sequence[Sequence[CellStream]]

    def files(self) -> Mapping[str, str]:
        """The bench and all that it reads, by path."""
        cycles = np.concatenate(self._step_cycles)
        return {
            "testbench.sv": self._text(),
            "vectors/x.hex": hex_lines(self._x_beats, self.top.core.bits),
            "vectors/h.hex": hex_lines(self._h_beats, self.top.core.bits),
            "vectors/step_cycles.hex": hex_numbers(cycles, 32),
            "vectors/streams.hex": hex_numbers(self._steps, 32),
            "memories/load.hex": hex_numbers(self._load, BEAT_BITS + len(self.top.load_select)),
            **self._columns(),
        }

    @property
    def memory_latency_cycles(self) -> int:
        """From the cycle in which a column is asked for to that of its first word."""
        return self.streamed[-1]

    def _text(self) -> str:
        text = (files(__package__) / "testbench.sv").read_text()
        defined = "".join(f"`define {name} {value}\n" for name, value in self._defines().items())
        place = text.index("/* verilator")
        return text[:place] + defined + "\n" + text[place:]

    def _defines(self) -> dict[str, object]:
        shape, offsets = self.shape, {r.name: r.offset for r in registers(self.shape, self.top.core)}
        steps = sum(self._steps)
        return {
            "CORE": shape.name,
            "ADDRESS_BITS": len(self.top.axil_awaddr),
            "HALF_PERIOD_NS": f"{0.5e9 / self.machine.clock_hz:g}",
            "X_BITS": shape.input_rate * self.top.core.bits,
            "H_BITS": shape.hidden_rate * self.top.core.bits,
            "SELECT_BITS": len(self.top.load_select),
            "X_BEATS": self._beats_x,
            "H_BEATS": self._beats_h,
            "LOAD_BEATS": len(self._load),
            "STEPS": steps,
            "STREAMS": len(self.streams),
            "CLEAR_ADDRESS": offsets["clear"],
            "STEPS_ADDRESS": offsets["steps"],
            "LIMIT_CYCLES": self._limit_cycles(steps),
            **self._stream_defines(),
        }

    def _limit_cycles(self, steps: int) -> int:
        beats = self._beats_x + self._beats_h
        cycles = sum(int(cycles.sum()) for cycles in self._step_cycles)
        return SLACK_CYCLES * (1 + len(self.streams)) + 2 * (len(self._load) + cycles + steps * beats)

    def _stream_defines(self) -> dict[str, object]:
        if not self.shape.streams_weights:
            return {}
        words, counts, _, latency = self.streamed
        return {
            "STREAMED": "",
            "W_BITS": words.shape[1] * self.shape.cell.weight_bits,
            "W_LATENCY_CYCLES": latency,
            "WORDS": len(words),
            "COLUMNS": len(counts),
        }

    def _columns(self) -> dict[str, str]:
        if not self.shape.streams_weights:
            return {}
        words, counts, cycles, _ = self.streamed
        return {
            "memories/columns.hex": hex_lines(words, self.shape.cell.weight_bits),
            "memories/first_words.hex": hex_numbers(np.r_[0, np.cumsum(counts)], 32),
            "memories/column_cycles.hex": hex_numbers(cycles, 32),
        }

    @property
    def streamed(self) -> tuple[Integers, Integers, Integers, int]:
        """See `streamed_columns`."""
        assert isinstance(self.machine, EdgeDRNN)
        return streamed_columns(self.machine, self.shape)

    @property
    def _load(self) -> Integers:
        """Select and data of each beat of the load port."""
        images = self.top.images
        return np.concatenate(
            [image.select << BEAT_BITS | image.beats().astype(np.int64) for image in images]
        )

    @property
    def _beats_x(self) -> int:
        """Of the inputs of the first cell."""
        return self.shape.groups(0)

    @property
    def _beats_h(self) -> int:
        """Of the states of the last cell."""
        return self.shape.layers[-1].groups(1)

    @property
    def _steps(self) -> list[int]:
        """Of each stream."""
        return [len(first.xs) for first, *_ in self.streams]

    @property
    def _step_cycles(self) -> list[Integers]:
        return [expected(self.machine, self.shape, stream).step_cycles for stream in self.streams]

    @property
    def _x_beats(self) -> Integers:
        beats = [in_lanes(first.xs, self.shape.input_rate, self._beats_x) for first, *_ in self.streams]
        return np.concatenate(beats)

    @property
    def _h_beats(self) -> Integers:
        beats = [in_lanes(last.outputs, self.shape.hidden_rate, self._beats_h) for *_, last in self.streams]
        return np.concatenate(beats)

"""A core in Verilog, run cycle by cycle: beats go into its input streams and come out of its output streams.

The streams are those of the core's own port names (`deltawave.rtl.ports`). The core needs a clock `clk`, and may have
a synchronous reset `rst`. Its streams must keep what they offer until it is taken: the simulation checks it.
"""

import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltawave.errors import InputError, SimulationError
from deltawave.files import PathLike
from deltawave.rtl.library import Library
from deltawave.rtl.ports import Stream, Words, pack, streams_of, unpack
from deltawave.rtl.verilator import build_simulation

SLICE_CYCLES = 1 << 20
RESET_CYCLES = 2
ENDLESS = (1 << 63) - 1
NO_STALLS = np.zeros(0, np.uint8)


@dataclass(frozen=True)
class Taken:
    """Beats that came out of a stream."""

    stream: Stream
    words: Words
    """uint32 [beats, words]: the payload ports one after the other."""
    cycles: NDArray[np.int64]
    """In which cycle of the run each was taken, int64 [beats]."""

    def values(self, port: str | None = None, lanes: int = 1, signed: bool = False) -> NDArray[np.int64]:
        """Integers of a payload port (None: the only one), int64 [beats] or, for more than one lane, [beats, lanes].
        Raises InputError if there is no such port, or more than one.
        """
        named = [p for p in self.stream.payload if port in (None, p.name)]
        if len(named) != 1:
            names = ", ".join(p.name for p in self.stream.payload) or "nothing"
            raise InputError(f"a beat of {self.stream.name} has {names}: {port or 'a name'} is wanted")
        (found,) = named
        numbers = unpack(self.words[:, self.stream.columns(found)], found, lanes, signed)
        return numbers[:, 0] if lanes == 1 else numbers


@dataclass(frozen=True)
class Exchange:
    """What a run of the core took and gave."""

    cycles: int
    finished: bool
    """Whether all inputs were taken and all wanted beats came."""
    taken: Mapping[str, Taken]
    """By stream, those that leave the core."""


@dataclass(frozen=True)
class Columns:
    """Words that a core asks for by the column, and the pace of the memory they come from.

    The data of a request accepted in cycle q is there from q + latency_cycles on. A column starts then, or when the
    cycles of the one before are over; its i-th word is offered i cycles after its start at the earliest, its last not
    before its last cycle.
    """

    words: ArrayLike
    """Integers of the answering port, [words] or [words, lanes], column after column."""
    counts: ArrayLike
    """Words of each column, [columns], 1 or more."""
    cycles: ArrayLike
    """Cycles that each column takes, [columns], 1 or more."""
    latency_cycles: int = 1


def random_stalls(seed: int, share: float, period: int = 4099) -> NDArray[np.bool_]:
    """A pattern that stalls a stream in this share of the cycles, drawn from the seed."""
    return np.random.default_rng(seed).random(period) < share


class Simulation:
    """A verilated core. Values, cycles and streams are exact; one thread at a time may use it.

    waves: a VCD file that every cycle is written to, which is slow. Raises ToolError if a tool is missing or refuses
    the Verilog.
    """

    def __init__(self, verilog: str, top: str, waves: PathLike | None = None) -> None:
        self._library = Library(build_simulation(verilog, top, waves is not None), str(waves or ""))
        self._close = weakref.finalize(self, self._library.close)
        self.ports = self._library.ports()
        self.streams = {stream.name: stream for stream in streams_of(self.ports)}
        self._requests: Stream | None = None
        self._memory: tuple[object, ...] = ()
        self._offered: tuple[object, ...] = ()
        self.reset()

    def close(self) -> None:
        """End the simulation; the waves are complete then."""
        self._close()

    def reset(self, cycles: int = RESET_CYCLES) -> None:
        """Hold the core in reset, with nothing offered to it; forget requests and beats under way."""
        self._library.call("reset", cycles)

    def serve(self, requests: str, answers: str, columns: Columns) -> None:
        """Answer the column numbers of one stream with the words of another from now on. Raises InputError."""
        asking, answering = self._stream(requests, into_core=False), self._stream(answers, into_core=True)
        if [port.words for port in asking.payload] != [1] or len(answering.payload) != 1:
            raise InputError(
                f"{requests} asks by one number of at most 32 bits, {answers} answers by one port"
            )
        counts, cycles = _positive(columns.counts, "counts"), _positive(columns.cycles, "cycles")
        words, first = pack(columns.words, answering.payload[0]), np.r_[0, np.cumsum(counts)]
        if len(words) != first[-1] or len(cycles) != len(counts):
            raise InputError(
                f"{len(counts)} columns need {first[-1]} words and {len(counts)} cycles, "
                f"got {len(words)} and {len(cycles)}"
            )
        self._memory = words, first, cycles  # theirs is the memory that the simulation reads
        self._requests = asking
        numbers = self._numbers[requests], self._numbers[answers]
        self._library.call("memory", *numbers, words, first, cycles, len(counts), columns.latency_cycles)

    def run(
        self,
        inputs: Mapping[str, ArrayLike],
        wanted: Mapping[str, int],
        *,
        limit_cycles: int,
        stalls: Mapping[str, ArrayLike] | None = None,
    ) -> Exchange:
        """Offer all inputs and take all wanted beats.

        inputs: by payload port, integers [beats] or [beats, lanes]. wanted: beats by stream; no others are taken, but
        for pulses and requests of columns, which always are. stalls: by stream, a pattern [period] of the cycles in
        which no beat is offered, or none taken. Raises SimulationError if it takes more than limit_cycles, or
        the core breaks a rule of its streams; InputError for an unknown name or impossible values.
        """
        exchange = self._exchange(inputs, wanted, stalls or {}, limit_cycles, to_the_end=False)
        if not exchange.finished:
            raise SimulationError(f"the core is not done after {limit_cycles} cycles: {self.waiting()}")
        return exchange

    def run_for(
        self,
        cycles: int,
        inputs: Mapping[str, ArrayLike] | None = None,
        wanted: Mapping[str, int] | None = None,
        *,
        stalls: Mapping[str, ArrayLike] | None = None,
    ) -> Exchange:
        """Exactly so many cycles of `run`, whether all is done or not. Inputs that are left are forgotten."""
        return self._exchange(inputs or {}, wanted or {}, stalls or {}, cycles, to_the_end=True)

    def offered(self) -> set[str]:
        """The streams on which the core offered a beat in the last cycle that was not taken."""
        leaving = {name for name, stream in self.streams.items() if not stream.into_core and stream.ready}
        return {name for name in leaving if self._progress(name)[2]}

    def waiting(self) -> str:
        """What each stream waits for."""
        return "; ".join(self._state(name) for name in self.streams) or "it has no streams"

    def _state(self, name: str) -> str:
        moved, other, valid = self._progress(name)
        if self.streams[name].into_core:
            state = "offered, waits for ready" if valid else "nothing offered"
            return f"{name}: {moved} of {moved + other} taken, {state}"
        return f"{name}: {moved} of {other} came, " + ("valid, not taken" if valid else "waits for valid")

    def _exchange(
        self,
        inputs: Mapping[str, ArrayLike],
        wanted: Mapping[str, int],
        stalls: Mapping[str, ArrayLike],
        cycles: int,
        to_the_end: bool,
    ) -> Exchange:
        patterns = {self._stream(name).name: _pattern(name, pattern) for name, pattern in stalls.items()}
        counts = {self._stream(name, into_core=False).name: count for name, count in wanted.items()}
        beats = self._beats(inputs)
        self._offered = beats, patterns  # theirs is the memory that the simulation reads
        for name, stream in self.streams.items():
            pattern = patterns.get(name, NO_STALLS)
            if stream.into_core:
                words = beats.get(name, np.zeros((0, stream.words), np.uint32))
                self._library.call("source", self._numbers[name], words, len(words), pattern, len(pattern))
            else:
                count = counts.get(name, 0)
                most = ENDLESS if stream.ready is None or stream is self._requests else count
                self._library.call("sink", self._numbers[name], count, most, pattern, len(pattern))
        finished = self._advance(cycles, to_the_end)
        taken = {name: self._taken(stream) for name, stream in self.streams.items() if not stream.into_core}
        return Exchange(self._library.call("cycles"), finished, taken)

    def _advance(self, cycles: int, to_the_end: bool) -> bool:
        """In slices, between which an interrupt from the keyboard is seen."""
        self._library.call("begin")
        finished = 0
        for first in range(0, max(cycles, 1), SLICE_CYCLES):
            finished = self._library.call("run", min(SLICE_CYCLES, cycles - first), to_the_end)
            if finished and not to_the_end:
                break
        return bool(finished)

    def _beats(self, inputs: Mapping[str, ArrayLike]) -> dict[str, Words]:
        """The inputs' words by stream."""
        entering = [stream for stream in self.streams.values() if stream.into_core]
        known = {port.name for stream in entering for port in stream.payload}
        if unknown := sorted(set(inputs) - known):
            raise InputError(
                f"the core takes no {unknown[0]}; it takes {', '.join(sorted(known)) or 'nothing'}"
            )
        wanted = [stream for stream in entering if any(port.name in inputs for port in stream.payload)]
        return {stream.name: _beats(stream, inputs) for stream in wanted}

    def _taken(self, stream: Stream) -> Taken:
        number, count = self._numbers[stream.name], self._progress(stream.name)[0]
        words = self._library.copied("beats", number, (count, stream.words), np.uint32)
        return Taken(stream, words, self._library.copied("beat_cycles", number, (count,), np.int64))

    def _progress(self, name: str) -> tuple[int, int, int]:
        """Beats sent, left, and whether one is offered; of a stream out of the core: taken, wanted, whether valid."""
        progress = np.zeros(3, np.int64)
        self._library.call("progress", self.streams[name].into_core, self._numbers[name], progress)
        return int(progress[0]), int(progress[1]), int(progress[2])

    def _stream(self, name: str, into_core: bool | None = None) -> Stream:
        names = [s.name for s in self.streams.values() if into_core in (None, s.into_core)]
        if name not in names:
            raise InputError(f"the core has no such stream {name}; it has {', '.join(names) or 'none'}")
        return self.streams[name]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """Each stream's place among those of its direction."""
        sides = (
            [s for s in self.streams.values() if s.into_core == into_core] for into_core in (True, False)
        )
        return {stream.name: number for side in sides for number, stream in enumerate(side)}


def _beats(stream: Stream, inputs: Mapping[str, ArrayLike]) -> Words:
    names = [port.name for port in stream.payload]
    if missing := [name for name in names if name not in inputs]:
        raise InputError(f"a beat of {stream.name} has {', '.join(names)}: {missing[0]} is not given")
    packed = [pack(inputs[port.name], port) for port in stream.payload]
    if len({len(words) for words in packed}) > 1:
        raise InputError(
            f"{', '.join(names)} take one value a beat each, got {[len(words) for words in packed]}"
        )
    return np.ascontiguousarray(np.hstack(packed))


def _pattern(name: str, values: ArrayLike) -> NDArray[np.uint8]:
    pattern = np.asarray(values)
    if pattern.ndim != 1 or pattern.dtype != np.bool_:
        raise InputError(
            f"stalls of {name} are a pattern [period] of bool, got {pattern.dtype} {list(pattern.shape)}"
        )
    return np.ascontiguousarray(pattern).view(np.uint8)


def _positive(values: ArrayLike, name: str) -> NDArray[np.int64]:
    numbers = np.asarray(values)
    if numbers.ndim != 1 or not np.issubdtype(numbers.dtype, np.integer) or (numbers < 1).any():
        raise InputError(f"{name} of columns are integers [columns] of 1 or more")
    return np.ascontiguousarray(numbers, np.int64)

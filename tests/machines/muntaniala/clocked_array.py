"""Arrays of LSTM dies clocked cycle by cycle, word by word, every die and link of its own: the numbered rules of
`muntaniala.timing`, with none of its short cuts.

What a part has to do is a queue; its first job begins in the first cycle in which the part is free and everything the
job needs has happened.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from deltawave.machines.muntaniala.compiled import MuntanialaCell
from deltawave.machines.muntaniala.machine import Muntaniala

Event = tuple[object, ...]


@dataclass(frozen=True)
class Job:
    """needs: what must have happened, and how long ago; happens: what then happens, and how long after it began."""

    held: int
    needs: list[tuple[Event, int]]
    happens: list[tuple[Event, int]]


@dataclass
class Part:
    """A multiplier, a link, a port."""

    jobs: deque[Job] = field(default_factory=deque)
    free: int = 0

    def add(self, held: int, needs: list[tuple[Event, int]], happens: list[tuple[Event, int]]) -> None:
        self.jobs.append(Job(held, needs, happens))


class ClockedArray:
    """Several cells side by side, `steps` time steps."""

    def __init__(self, machine: Muntaniala, cells: Sequence[MuntanialaCell], steps: int) -> None:
        self.machine, self.steps = machine, steps
        self.parts: list[Part] = []
        self.ends: list[list[Event]] = [[] for _ in range(steps)]
        names = {cell.name for cell in cells}
        for cell in cells:
            self._build(cell, cell.source if cell.source in names else "")

    def step_cycles(self) -> list[int]:
        """Cycles of every step: from the end of the step before to its own."""
        happened = self._run()
        ends = [max(happened[event] for event in events) for events in self.ends]
        return [end - before for before, end in zip([0, *ends], ends, strict=False)]

    def _run(self) -> dict[Event, int]:
        happened: dict[Event, int] = {}
        cycle = 0
        while any(part.jobs for part in self.parts):
            while any(self._clock(part, cycle, happened) for part in self.parts):
                pass
            cycle += 1
            assert cycle < 1_000_000, "the array waits for ever"
        return happened

    def _clock(self, part: Part, cycle: int, happened: dict[Event, int]) -> bool:
        if not part.jobs or part.free > cycle:
            return False
        job = part.jobs[0]
        if any(event not in happened or happened[event] + lag > cycle for event, lag in job.needs):
            return False
        part.jobs.popleft()
        part.free = cycle + job.held
        happened.update({event: cycle + after for event, after in job.happens})
        return True

    def _part(self) -> Part:
        self.parts.append(Part())
        return self.parts[-1]

    def _build(self, cell: MuntanialaCell, source: str) -> None:
        tiling, name = cell.tiling, cell.name
        for column in range(tiling.columns):
            self._port(cell, column, source)
        for row in range(tiling.rows):
            for column in range(tiling.columns):
                self._die(cell, row, column)
            for link in range(tiling.columns - 1):
                self._link(cell, row, link)
            self._last_column(cell, row)
        for t in range(self.steps):
            self.ends[t] += [(name, "out", row, t, "all") for row in range(tiling.rows)]
            if tiling.tiles > 1:
                self.ends[t] += [
                    (name, "h", row, column, t) for row in range(tiling.rows) for column in range(tiling.rows)
                ]

    def _words(self, bits: int) -> int:
        return -(-bits // self.machine.link_bits)

    def _size(self, cell: MuntanialaCell, row: int, column: int, of: str) -> int:
        part = cell.tiling.slices(row, column)[of]
        return part.stop - part.start

    def _port(self, cell: MuntanialaCell, column: int, source: str) -> None:
        """x of the first step, then x of the next step and h of the one before by turns."""
        port, split = self._part(), cell.tiling.tiles > 1
        for t in range(self.steps + 1):
            if t < self.steps and self._size(cell, 0, column, "x"):
                self._enter(port, cell, column, "x", t, source)
            if t > 0 and split and self._size(cell, 0, column, "h"):
                self._enter(port, cell, column, "h", t - 1, cell.name)

    def _enter(self, port: Part, cell: MuntanialaCell, column: int, of: str, t: int, source: str) -> None:
        machine, rows = self.machine, cell.tiling.rows
        words, word = (
            self._words(self._size(cell, 0, column, of) * machine.state_bits),
            machine.link_word_cycles,
        )
        for w in range(words):
            needs: list[tuple[Event, int]] = []
            if of == "x" and t >= 2:
                needs += [((cell.name, "products", row, column, t - 2), 0) for row in range(rows)]
            if source:
                needs.append(((source, "out", column, t, w), machine.hop_cycles))
            last = w == words - 1
            arrives = [
                ((cell.name, of, row, column, t), word + row * machine.hop_cycles)
                for row in range(rows)
                if last
            ]
            port.add(word, needs, arrives)

    def _die(self, cell: MuntanialaCell, row: int, column: int) -> None:
        mac, name, tiling = self._part(), cell.name, cell.tiling
        x, h = (self._size(cell, row, column, of) for of in ("x", "h"))
        last = tiling.rows - 1
        for t in range(self.steps):
            needs: list[tuple[Event, int]] = [((name, "x", last, column, t), 0)] if x else []
            if t > 0 and h:
                needs.append(((name, "h", last, column, t - 1), 0))
            if t > 0:
                needs.append(((name, "emptied", row, column, t - 1), 0))
            products = 4 * (x + h)
            mac.add(products, needs, [((name, "products", row, column, t), products)])
        assert tiling.tiles == 1 or x or h

    def _link(self, cell: MuntanialaCell, row: int, link: int) -> None:
        machine, name, part = self.machine, cell.name, self._part()
        words = self._words(4 * self._size(cell, row, 0, "neurons") * machine.accumulator_bits)
        word, hop = machine.link_word_cycles, machine.hop_cycles
        for t in range(self.steps):
            for w in range(words):
                needs = [((name, "products", row, column, t), 0) for column in (link, link + 1)]
                if link:
                    needs.append(((name, "word", row, link - 1, t, w), hop))
                happens: list[tuple[Event, int]] = [((name, "word", row, link, t, w), word)]
                if w == words - 1:
                    happens.append(((name, "emptied", row, link, t), word))
                    happens.append(((name, "sums", row, link + 1, t), word + hop))
                part.add(word, needs, happens)

    def _last_column(self, cell: MuntanialaCell, row: int) -> None:
        machine, name, last = self.machine, cell.name, cell.tiling.columns - 1
        element, out = self._part(), self._part()
        peepholes = 3 * (cell.cell.peepholes is not None)
        length = machine.bias_cycles + 5 * machine.table_cycles + 3 + peepholes
        words = self._words(self._size(cell, row, last, "neurons") * machine.state_bits)
        for t in range(self.steps):
            needs: Event = (name, "sums", row, last, t) if last else (name, "products", row, 0, t)
            made: list[tuple[Event, int]] = [
                ((name, "made", row, t), length),
                ((name, "emptied", row, last, t), length),
            ]
            if cell.tiling.tiles == 1:
                made.append(((name, "h", row, 0, t), length))
            element.add(length, [(needs, 0)], made)
            for w in range(words):
                begun: list[tuple[Event, int]] = [((name, "out", row, t, w), 0)]
                if w == words - 1:
                    begun.append(((name, "out", row, t, "all"), machine.link_word_cycles))
                out.add(machine.link_word_cycles, [((name, "made", row, t), machine.hop_cycles)], begun)

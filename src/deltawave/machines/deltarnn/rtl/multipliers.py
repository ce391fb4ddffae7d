"""Multipliers of the activation: its own, or those of the channels, which are idle meanwhile."""

from collections.abc import Iterator
from typing import Protocol

from amaranth import Module, Value

from deltawave.machines.deltarnn.rtl.pipeline import Pipeline, Staged, staged
from deltawave.machines.deltarnn.rtl.shape import CoreShape


class Multipliers(Protocol):
    """What multiplies."""

    def product(self, name: str, a: Staged, b: Staged, b_bits: int, cut: str) -> Staged:
        """a * b of every lane; b has that many bits. cut: the register behind the product."""


class OwnMultipliers:
    """One for each product and lane."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def product(self, name: str, a: Staged, b: Staged, b_bits: int, cut: str) -> Staged:
        """See `Multipliers`."""
        return self._pipeline.cut(self._pipeline.each(name, lambda at, a, b: a * b, a, b), cut)


def sets(shape: CoreShape) -> int:
    """Of multipliers, one for each lane of the activation."""
    return shape.channels * shape.lanes // shape.activation_lanes


class Crowded(Exception):  # noqa: N818 - no error: the plan is another
    """More products than the multipliers of the channels can make."""


class LentMultipliers:
    """Those of the channels. A set of them is one for each lane of the activation; in every phase of a group of neurons
    it can be used once. Its product is there a stage later. A factor that is too wide is multiplied in parts.

    lent: a lane's products, set after set, a cycle after their factors. widths: of a multiplier's factors."""

    def __init__(self, pipeline: Pipeline, shape: CoreShape, widths: tuple[int, int], lent: Value) -> None:
        self._pipeline, self._shape, self._widths, self._lent = pipeline, shape, widths, lent
        self._uses: dict[tuple[int, int], tuple[Staged, Staged]] = {}
        """By phase and set."""

    def product(self, name: str, a: Staged, b: Staged, b_bits: int, cut: str) -> Staged:
        """See `Multipliers`; the register is always there."""
        pipeline, most = self._pipeline, self._widths[1]
        if b_bits <= most:
            return self._multiplied(name, a, b)
        low = pipeline.each(f"{name}_low", lambda at, value: value[: most - 1], b)
        high = pipeline.each(f"{name}_high", lambda at, value: value[most - 1 :].as_signed(), b)
        first = self._multiplied(f"{name}_low", a, low)
        rest = self.product(f"{name}_high", a, high, b_bits - (most - 1), cut)
        return pipeline.each(name, lambda at, low, high: low + (high << (most - 1)), first, rest)

    def _multiplied(self, name: str, a: Staged, b: Staged) -> Staged:
        free = next(self._free(max(a.stage, b.stage)), None)
        if free is None:
            raise Crowded
        stage, phase, number = free
        factors = self._pipeline.at(a, stage, f"{name}_a"), self._pipeline.at(b, stage, f"{name}_b")
        self._uses[phase, number] = factors
        products = (self._lent.word_select(number, sum(self._widths)).as_signed() for _ in a.lanes)
        return staged(products, stage + 1)

    def _free(self, stage: int) -> Iterator[tuple[int, int, int]]:
        """Stage, phase and set that are free, from a stage on."""
        shape, interval = self._shape, self._shape.activation_interval_cycles
        for later in range(stage, stage + interval):
            phase = (shape.turns - 1 + later) % interval
            yield from ((later, phase, n) for n in range(sets(shape)) if (phase, n) not in self._uses)

    def drive(self, m: Module, phase: Value, a: Value, b: Value) -> None:
        """A lane's factors, set after set, by the phase of the neurons whose words are read."""
        by_set: dict[int, dict[int, tuple[Staged, Staged]]] = {}
        for (at, number), factors in self._uses.items():
            by_set.setdefault(number, {})[at] = factors
        for number, uses in by_set.items():
            for place, (wide, bits) in enumerate(zip((a, b), self._widths, strict=True)):
                values = {at: factors[place].lanes[0] for at, factors in uses.items()}
                _choose(m, phase, wide.word_select(number, bits), values)


def _choose(m: Module, phase: Value, target: Value, values: dict[int, Value]) -> None:
    """The value of the phase, or the only one."""
    if len(values) == 1:
        m.d.comb += target.eq(*values.values())
        return
    with m.Switch(phase):
        for at, value in values.items():
            with m.Case(at):
                m.d.comb += target.eq(value)

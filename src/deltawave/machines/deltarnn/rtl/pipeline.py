"""Values on their way through stages: whatever is there early waits in registers for what comes late."""

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass

from amaranth import Module, Signal, Value


@dataclass(frozen=True, eq=False)
class Staged:
    """Values of every lane, and the stage in which they are there."""

    lanes: tuple[Value, ...]
    stage: int


class Pipeline:
    """A pipeline in module `m`. cuts: the names of those registers, of all that may be, that are there."""

    def __init__(self, m: Module, cuts: Set[str]) -> None:
        self.m, self._cuts = m, cuts
        self._later: dict[tuple[int, int], Staged] = {}
        self._kept: list[Staged] = []  # so that no other gets the identity of one that is gone

    def at(self, values: Staged, stage: int, name: str) -> Staged:
        """The values in a stage that is no earlier than theirs."""
        assert stage >= values.stage
        if stage == values.stage:
            return values
        key = id(values), stage
        if key not in self._later:
            before = self.at(values, stage - 1, name)
            self._later[key] = self._registered(before, f"{name}_{stage}")
            self._kept.append(values)
        return self._later[key]

    def kept(self, values: Staged, name: str) -> Staged:
        """The values a stage later."""
        return self.at(values, values.stage + 1, name)

    def cut(self, values: Staged, name: str) -> Staged:
        """The values, behind a register if there is one of this name."""
        return self.kept(values, name) if name in self._cuts else values

    def each(self, name: str, function: Callable[..., Value], *values: Staged) -> Staged:
        """What a function of a signal's name and a lane's values makes, in the stage in which all are there."""
        stage = max(value.stage for value in values)
        found = [self.at(value, stage, f"{name}_in{place}").lanes for place, value in enumerate(values)]
        lanes = (
            self._named(f"{name}{lane}", function(f"{name}{lane}", *mine))
            for lane, mine in enumerate(zip(*found, strict=True))
        )
        return staged(lanes, stage)

    def _named(self, name: str, value: Value) -> Value:
        if isinstance(value, Signal):
            return value
        signal = Signal(value.shape(), name=name)
        self.m.d.comb += signal.eq(value)
        return signal

    def _registered(self, values: Staged, name: str) -> Staged:
        registers = [Signal(value.shape(), name=f"{name}_{lane}") for lane, value in enumerate(values.lanes)]
        self.m.d.sync += [register.eq(value) for register, value in zip(registers, values.lanes, strict=True)]
        return Staged(tuple(registers), values.stage + 1)


def staged(values: Iterable[Value], stage: int) -> Staged:
    """Values that are there in a stage."""
    return Staged(tuple(values), stage)

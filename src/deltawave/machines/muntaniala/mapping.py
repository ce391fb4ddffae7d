"""How a layer lies on dies: tiles of `units` neurons by `units` columns of x and as many of h, which never move."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Tiling:
    """A layer on rows x columns of dies. Slices are full but for the last, so die 0,0 is the fullest."""

    inputs: int
    hidden: int
    units: int

    @property
    def rows(self) -> int:
        """Rows of dies: each has a slice of the neurons."""
        return -(-self.hidden // self.units)

    @property
    def columns(self) -> int:
        """Columns of dies: each has a slice of x and one of h."""
        return -(-max(self.hidden, self.inputs) // self.units)

    @property
    def tiles(self) -> int:
        """Dies."""
        return self.rows * self.columns

    @property
    def is_split(self) -> bool:
        """Whether new states must leave the die that makes them."""
        return self.tiles > 1

    @property
    def fullest(self) -> tuple[int, int, int]:
        """Neurons, inputs and states of die 0,0."""
        neurons = min(self.hidden, self.units)
        return neurons, min(self.inputs, self.units), neurons

    def dies(self) -> Iterator[tuple[int, int]]:
        """Row and column of every die."""
        return product(range(self.rows), range(self.columns))

    def slices(self, row: int, column: int) -> dict[str, slice]:
        """What a die has of the neurons, of x and of h."""
        return {
            "neurons": self._part(row, self.hidden),
            "x": self._part(column, self.inputs),
            "h": self._part(column, self.hidden),
        }

    def _part(self, number: int, size: int) -> slice:
        return slice(min(number * self.units, size), min((number + 1) * self.units, size))

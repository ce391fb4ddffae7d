"""What a machine is: parameters, what it takes, how it compiles a layer, how long a run takes and what it costs.

A new machine is a folder that defines one subclass of `Machine` and a tuple `MACHINES` of its named instances, and
one line in the entry point group `deltawave.machines` (or a call of `machines.register`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from deltawave.hardware.cost import Cost
from deltawave.hardware.timeline import Timeline
from deltawave.network.layers import Cell, Layer
from deltawave.options import Options, option

Floats = NDArray[np.float32]
Activity = Mapping[str, NDArray[np.bool_]]
"""What happened, by unit of work (`layer` or `layer/reverse`): a row a step. What a column means is the machine's."""


@dataclass(frozen=True)
class Verdict:
    """Whether a machine takes a layer. `reason`: why not, or what the published machine does not do but ours does."""

    takes: bool
    reason: str = ""


@dataclass(frozen=True)
class MachineFigure:
    """What only one machine has to tell of a run. A `value` of unit "share" goes from 0 to 1."""

    name: str
    value: float
    unit: str
    source: str


class Executor(Protocol):
    """Runs one direction of one layer, keeping all its state."""

    def reset(self, h: Floats | None, c: Floats | None) -> None:
        """Forget everything. h, c: float32 [hidden] to start from, zero if None."""

    def run(self, x: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """x: float32 [steps, inputs] -> h: float32 [steps, hidden], activity: bool [steps, columns]."""

    def final(self) -> tuple[Floats, Floats]:
        """h and c after the last step, float32 [hidden]."""


class CompiledCell(Protocol):
    """One direction of one layer, compiled. Arrays and scalars only, so that a program can be saved."""

    @property
    def name(self) -> str:
        """`layer`, or `layer/reverse`."""

    @property
    def column_words(self) -> NDArray[np.int64] | None:
        """Weights fetched for a value that is sent, int64 [columns], by the columns of the activity: x, h and, for
        a reset before the product, r * h. None for a machine that sends everything."""

    def executor(self, *, plain: bool = False) -> Executor:
        """A fresh executor: the fast kernels, or with `plain` the NumPy semantics. The same bits."""

    def listing(self) -> str:
        """The cell as text."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything, as arrays by name: `Machine.restore` is the inverse."""


@dataclass(frozen=True, eq=False)
class Samples:
    """What calibration saw of one cell: x float32 [samples, inputs], h [samples, hidden] (None without data)."""

    x: Floats | None
    h: Floats | None


@dataclass(frozen=True, kw_only=True)
class Machine(Options, ABC):
    """A machine's synthesis-time parameters; published instances are named constants."""

    name: str = option("", doc="Name of the instance")
    clock_hz: float = option(100e6, unit="Hz", doc="Clock frequency")

    @abstractmethod
    def verdict(self, layer: Layer) -> Verdict:
        """Whether the machine takes the layer, and why not."""

    @abstractmethod
    def compile(self, name: str, cell: Cell, samples: Samples) -> CompiledCell:
        """Quantise and lay out one direction of a layer. Raises OptionError, CapacityError."""

    @abstractmethod
    def restore(self, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> CompiledCell:
        """The compiled cell that `arrays` came from. Raises ProgramError for arrays that make no cell."""

    @abstractmethod
    def check(self, cells: Sequence[CompiledCell]) -> None:
        """Raise CapacityError if the cells do not fit together."""

    @abstractmethod
    def timeline(self, cells: Sequence[CompiledCell], activity: Activity) -> Timeline:
        """When every unit worked, for what happened in a run."""

    @abstractmethod
    def cost(self, cells: Sequence[CompiledCell], activity: Activity, timeline: Timeline) -> Cost:
        """Energy, area and traffic of the run, each with its source."""

    @property
    def calibrates(self) -> bool:
        """Whether number formats are picked from data, so that a program without calibration is worth a note."""
        return True

    def figures(self, cells: Sequence[CompiledCell], activity: Activity) -> tuple[MachineFigure, ...]:
        """What only this machine has to tell of a run; nothing by default."""
        return ()

    def bounds(self, cells: Sequence[CompiledCell]) -> tuple[MachineFigure, ...]:
        """How long a step takes at least, as far as that is known before a run; nothing by default."""
        return ()

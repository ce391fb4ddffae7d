"""What a machine is: parameters, what it takes, how it compiles a layer, how long a run takes and what it costs.

A new machine is a folder that defines one subclass of `Machine` and a tuple `MACHINES` of its named instances, and
one line in the entry point group `deltawave.machines` (or a call of `machines.register`).
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from deltawave.hardware.cost import AreaRow, Cost
from deltawave.hardware.timeline import Timeline
from deltawave.network.flow import NOWHERE, Place
from deltawave.network.layers import Cell, Layer, Recurrent
from deltawave.options import Options, option

if TYPE_CHECKING:
    from deltawave.machines.program import Data, Program

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


class LayerExecutor(Protocol):
    """Runs a layer that keeps no state."""

    def run(self, values: Sequence[Floats]) -> tuple[Floats, NDArray[np.bool_]]:
        """The tensors that the layer works on -> its output, all float32, and the activity: bool [steps, columns]."""


class Compiled(Protocol):
    """A part of a network, compiled. Arrays and scalars only, so that a program can be saved."""

    @property
    def name(self) -> str:
        """One of the layer's `cell_names`: `layer`, or `layer/reverse`."""

    @property
    def column_words(self) -> NDArray[np.int64] | None:
        """Weights fetched for a value that is sent, int64 [columns], by the columns of the activity: x, h and, for
        a reset before the product, r * h. None for a machine that sends everything."""

    def listing(self) -> str:
        """The part as text."""

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything, as arrays by name: `Machine.restore` is the inverse."""


@runtime_checkable
class CompiledCell(Compiled, Protocol):
    """One direction of one recurrent layer, compiled."""

    def executor(self, *, plain: bool = False) -> Executor:
        """A fresh executor: the fast kernels, or with `plain` the NumPy semantics. The same bits."""


class CompiledLayer(Compiled, Protocol):
    """A layer that keeps no state, compiled."""

    def layer_executor(self, *, plain: bool = False) -> LayerExecutor:
        """An executor: the fast kernels, or with `plain` the NumPy semantics. The same bits."""


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

    takes: ClassVar[tuple[type[Layer], ...]] = (Recurrent,)
    """The kinds of layers with weights that it takes."""

    @abstractmethod
    def verdict(self, layer: Layer, place: Place = NOWHERE) -> Verdict:
        """Whether the machine takes the layer, and why not."""

    @abstractmethod
    def compile(self, name: str, cell: Cell, samples: Samples, place: Place = NOWHERE) -> CompiledCell:
        """Quantise and lay out one direction of a recurrent layer. Raises OptionError, CapacityError."""

    def compile_layer(self, layer: Layer, place: Place) -> CompiledLayer:
        """Quantise and lay out any other layer that the verdict took. Raises OptionError, CapacityError."""
        raise NotImplementedError(f"{self.name} takes {layer.kind} layers, but does not compile them")

    @abstractmethod
    def restore(self, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> Compiled:
        """The compiled part that `arrays` came from. Raises ProgramError for arrays that make none."""

    @abstractmethod
    def check(self, cells: Sequence[Compiled]) -> None:
        """Raise CapacityError if the cells do not fit together."""

    @abstractmethod
    def timeline(self, cells: Sequence[Compiled], activity: Activity) -> Timeline:
        """When every unit worked, for what happened in a run."""

    @abstractmethod
    def cost(self, cells: Sequence[Compiled], activity: Activity, timeline: Timeline) -> Cost:
        """Energy, area and traffic of the run, each with its source."""

    def area(self, cells: Sequence[Compiled]) -> tuple[AreaRow, ...]:
        """What the machine is made of, as the cost of any run says, too; nothing for a machine that needs the run."""
        return ()

    def multipliers_of(self, cells: Sequence[Compiled]) -> int | None:
        """Multiply-accumulate units of all that the cells run on; None for a machine that does not say."""
        return None

    def is_made_for(self, compiled: Compiled, layer: Layer, place: Place) -> bool:
        """Whether a part of a program file, which is not trusted, has the sizes of the layer; True if nobody looks."""
        return True

    writes_rtl: ClassVar[bool] = False
    """Whether it has `rtl_files` and `rtl_modules`."""

    def rtl_modules(self, program: "Program") -> Mapping[str, str]:
        """Verilog by the name of its top module. Raises OptionError for parameters without RTL, ToolError."""
        raise NotImplementedError(f"{self.name} writes no RTL")

    def rtl_files(self, program: "Program", data: "Data") -> Mapping[str, bytes]:
        """Verilog, memory images and test benches of a program, by path; the benches' vectors are from a run of the
        data. Raises OptionError for parameters without RTL, InputError, UnsupportedError, ToolError."""
        raise NotImplementedError(f"{self.name} writes no RTL")

    @property
    def calibrates(self) -> bool:
        """Whether number formats are picked from data, so that a program without calibration is worth a note."""
        return True

    def figures(self, cells: Sequence[Compiled], activity: Activity) -> tuple[MachineFigure, ...]:
        """What only this machine has to tell of a run; nothing by default."""
        return ()

    def listing(self, cells: Sequence[Compiled]) -> str:
        """The program as text: cell by cell."""
        return "\n".join(cell.listing() for cell in cells)

    def bounds(self, cells: Sequence[Compiled]) -> tuple[MachineFigure, ...]:
        """How long a step takes at least, as far as that is known before a run; nothing by default."""
        return ()

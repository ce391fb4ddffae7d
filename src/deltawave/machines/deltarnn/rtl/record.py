"""What each cell of a program sees and says in a run, as integers: the vectors that its RTL is checked with."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import UnsupportedError
from deltawave.machines.base import Executor, Floats
from deltawave.machines.deltarnn.compiled import DeltaCell, delta_cell
from deltawave.machines.program import Data, Program

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class CellStream:
    """A stream through a cell: xs int64 [steps, inputs], outputs int64 [steps, hidden], sent bool [steps, columns]."""

    xs: Integers
    outputs: Integers
    sent: NDArray[np.bool_]


@dataclass
class Recorder:
    """An executor that keeps what passes through. Raises UnsupportedError for a state to start from that is not zero:
    the RTL has no way to set one."""

    compiled: DeltaCell
    inner: Executor
    calls: list[list[CellStream]] = field(default_factory=list)
    """By stream."""

    def reset(self, h: Floats | None, c: Floats | None) -> None:
        """A new stream."""
        if any(state is not None and state.any() for state in (h, c)):
            raise UnsupportedError(
                f"{self.compiled.name} starts from a state that is not zero; its RTL starts from zero: "
                "give data whose initial states are zero"
            )
        self.calls.append([])
        self.inner.reset(h, c)

    def run(self, x: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        """A call."""
        h, sent = self.inner.run(x)
        heard = self.compiled.input_format.quantise(x).astype(np.int64)
        said = self.compiled.cell.activation.quantise(h).astype(np.int64)  # whole units already
        self.calls[-1].append(CellStream(heard, said, sent))
        return h, sent

    def final(self) -> tuple[Floats, Floats]:
        """h and c after the last step."""
        return self.inner.final()

    def streams(self) -> tuple[CellStream, ...]:
        """The streams that had steps."""
        return tuple(_joined(calls) for calls in self.calls if calls)


@dataclass(frozen=True, eq=False)
class RecordedCell(DeltaCell):
    """A compiled cell whose executors are recorded."""

    recorders: list[Recorder] = field(default_factory=list)

    def executor(self, *, plain: bool = False) -> Executor:
        """An executor that records."""
        self.recorders.append(Recorder(self, super().executor(plain=plain)))
        return self.recorders[-1]


def record(program: Program, data: Data, *, plain: bool = False) -> Mapping[str, tuple[CellStream, ...]]:
    """The streams through every cell, by its name, when the program runs the data. Raises InputError,
    UnsupportedError."""
    cells = {name: _recorded(delta_cell(cell)) for name, cell in program.cells.items()}
    replace(program, cells=cells).run(data, plain=plain)
    return {name: cell.recorders[0].streams() for name, cell in cells.items()}


def _recorded(cell: DeltaCell) -> RecordedCell:
    return RecordedCell(cell.name, cell.cell, cell.input_shift, cell.bias_shift)


def _joined(calls: list[CellStream]) -> CellStream:
    return CellStream(
        *(np.concatenate([getattr(call, name) for call in calls]) for name in ("xs", "outputs", "sent"))
    )

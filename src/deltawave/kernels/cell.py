"""A recurrent cell in integers: what the kernels run and what a delta machine's semantics are written for.

Gate order in the rows of weights: GRU r, u, c; LSTM i, f, g, o. Pre-activation memories M, one per accumulator:

    gru         r, u, cx, ch   the reset gate scales the recurrent product   c = tanh(M_cx + r * M_ch)
    gru_before  r, u, c        the reset gate scales the state               c = tanh(M_c),  M_c += W_hc delta(r * h)
    lstm        i, f, g, o
    rnn         h
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deltawave.numerics import ActivationTable, Fixed
from deltawave.numerics.fixed import Overflow

CellKind = Literal["gru", "gru_before", "lstm", "rnn"]
GATES: dict[CellKind, tuple[str, ...]] = {
    "gru": ("r", "u", "c"),
    "gru_before": ("r", "u", "c"),
    "lstm": ("i", "f", "g", "o"),
    "rnn": ("h",),
}
MEMORIES: dict[CellKind, tuple[str, ...]] = {
    "gru": ("r", "u", "cx", "ch"),
    "gru_before": ("r", "u", "c"),
    "lstm": ("i", "f", "g", "o"),
    "rnn": ("h",),
}
HEARS: dict[CellKind, tuple[tuple[int, ...], ...]] = {
    "gru": ((0, 1, 2), (0, 1, 2)),
    "gru_before": ((0, 1, 2), (0, 1), (2,)),
    "lstm": ((0, 1, 2, 3), (0, 1, 2, 3)),
    "rnn": ((0,), (0,)),
}
"""The gates that hear a value of x, of h and, where the reset comes before the product, of r * h."""


@dataclass(frozen=True, eq=False)
class QuantisedCell:
    """One direction of one recurrent layer, every number an integer.

    weights_x: int16 [gates * hidden, inputs]; weights_h: int16 [gates * hidden, hidden] (8-bit weights fit too);
    bias: int32 [memories * hidden], what M starts from; `activation` is the format of x, h and c; products carry
    `weight_fraction_bits + activation.fraction_bits` fraction bits into accumulators of `accumulator_bits` which wrap
    or saturate. `theta_x`, `theta_h`: thresholds in units of the activation format's last place.
    Tables: gate (r, u, i, f, o), candidate (c, g, and h of an rnn), output (of the LSTM's cell state).
    """

    kind: CellKind
    weights_x: NDArray[np.int16]
    weights_h: NDArray[np.int16]
    bias: NDArray[np.int32]
    activation: Fixed
    weight_bits: int
    weight_fraction_bits: int
    accumulator_bits: int
    accumulator_saturates: bool
    gate: ActivationTable
    candidate: ActivationTable
    output: ActivationTable
    theta_x: int = 0
    theta_h: int = 0

    def __post_init__(self) -> None:
        gates, memories, hidden = len(GATES[self.kind]), len(MEMORIES[self.kind]), self.hidden
        assert self.weights_x.shape[0] == self.weights_h.shape[0] == gates * hidden
        assert self.bias.shape == (memories * hidden,)
        for array in (self.weights_x, self.weights_h, self.bias):
            array.setflags(write=False)

    @property
    def inputs(self) -> int:
        """Size of the input vector."""
        return int(self.weights_x.shape[1])

    @property
    def hidden(self) -> int:
        """Size of the state vector."""
        return int(self.weights_h.shape[1])

    @property
    def columns(self) -> int:
        """Values that may be sent in a step: inputs, states and, for gru_before, r * h."""
        return self.inputs + self.hidden * (2 if self.kind == "gru_before" else 1)

    @property
    def column_words(self) -> NDArray[np.int64]:
        """Weights fetched when a value is sent, int64 [columns]: a column of every gate that hears it."""
        hears = [len(HEARS[self.kind][source]) for source in self.column_sources]
        return np.array(hears, np.int64) * self.hidden

    @property
    def column_sources(self) -> NDArray[np.int64]:
        """What each column is of, int64 [columns]: 0 for x, 1 for h, 2 for r * h."""
        sizes = (self.inputs, self.hidden, self.hidden)[: len(HEARS[self.kind])]
        return np.repeat(np.arange(len(sizes)), sizes)

    @property
    def accumulator(self) -> Fixed:
        """The format of the memories M."""
        fraction = self.weight_fraction_bits + self.activation.fraction_bits
        overflow: Overflow = "saturate" if self.accumulator_saturates else "wrap"
        return Fixed(self.accumulator_bits - fraction, fraction, overflow)


@dataclass(eq=False)
class CellState:
    """Everything a cell keeps between steps, as integers.

    h, c, h_sent: int32 [hidden]; x_sent: int32 [inputs]; rh_sent (gru_before): int32 [hidden];
    memory: int32 [memories * hidden]. c stays zero but for the LSTM.
    """

    h: NDArray[np.int32]
    c: NDArray[np.int32]
    x_sent: NDArray[np.int32]
    h_sent: NDArray[np.int32]
    rh_sent: NDArray[np.int32]
    memory: NDArray[np.int32]

    @classmethod
    def initial(
        cls, cell: QuantisedCell, h: NDArray[np.int32] | None = None, c: NDArray[np.int32] | None = None
    ) -> "CellState":
        """Nothing sent yet: M holds the bias. `h` and `c` (int32 [hidden]) default to zero."""
        zeros = np.zeros(cell.hidden, np.int32)
        return cls(
            h=zeros.copy() if h is None else h.astype(np.int32),
            c=zeros.copy() if c is None else c.astype(np.int32),
            x_sent=np.zeros(cell.inputs, np.int32),
            h_sent=zeros.copy(),
            rh_sent=zeros.copy(),
            memory=cell.accumulator.narrow(cell.bias).astype(np.int32),
        )

    def copy(self) -> "CellState":
        """An independent copy."""
        return CellState(*(array.copy() for array in vars(self).values()))

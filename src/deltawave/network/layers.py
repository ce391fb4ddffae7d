"""What a network is made of, in the words machines understand.

A `Network` keeps a canonical ONNX graph: constants folded, hand-written cells rewritten as LSTM/GRU/RNN nodes, batch
norms folded, weights dequantised. Each node of it has one `Layer` here, of the same name. A machine takes layers; the
host runs the remaining nodes.
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
REVERSE = "/reverse"
"""Follows a layer's name in that of its reversed cell; no layer's own name ends with it."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Layer:
    """A node of the graph: `inputs` and `outputs` are tensor names ('' for one left out).

    `operations`: additions and multiplications in one step of a recurrent layer, or one call of another (0 if unknown).
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    parameters: int = 0
    operations: int = 0
    shape: str = ""

    @property
    def cell_names(self) -> tuple[str, ...]:
        """What it is compiled to on a machine: a recurrent layer to a cell a direction, any other to one."""
        return (self.name,)


@dataclass(frozen=True, eq=False, kw_only=True)
class Cell:
    """One direction of a recurrent layer. Gate order in the rows: GRU r, u, c; LSTM i, f, g, o; RNN h.

    weights_x: float32 [gates * hidden, inputs]; weights_h: [gates * hidden, hidden]; bias_x, bias_h: [gates * hidden].
    The GRU update is h = (1 - u) * c + u * h. `reset`: whether r scales h before or the product after.
    `activations`: lower-case names (gate, candidate, output). peepholes: [3, hidden] in order i, f, o, or None.
    """

    kind: Literal["gru", "lstm", "rnn"]
    weights_x: Floats
    weights_h: Floats
    bias_x: Floats
    bias_h: Floats
    activations: tuple[str, str, str]
    reset: Literal["before", "after"] = "after"
    reverse: bool = False
    peepholes: Floats | None = None
    clip: float | None = None
    couples_input_forget: bool = False

    @property
    def inputs(self) -> int:
        """Size of the input vector."""
        return int(self.weights_x.shape[1])

    @property
    def hidden(self) -> int:
        """Size of the state vector."""
        return int(self.weights_h.shape[1])


@dataclass(frozen=True, eq=False, kw_only=True)
class Recurrent(Layer):
    """An LSTM, GRU or RNN node: one cell, or two for a bidirectional layer.

    `inputs`: x, w, r, b, sequence_lens, initial_h, initial_c, peepholes as ONNX has them; `outputs`: y, y_h, y_c.
    x is [steps, batch, inputs], y [steps, directions, batch, hidden]; with `batch_first` (layout = 1)
    x is [batch, steps, inputs] and y [batch, steps, directions, hidden]. y_h, y_c: [directions, batch, hidden],
    with `batch_first` [batch, directions, hidden].
    `carried`: from call to call of a stream, the final state comes back unchanged as the initial one.
    """

    cells: tuple[Cell, ...]
    batch_first: bool = False
    carried: bool = False

    @property
    def cell_names(self) -> tuple[str, ...]:
        """Names of the cells: the layer's own, and `layer/reverse`."""
        return tuple(self.name + (REVERSE if cell.reverse else "") for cell in self.cells)

    @property
    def x(self) -> str:
        """Name of the input sequence."""
        return self.inputs[0]

    def initial(self, state: Literal["h", "c"]) -> str:
        """Name of the initial state tensor, '' if it is zero."""
        position = 5 if state == "h" else 6
        return self.inputs[position] if position < len(self.inputs) else ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Dense(Layer):
    """y = x @ weights.T + bias. weights: float32 [outputs, inputs]; bias: [outputs]."""

    weights: Floats
    bias: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Conv(Layer):
    """A convolution: weights float32 [out, in / groups, *kernel], bias [out]. pads: begins, then ends."""

    weights: Floats
    bias: Floats
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    groups: int


@dataclass(frozen=True, eq=False, kw_only=True)
class Pool(Layer):
    """MaxPool, AveragePool or a global one (`kernel` empty). `counts_padding`: an average counts the padding, too.

    The last windows may reach over the edge and its padding, where the size of the output says so (ceil_mode).
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    counts_padding: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Pointwise(Layer):
    """An operation on every element: Relu, Sigmoid, Tanh, Add, Sub, Mul or Max.

    `constant`: the operand that is constant, float32, None if there is none; `constant_first`: where it stands.
    """

    constant: Floats | None = None
    constant_first: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class Opaque(Layer):
    """A node known by its name only: reshapes, control flow, other operations. `why`: why no more is known."""

    attributes: dict[str, object] = field(default_factory=dict)
    why: str = ""

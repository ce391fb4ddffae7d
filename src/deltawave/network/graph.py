"""A network: its canonical ONNX graph, its layers, and the state that streams through it."""

from dataclasses import dataclass

import onnx

from deltawave.network.layers import Layer, Recurrent


@dataclass(frozen=True)
class Tensor:
    """A named input or output. `shape`: a number, or a name for a size that is free.

    `batch_axis`: the axis, free in size, along which independent items lie; None where there is no such axis.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    batch_axis: int | None = None


@dataclass(frozen=True)
class StateTensor:
    """A pair of tensors: what a call leaves in `output` goes into `input` at the next call of the stream."""

    input: Tensor
    output: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one stream: free sizes are one. A stream starts from zeros of this shape."""
        return tuple(size if isinstance(size, int) else 1 for size in self.input.shape)


@dataclass(frozen=True, eq=False)
class Network:
    """What to compute. `layers` are in topological order.

    `inputs` and `outputs` leave the state out; where only state comes out, the outputs are those of the state.

    `model`: the canonical graph; its nodes have the names of the layers. `original`: the file's own graph, rewritten
    only where ONNX Runtime could not run it and with bound inputs as constants; the float reference runs it.
    """

    name: str
    model: onnx.ModelProto
    original: onnx.ModelProto
    layers: tuple[Layer, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    states: tuple[StateTensor, ...] = ()

    @property
    def recurrent(self) -> tuple[Recurrent, ...]:
        """The recurrent layers, in order."""
        return tuple(layer for layer in self.layers if isinstance(layer, Recurrent))

    @property
    def streaming(self) -> bool:
        """Whether a call continues where the last one ended."""
        return bool(self.states)

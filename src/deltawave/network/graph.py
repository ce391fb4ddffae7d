"""A network: its canonical ONNX graph, its layers, and the state that streams through it."""

from dataclasses import dataclass

import onnx

from deltawave.network.layers import Layer, Recurrent


@dataclass(frozen=True)
class Tensor:
    """A named input or output. `shape`: a number, or a name for a size that is free."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class StateTensor:
    """A pair of tensors: what a call leaves in `output` goes into `input` at the next call of the stream."""

    input: Tensor
    output: Tensor


@dataclass(frozen=True, eq=False)
class Network:
    """What to compute. `inputs` and `outputs` leave the state out; `layers` are in topological order.

    `original`: the file's own graph, before any rewriting; the float reference runs it.
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

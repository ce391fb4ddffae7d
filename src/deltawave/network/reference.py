"""The float network, run by ONNX Runtime as the file has it: what every machine's result is compared with."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from deltawave.network.graph import Network
from deltawave.network.host import HostModel
from deltawave.network.streams import Stream

Array = NDArray[Any]
Outputs = dict[str, Array]


class FloatReference:
    """Runs streams of calls through the original network; state goes from call to call, from zeros at the start."""

    def __init__(self, network: Network) -> None:
        self._network = network
        names = [tensor.name for tensor in network.outputs] + [state.output.name for state in network.states]
        self._model = HostModel(network.original, names)

    def run(self, stream: Stream) -> list[Outputs]:
        """The outputs of each call, state left out."""
        return [
            {tensor.name: results[tensor.name] for tensor in self._network.outputs}
            for results in _fold(self._network, self._model, stream)
        ]


def capture(network: Network, streams: Iterable[Stream], tensors: Sequence[str]) -> list[list[Outputs]]:
    """Values of tensors of the canonical graph, for each stream and call: `[stream][call][tensor]`."""
    model = onnx.ModelProto()
    model.CopyFrom(network.model)
    present = {value.name for value in model.graph.output}
    # ONNX Runtime infers their types itself
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in tensors if name not in present)
    host = HostModel(model, [*dict.fromkeys([*tensors, *(state.output.name for state in network.states)])])
    return [
        [{name: results[name] for name in tensors} for results in _fold(network, host, stream)]
        for stream in streams
    ]


def _fold(network: Network, model: HostModel, stream: Stream) -> Iterable[Outputs]:
    """The results of each call, each state output fed to the next call."""
    state = {pair.input.name: np.zeros(pair.shape, pair.input.dtype) for pair in network.states}
    for call in stream:
        results = model({**call, **state})
        state = {pair.input.name: results[pair.output.name] for pair in network.states}
        yield results

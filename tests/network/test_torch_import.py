"""PyTorch modules come in through a checked export of one step."""

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from deltawave.errors import NetworkError
from deltawave.network import FloatReference, as_streams, from_torch

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("onnxscript", reason="onnxscript, which PyTorch's exporter needs, is not installed")
nn: Any = torch.nn


class Keyword(nn.Module):
    """A front end, a recurrent layer with its state handed in and out, and a classifier."""

    def __init__(self, recurrent: Any) -> None:
        super().__init__()
        self.front = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Dropout(0.5))
        self.recurrent = recurrent
        self.classifier = nn.Linear(7, 3)

    def forward(self, frame: Any, *state: Any) -> Any:
        x = self.front(frame)
        if isinstance(self.recurrent, nn.LSTMCell):
            h, c = self.recurrent(x, state)
            return self.classifier(h), h, c
        if isinstance(self.recurrent, nn.LSTM):
            y, (h, c) = self.recurrent(x[None], state)
            return self.classifier(y[0]), h, c
        if isinstance(self.recurrent, nn.RNNCellBase):
            h = self.recurrent(x, *state)
            return self.classifier(h), h
        y, h = self.recurrent(x[None], *state)
        return self.classifier(y[0]), h


def example(recurrent: Any) -> tuple[Any, ...]:
    shape = (1, 7) if isinstance(recurrent, nn.RNNCellBase) else (recurrent.num_layers, 1, 7)
    states = 2 if isinstance(recurrent, nn.LSTM | nn.LSTMCell) else 1
    return (torch.randn(1, 6), *(torch.zeros(shape) for _ in range(states)))


@pytest.mark.parametrize(
    ("make", "kinds"),
    [
        (lambda: nn.GRU(5, 7, num_layers=2), ["GRU", "GRU"]),
        (lambda: nn.LSTM(5, 7), ["LSTM"]),
        (lambda: nn.RNN(5, 7, nonlinearity="relu"), ["RNN"]),
        (lambda: nn.GRUCell(5, 7), ["GRU"]),
        (lambda: nn.LSTMCell(5, 7), ["LSTM"]),
    ],
)
def test_a_stream_through_the_network_is_a_stream_through_the_module(make: Any, kinds: list[str]) -> None:
    torch.manual_seed(0)
    module = Keyword(make()).train()
    inputs = example(module.recurrent)
    network = from_torch(module, inputs)
    assert module.training
    assert all(part.training for part in module.modules())
    assert network.name == "Keyword"
    assert [(layer.kind, layer.carried) for layer in network.recurrent] == [(kind, True) for kind in kinds]

    frames = torch.randn(5, 1, 6)
    (stream,) = as_streams(network, frames.numpy())
    outputs = FloatReference(network).run(stream)
    module.eval()
    with torch.no_grad():
        for frame, found in zip(frames, outputs, strict=True):
            wanted, *states = module(frame, *inputs[1:])
            inputs = (frame, *states)
            np.testing.assert_allclose(next(iter(found.values())), wanted, rtol=1e-5, atol=1e-6)


def refused(module: Any, inputs: Sequence[Any]) -> str:
    with pytest.raises(NetworkError) as caught:
        from_torch(module, inputs)
    return str(caught.value)


def test_projections_are_refused() -> None:
    assert refused(nn.Sequential(nn.LSTM(5, 7, proj_size=3)), [torch.zeros(1, 1, 5)]) == (
        "0 is an LSTM with proj_size 3, for which ONNX has no operator; write the projection as a Linear layer after it"
    )


def test_inputs_that_do_not_fit_the_module() -> None:
    message = (
        "Linear cannot run on the example inputs: mat1 and mat2 shapes cannot be multiplied (1x4 and 3x3)"
    )
    assert refused(nn.Linear(3, 3), [torch.zeros(1, 4)]) == message


def test_what_is_no_module() -> None:
    assert refused(7, []) == "from_torch takes a torch.nn.Module, got int"


def test_an_export_that_differs_from_the_module_is_refused() -> None:
    class Counting(nn.Module):
        """Adds the number of the call, which an export cannot see."""

        calls = 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return x + float(self.calls)

    assert refused(Counting(), [torch.zeros(1, 2)]).startswith(
        "PyTorch's export of Counting differs from the module by"
    )


def test_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    module, inputs = nn.Linear(3, 3), [torch.zeros(1, 3)]
    monkeypatch.setitem(sys.modules, "torch", None)
    assert refused(module, inputs) == (
        "reading a PyTorch module needs torch; install it with: pip install 'deltawave[torch]'"
    )

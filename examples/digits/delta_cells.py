"""Delta GRU and LSTM cells as they are trained: on what was sent, and in the machines' number formats.

A delta network adds W (x - x_sent) to a running sum. That sum is W x_sent + b, with x_sent the value last sent,
so the forward pass is a plain cell on sent values. Gradients take every rounding and every threshold as the
identity (straight-through). Formats: activations Q8.8, weights and biases Q1.7, gate outputs in steps of 1/16, as
in EdgeDRNN (Gao et al., 2020).
"""

import torch
from torch import Tensor, nn

WEIGHT_STEPS = 128
ACTIVATION_STEPS = 256
GATE_STEPS = 16


def stepped(values: Tensor, steps: int) -> Tensor:
    """Rounded to multiples of 1 / steps."""
    return values + (torch.round(values * steps) / steps - values).detach()


def q1_7(weights: Tensor) -> Tensor:
    """Eight-bit weights: multiples of 1/128 in [-1, 1)."""
    return stepped(weights.clamp(-1.0, 1.0 - 1.0 / WEIGHT_STEPS), WEIGHT_STEPS)


def send(now: Tensor, sent: Tensor, threshold: float) -> Tensor:
    """What the receiver holds after a step: `now` where it moved by the threshold, else what it held before."""
    held = torch.where((now - sent).abs() >= threshold, now, sent)
    return now + (held - now).detach()


def send_all(frames: Tensor, threshold: float) -> Tensor:
    """`send` along the steps of [batch, steps, inputs], from zero."""
    sent, out = torch.zeros_like(frames[:, 0]), []
    for frame in frames.unbind(1):
        sent = send(frame, sent, threshold)
        out.append(sent)
    return torch.stack(out, 1)


class DeltaCell(nn.Module):
    """What the two cells share: weights [gates * hidden, inputs or hidden], a bias, a dense layer to read out."""

    gates: int

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__()
        rows = self.gates * hidden
        self.hidden = hidden
        self.weights_x = nn.Parameter(torch.empty(rows, inputs).uniform_(-0.12, 0.12))
        self.weights_h = nn.Parameter(torch.empty(rows, hidden).uniform_(-0.12, 0.12))
        self.bias = nn.Parameter(torch.zeros(rows))
        self.readout = nn.Linear(hidden, classes)

    def forward(self, frames: Tensor, threshold: float) -> Tensor:
        """Frames [batch, steps, inputs] -> logits [batch, classes] after the last step."""
        weights_h = q1_7(self.weights_h)
        from_x = nn.functional.linear(send_all(frames, threshold), q1_7(self.weights_x), q1_7(self.bias))
        h = h_sent = c = torch.zeros(len(frames), self.hidden)
        for step_from_x in from_x.unbind(1):
            h_sent = send(h, h_sent, threshold)
            h, c = self.update(step_from_x, h_sent @ weights_h.T, h, c)
        return self.readout(h)

    def update(self, from_x: Tensor, from_h: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """The next h and c [batch, hidden] from the two products [batch, gates * hidden]."""
        raise NotImplementedError


class DeltaGRU(DeltaCell):
    """Rows r, u, c; the reset gate scales the recurrent product (PyTorch's convention). Its state c stays zero."""

    gates = 3

    def update(self, from_x: Tensor, from_h: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        n = self.hidden
        r, u = stepped(torch.sigmoid(from_x[:, : 2 * n] + from_h[:, : 2 * n]), GATE_STEPS).chunk(2, 1)
        candidate = stepped(torch.tanh(from_x[:, 2 * n :] + r * from_h[:, 2 * n :]), GATE_STEPS)
        return stepped((1.0 - u) * candidate + u * h, ACTIVATION_STEPS), c


class DeltaLSTM(DeltaCell):
    """Rows i, f, g, o. Forget gates start open."""

    gates = 4

    def __init__(self, inputs: int, hidden: int, classes: int) -> None:
        super().__init__(inputs, hidden, classes)
        nn.init.constant_(self.bias[hidden : 2 * hidden], 0.9)

    def update(self, from_x: Tensor, from_h: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = (from_x + from_h).chunk(4, 1)
        i, f, o = (stepped(torch.sigmoid(gate), GATE_STEPS) for gate in (i, f, o))
        c = stepped(f * c + i * stepped(torch.tanh(g), GATE_STEPS), ACTIVATION_STEPS)
        return stepped(o * stepped(torch.tanh(c), GATE_STEPS), ACTIVATION_STEPS), c

"""Trains the two digit networks and writes digits_gru.onnx and digits_lstm.onnx.

    python train.py      # about five minutes on one core; needs build/train.npz and deltawave

Both see the delta threshold and the rounding in their forward pass. The LSTM is pruned on the way by
column-balanced targeted dropout for 64 processing elements (Spartus): each keeps the same number of weights in
every column.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from delta_cells import WEIGHT_STEPS, DeltaCell, DeltaGRU, DeltaLSTM
from to_onnx import digits_model
from torch import Tensor, nn

from deltawave.sparsity.cbtd import cbtd_keep

HERE = Path(__file__).parent
SEED = 2026
INPUTS, HIDDEN, CLASSES = 40, 128, 10


@dataclass(frozen=True)
class Pruning:
    """Column-balanced targeted dropout: `elements` share the rows; alpha reaches 1 after `anneal_epochs`."""

    elements: int
    gamma: float
    anneal_epochs: int

    def alpha(self, epoch: int) -> float:
        return min(1.0, epoch / self.anneal_epochs)


@dataclass(frozen=True)
class Training:
    """How a cell is trained.

    Each batch draws one of the thresholds, for inputs and states, and moves its frames up or down by at most
    `mel_shift` mel bins, as if the speakers were smaller or larger.
    """

    epochs: int
    thresholds: tuple[float, ...] = (0.25,)
    mel_shift: int = 0
    batch: int = 64
    highest_rate: float = 4e-3
    pruning: Pruning | None = None


def train(cell: DeltaCell, frames: Tensor, labels: Tensor, training: Training) -> None:
    """Trains in place on frames [clips, steps, inputs] and labels [clips]."""
    batches = len(frames) // training.batch
    optimiser = torch.optim.AdamW(cell.parameters(), weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, training.highest_rate, total_steps=training.epochs * batches
    )
    rng = np.random.default_rng(SEED)
    for epoch in range(training.epochs):
        kept = prune(cell, training.pruning, epoch, rng) if training.pruning else {}
        loss = 0.0
        for chosen in torch.randperm(len(frames))[: batches * training.batch].view(batches, -1):
            heard = shifted(frames[chosen], training.mel_shift, rng)
            threshold = float(rng.choice(training.thresholds))
            loss += descend(cell, optimiser, heard, labels[chosen], threshold) / batches
            schedule.step()
            hold(cell, kept)
        print(f"epoch {epoch + 1:2} of {training.epochs}: loss {loss:.4f}", flush=True)


def shifted(frames: Tensor, furthest: int, rng: np.random.Generator) -> Tensor:
    """The frames moved along their mel bins, zeros coming in at the edge."""
    bins = int(rng.integers(-furthest, furthest + 1))
    return nn.functional.pad(frames, (bins, -bins))


def descend(
    cell: DeltaCell, optimiser: torch.optim.Optimizer, frames: Tensor, labels: Tensor, threshold: float
) -> float:
    loss = nn.functional.cross_entropy(cell(frames, threshold), labels)
    optimiser.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(cell.parameters(), 1.0)
    optimiser.step()
    return loss.item()


def prunable(cell: DeltaCell) -> Iterator[tuple[str, Tensor]]:
    return ((name, tensor.data) for name, tensor in cell.named_parameters() if name.startswith("weights"))


def prune(cell: DeltaCell, pruning: Pruning, epoch: int, rng: np.random.Generator) -> dict[str, Tensor]:
    """Zeroes what this epoch drops; returns the masks that hold from here on, none while alpha is below 1."""
    alpha = pruning.alpha(epoch)
    masks = {}
    for name, weights in prunable(cell):
        keep = cbtd_keep(weights.numpy(), pruning.elements, pruning.gamma, alpha, rng)
        masks[name] = torch.from_numpy(keep)
    hold(cell, masks)
    return masks if alpha == 1.0 else {}


def hold(cell: DeltaCell, kept: dict[str, Tensor]) -> None:
    """Zeroes what is not kept, and keeps the rest from being rounded to zero."""
    for name, weights in prunable(cell):
        if name in kept:
            smallest = torch.copysign(torch.tensor(1.0 / WEIGHT_STEPS), weights)
            weights.copy_(torch.where(weights.abs() < 1.0 / WEIGHT_STEPS, smallest, weights) * kept[name])


NETWORKS = {
    "gru": (DeltaGRU, Training(epochs=12)),
    "lstm": (
        DeltaLSTM,
        Training(
            epochs=36,
            thresholds=(0.0, 0.125, 0.25),
            mel_shift=2,
            pruning=Pruning(elements=64, gamma=0.875, anneal_epochs=12),
        ),
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the digit networks.")
    parser.add_argument("--only", choices=NETWORKS, help="train this one alone")
    only = parser.parse_args().only
    torch.set_num_threads(1)
    data = np.load(HERE / "build/train.npz")
    for name in [only] if only else NETWORKS:
        torch.manual_seed(SEED)
        make, training = NETWORKS[name]
        cell = make(INPUTS, HIDDEN, CLASSES)
        train(cell, torch.from_numpy(data["frames"]), torch.from_numpy(data["labels"]), training)
        onnx.save(digits_model(cell), HERE / f"digits_{name}.onnx")


if __name__ == "__main__":
    main()

"""The DeepBench recurrent layers of batch 1, and quantised cells of their sizes."""

import json
import math
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from deltawave.kernels.cell import GATES, MEMORIES, CellKind, QuantisedCell
from deltawave.kernels.native import NativeCell
from deltawave.numerics import Fixed, exact_table

ACTIVATION = Fixed(8, 8)
SETTLING_STEPS = 10


@dataclass(frozen=True)
class Layer:
    """A recurrent layer with as many inputs as units."""

    kind: CellKind
    hidden: int
    steps: int

    def __str__(self) -> str:
        return f"{self.kind.upper()} {self.hidden}"


def shared_folder() -> Path:
    """Where the shared models and data are."""
    folder = os.environ.get("DELTAWAVE_SHARED")
    return Path(folder) if folder else Path(__file__).parents[2] / "shared"


def inference_layers(most_steps: int) -> list[Layer]:
    """Each LSTM and GRU size of DeepBench's server inference set at batch 1 once, cut to `most_steps` steps."""
    problems = json.loads((shared_folder() / "data/deepbench/deepbench_shapes.json").read_text())[
        "rnn_problems"
    ]
    sizes = {
        (kind, hidden): steps for hidden, batch, steps, kind in problems["inference_server_set"] if batch == 1
    }
    return [
        Layer(kind, hidden, min(max(steps, 25), most_steps))
        for (kind, hidden), steps in sorted(sizes.items())
    ]


def random_cell(layer: Layer, theta_h: int = 0) -> QuantisedCell:
    """8-bit weights spread evenly as frameworks initialise them, Q8.8 values, 32-bit wrapping accumulators."""
    rng = np.random.default_rng(layer.hidden)
    largest = math.sqrt(3 / layer.hidden)
    fraction = math.floor(math.log2(127 / largest))
    limit = int(largest * 2**fraction)
    size = (len(GATES[layer.kind]) * layer.hidden, layer.hidden)
    tanh = exact_table("tanh", ACTIVATION.fraction_bits)
    return QuantisedCell(
        kind=layer.kind,
        weights_x=rng.integers(-limit, limit + 1, size, dtype=np.int16),
        weights_h=rng.integers(-limit, limit + 1, size, dtype=np.int16),
        bias=np.zeros(len(MEMORIES[layer.kind]) * layer.hidden, np.int32),
        activation=ACTIVATION,
        weight_bits=8,
        weight_fraction_bits=fraction,
        accumulator_bits=32,
        accumulator_saturates=False,
        gate=exact_table("sigmoid", ACTIVATION.fraction_bits),
        candidate=tanh,
        output=tanh,
        theta_x=1 if theta_h else 0,
        theta_h=theta_h,
    )


def inputs_with(layer: Layer, active: float) -> NDArray[np.int16]:
    """int16 [steps, hidden]: in each step this share of the inputs, at random, takes a new value in [-1, 1]."""
    rng = np.random.default_rng(1)
    fresh = rng.integers(-256, 257, (layer.steps, layer.hidden)).astype(np.int16)
    moves = rng.random(fresh.shape) < active
    xs = fresh.copy()
    for t in range(1, layer.steps):
        xs[t] = np.where(moves[t], fresh[t], xs[t - 1])
    return xs


def threshold_for(layer: Layer, xs: NDArray[np.int16], active: float) -> int:
    """The least theta_h with which at most this share of the states is sent per step, once the states have settled."""
    cell, low, high = random_cell(layer, 1), 1, 512
    while low < high:
        theta = (low + high) // 2
        _, sent = NativeCell(replace(cell, theta_h=theta)).run(xs)
        assert sent is not None
        if sent[SETTLING_STEPS:, layer.hidden :].mean() > active:
            low = theta + 1
        else:
            high = theta
    return low

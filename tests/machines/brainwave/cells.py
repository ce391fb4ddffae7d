"""Random cells, and a machine as small as they are."""

from dataclasses import dataclass, replace

import numpy as np
from hypothesis import strategies as st

from deltawave.machines.base import Samples
from deltawave.machines.brainwave.compile import compile_cell
from deltawave.machines.brainwave.compiled import BrainwaveCell
from deltawave.machines.brainwave.isa import Limits
from deltawave.network.layers import Cell

GATES = {"lstm": 4, "gru": 3, "rnn": 1}


@dataclass(frozen=True)
class SmallMachine:
    """What the compiler asks of a machine."""

    native_dim: int = 4
    mantissa_bits: int = 5
    limits: Limits = Limits(
        native_dim=4,
        mrf_entries=1000,
        initial_vrf_entries=100,
        add_sub_vrf_entries=100,
        multiply_vrf_entries=100,
    )
    name: str = "BW_SMALL"

    def __post_init__(self) -> None:
        object.__setattr__(self, "limits", replace(self.limits, native_dim=self.native_dim))


def compiled(machine: SmallMachine, cell: Cell, name: str = "layer") -> BrainwaveCell:
    return compile_cell(machine, name, cell, Samples(None, None))  # type: ignore[arg-type]


def random_cell(kind: str, inputs: int, hidden: int, seed: int, **changes: object) -> Cell:
    rng = np.random.default_rng(seed)
    rows = GATES[kind] * hidden

    def floats(*shape: int) -> np.ndarray:
        return rng.normal(size=shape, scale=1 / np.sqrt(shape[-1])).astype(np.float32)

    if changes.pop("peepholes", False):
        changes["peepholes"] = floats(3, hidden)
    options: dict[str, object] = {"activations": ("sigmoid", "tanh", "tanh"), **changes}
    if kind == "rnn":
        options["activations"] = ("", "tanh", "")
    return Cell(
        kind=kind,  # type: ignore[arg-type]
        weights_x=floats(rows, inputs),
        weights_h=floats(rows, hidden),
        bias_x=floats(rows),
        bias_h=floats(rows),
        **options,  # type: ignore[arg-type]
    )


@st.composite
def cells(draw: st.DrawFn) -> Cell:
    kind = draw(st.sampled_from(["lstm", "gru", "rnn"]))
    changes: dict[str, object] = {}
    if kind == "lstm":
        changes["peepholes"] = draw(st.booleans())
    if kind == "gru":
        changes["reset"] = draw(st.sampled_from(["before", "after"]))
    names = st.sampled_from(["sigmoid", "tanh", "relu"])
    if kind != "rnn":
        changes["activations"] = draw(
            st.sampled_from([("sigmoid", "tanh", "tanh"), (draw(names), draw(names), draw(names))])
        )
    return random_cell(
        kind, draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(0, 2**32 - 1)), **changes
    )


def frames(steps: int, inputs: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(steps, inputs)).astype(np.float32)

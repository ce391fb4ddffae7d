"""A plain processor for simple recurrent cells: 16-bit weights and activations, every column in every step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import CapacityError, ProgramError
from deltawave.hardware.cost import AreaRow, Cost, EnergyRow
from deltawave.hardware.tasks import TaskGraph
from deltawave.hardware.timeline import Timeline, simulate
from deltawave.machines import Machine
from deltawave.machines.base import Activity, Floats, Samples, Verdict
from deltawave.network import Cell, Layer, Place, Recurrent
from deltawave.network.flow import NOWHERE
from deltawave.numerics import Fixed, exact_table, round_shift
from deltawave.options import option

NUMBERS = Fixed(4, 12)
TANH = exact_table("tanh", NUMBERS.fraction_bits)


@dataclass(frozen=True, kw_only=True)
class PlainProcessor(Machine):
    """One column of weights a cycle, nothing skipped."""

    units: int = option(64, doc="Longest state vector", source="ours")
    multiply_pj: float = option(0.5, unit="pJ", doc="Energy of a product", source="ours")

    def verdict(self, layer: Layer, place: Place = NOWHERE) -> Verdict:
        plain = isinstance(layer, Recurrent) and {(c.kind, c.activations[1]) for c in layer.cells} == {
            ("rnn", "tanh")
        }
        return Verdict(plain, "" if plain else "runs simple recurrent cells with tanh only")

    def compile(self, name: str, cell: Cell, samples: Samples, place: Place = NOWHERE) -> "PlainCell":
        weights = np.concatenate([cell.weights_x, cell.weights_h], axis=1)
        return PlainCell(name, NUMBERS.quantise(weights), NUMBERS.quantise(cell.bias_x + cell.bias_h))

    def restore(self, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> "PlainCell":
        if arrays.keys() != {"weights", "bias"}:
            raise ProgramError(f"cell {name} is no cell of {self.name}")
        return PlainCell(name, arrays["weights"].astype(np.int64), arrays["bias"].astype(np.int64))

    def check(self, cells: Sequence["PlainCell"]) -> None:
        for cell in cells:
            if len(cell.bias) > self.units:
                raise CapacityError(
                    f"{cell.name} has {len(cell.bias)} units, {self.name} has {self.units}; set units"
                )

    def timeline(self, cells: Sequence["PlainCell"], activity: Activity) -> Timeline:
        return Timeline(self.clock_hz, tuple(self._part(cell, len(activity[cell.name])) for cell in cells))

    def _part(self, cell: "PlainCell", steps: int):
        columns = cell.weights.shape[1]

        def graph(first: int, last: int) -> TaskGraph:
            tasks = TaskGraph()
            tasks.unit(
                "MAC", occupancy=np.full(last - first, columns), latency=columns, step=np.arange(first, last)
            )
            return tasks

        return simulate(cell.name, steps, graph, stretch=1024, detail_steps=4)

    def cost(self, cells: Sequence["PlainCell"], activity: Activity, timeline: Timeline) -> Cost:
        products = sum(cell.weights.size * len(activity[cell.name]) for cell in cells)
        energy = EnergyRow("products", products * self.multiply_pj, "toy", "ours")
        return Cost("toy", (energy,), (AreaRow("MAC", self.units, "units", "ours"),))


@dataclass(frozen=True, eq=False)
class PlainCell:
    """weights: int64 [hidden, inputs + hidden], bias: int64 [hidden], both Q4.12."""

    name: str
    weights: NDArray[np.int64]
    bias: NDArray[np.int64]

    @property
    def column_words(self) -> None:
        """Every column is multiplied."""

    def executor(self, *, plain: bool = False) -> "PlainExecutor":
        return PlainExecutor(self)

    def listing(self) -> str:
        hidden, columns = self.weights.shape
        return f"cell {self.name} rnn inputs={columns - hidden} hidden={hidden}"

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        return {"weights": self.weights, "bias": self.bias}


@dataclass(eq=False)
class PlainExecutor:
    """h = tanh(weights @ [x, h] + bias), in integers."""

    cell: PlainCell
    h: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.reset(None, None)

    def reset(self, h: Floats | None, c: Floats | None) -> None:
        self.h = np.zeros(len(self.cell.bias), np.int64) if h is None else NUMBERS.quantise(h)

    def run(self, x: Floats) -> tuple[Floats, NDArray[np.bool_]]:
        outputs = np.stack([self._step(frame) for frame in NUMBERS.quantise(x)])
        return NUMBERS.value(outputs).astype(np.float32), np.ones(
            (len(x), self.cell.weights.shape[1]), np.bool_
        )

    def _step(self, x: NDArray[np.int64]) -> NDArray[np.int64]:
        products = self.cell.weights @ np.concatenate([x, self.h])
        self.h = TANH(round_shift(products, NUMBERS.fraction_bits) + self.cell.bias)
        return self.h

    def final(self) -> tuple[Floats, Floats]:
        h = NUMBERS.value(self.h).astype(np.float32)
        return h, np.zeros_like(h)

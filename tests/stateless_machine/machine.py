"""A plain processor that takes layers without a state, too: a column of weights, or a vector, a cycle."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from deltawave.machines.base import Compiled, Floats, Verdict
from deltawave.network import Dense, Layer, Place, Recurrent
from deltawave.network.flow import NOWHERE
from deltawave.network.layers import Pointwise
from deltawave.numerics import round_shift
from toy_machine.machine import NUMBERS, PlainProcessor

Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class LayerProcessor(PlainProcessor):
    """Simple recurrent cells, dense layers, sums and rectifiers."""

    takes = (Recurrent, Dense)

    def verdict(self, layer: Layer, place: Place = NOWHERE) -> Verdict:
        if isinstance(layer, Dense) or (isinstance(layer, Pointwise) and layer.kind in ("Relu", "Add")):
            return Verdict(True)
        return super().verdict(layer, place)

    def compile_layer(self, layer: Layer, place: Place) -> "PlainLayer":
        sources = ",".join(feed.source or "host" for feed in place.feeds)
        way = f"{sources} -> {'host' if place.leaves else 'machine'}"
        if isinstance(layer, Dense):
            return PlainLayer(
                layer.name, layer.kind, way, NUMBERS.quantise(layer.weights), NUMBERS.quantise(layer.bias)
            )
        assert isinstance(layer, Pointwise)
        constant = np.zeros(0) if layer.constant is None else layer.constant
        return PlainLayer(layer.name, layer.kind, way, np.zeros((0, 1), np.int64), NUMBERS.quantise(constant))

    def restore(self, name: str, arrays: Mapping[str, NDArray[np.generic]]) -> Compiled:
        if "kind" not in arrays:
            return super().restore(name, arrays)
        weights, bias = (np.asarray(arrays[key], np.int64) for key in ("weights", "bias"))
        return PlainLayer(name, str(arrays["kind"]), str(arrays["way"]), weights, bias)

    def check(self, cells: Sequence[Compiled]) -> None:
        super().check([cell for cell in cells if not isinstance(cell, PlainLayer)])


@dataclass(frozen=True, eq=False)
class PlainLayer:
    """weights: Q4.12 [outputs, inputs], [0, 1] if there are none; bias: the bias or the constant operand, Q4.12.

    `way`: what feeds it, and whether anything leaves.
    """

    name: str
    kind: str
    way: str
    weights: Integers
    bias: Integers

    @property
    def column_words(self) -> None:
        """Every column is multiplied."""

    def layer_executor(self, *, plain: bool = False) -> "LayerRun":
        return LayerRun(self, plain)

    def listing(self) -> str:
        return f"layer {self.name} {self.kind}: {self.way}"

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        texts = {"kind": np.array(self.kind), "way": np.array(self.way)}
        return {"weights": self.weights, "bias": self.bias, **texts}


@dataclass(frozen=True, eq=False)
class LayerRun:
    """Runs a layer, vector by vector; `plain`: element by element."""

    layer: PlainLayer
    plain: bool

    def run(self, values: Sequence[Floats]) -> tuple[Floats, NDArray[np.bool_]]:
        first, *others = (NUMBERS.quantise(value) for value in values)
        if self.layer.kind == "Relu":
            made = np.maximum(first, 0)
        elif self.layer.kind == "Add":
            made = first + (others[0] if others else self.layer.bias)
        else:
            made = self._product(first)
        vectors = prod(made.shape[:-1])
        return NUMBERS.value(made).astype(np.float32), np.ones((vectors, 1), np.bool_)

    def _product(self, x: Integers) -> Integers:
        weights = self.layer.weights
        if self.plain:
            products = np.zeros((*x.shape[:-1], len(weights)), np.int64)
            for place in np.ndindex(products.shape):
                products[place] = sum(
                    int(a) * int(b) for a, b in zip(x[place[:-1]], weights[place[-1]], strict=True)
                )
        else:
            products = x @ weights.T
        return round_shift(products, NUMBERS.fraction_bits) + self.layer.bias

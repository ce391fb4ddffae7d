"""Which cells of a program run one after the other on the same core."""

from collections import Counter
from collections.abc import Mapping

import numpy as np

from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.deltarnn.rtl.shape import CoreShape
from deltawave.machines.deltarnn.rtl.sparse import SparseShape
from deltawave.machines.program import Program
from deltawave.network.flow import Flow, Place
from deltawave.network.layers import Layer

ALIKE = ("kind", "activation", "weight_bits", "accumulator_bits", "accumulator_saturates")
"""Of cells on one core."""
TABLES = ("gate", "candidate", "output")


def stacks(program: Program, shapes: Mapping[str, CoreShape]) -> list[tuple[str, ...]]:
    """The names of a program's cells, those together that run on one core; all in the order in which they run."""
    feeds = _fed_only_by(program)
    found: list[tuple[str, ...]] = []
    for name in program.cells:
        before = found[-1][-1] if found else ""
        if before and feeds.get(name) == before and may_stack(shapes[before], shapes[name]):
            found[-1] += (name,)
        else:
            found.append((name,))
    return found


def _fed_only_by(program: Program) -> dict[str, str]:
    """By cell, the one that feeds it and nothing else, and whose streams begin when its own do."""
    flow = Flow(program.network)
    layers = {layer.name: layer for layer in program.network.layers if layer.name in program.cells}
    places: dict[str, Place] = {}
    for name, layer in layers.items():
        places[name] = flow.place(layer, places)
    leaves = flow.leaves(places)
    readers = Counter(feed.source for place in places.values() for feed in place.feeds)
    sources = {name: place.feeds[0].source for name, place in places.items() if len(place.feeds) == 1}
    return {
        name: source
        for name, source in sources.items()
        if source and readers[source] == 1 and not leaves[source] and _begin_together(layers, source, name)
    }


def _begin_together(layers: Mapping[str, Layer], *names: str) -> bool:
    """Whether none of the layers begins with a call in which another goes on."""
    return len({getattr(layers[name], "carried", None) for name in names}) == 1


def may_stack(before: CoreShape, after: CoreShape) -> bool:
    """Whether a cell can run on the core of the one that feeds it."""
    if isinstance(before, SparseShape) or before.state_lanes % before.input_rate:
        return False
    one, other = before.cell, after.cell
    return one.hidden == other.inputs and _are_alike(one, other)


def _are_alike(one: QuantisedCell, other: QuantisedCell) -> bool:
    tables = [(getattr(one, name), getattr(other, name)) for name in TABLES]
    return all(getattr(one, name) == getattr(other, name) for name in ALIKE) and all(
        a.first == b.first and np.array_equal(a.values, b.values) for a, b in tables
    )

"""Threshold search: the delta thresholds that fetch the fewest weight columns for a wanted quality.

A uniform sweep gives the trade-off table and a start; then every threshold (inputs and states of every layer) climbs on
its own, the one that fetches most first, as long as the loss stays within the limit.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from deltawave.errors import OptionError
from deltawave.machines.base import CompiledCell
from deltawave.machines.deltarnn.compiled import DeltaCell
from deltawave.machines.fetched import weights_fetched
from deltawave.machines.program import Data, Program, Progress, Run, quiet

LADDER = (
    0.0,
    1 / 128,
    1 / 64,
    1 / 32,
    3 / 64,
    1 / 16,
    3 / 32,
    1 / 8,
    3 / 16,
    1 / 4,
    3 / 8,
    1 / 2,
    3 / 4,
    1.0,
    2.0,
    4.0,
)
Thetas = Mapping[str, tuple[float, float]]
Loss = Callable[[Run], float]
"""How much worse a run is than wanted, e.g. accuracy points lost, or output error; larger is worse."""


@dataclass(frozen=True)
class Point:
    """A row of the trade-off: thresholds (input, hidden) by layer, what they gave; `fetched`: share of all weights."""

    thetas: Thetas
    fetched: float
    loss: float
    cycles_per_step: float
    energy_pj_per_step: float


@dataclass(frozen=True)
class Search:
    """`table`: the uniform sweep; `best`: the point found; `tried`: all points in order."""

    limit: float
    table: tuple[Point, ...]
    best: Point
    tried: tuple[Point, ...]
    program: Program


def search(program: Program, data: Data, loss: Loss, limit: float, *, progress: Progress = quiet) -> Search:
    """Find the thresholds with the fewest fetched weights whose loss is at most `limit`.

    `data`: as for `Program.run`. Raises OptionError if the machine is beyond the limit with all thresholds at zero.
    """
    tried: list[Point] = []

    def measure(thetas: Thetas) -> Point:
        tried.append(_measure(program, data, loss, thetas))
        progress("thresholds tried", len(tried), 0)
        return tried[-1]

    layers = [layer.name for layer in program.taken]
    table = tuple(_sweep(layers, measure, limit))
    feasible = [point for point in table if point.loss <= limit]
    if not feasible:
        raise OptionError(
            f"{program.machine.name} loses {table[0].loss:.4g} with all thresholds at zero, {limit:.4g} is allowed; "
            "allow more, or give the machine finer formats"
        )
    best = _climb(program, min(feasible, key=lambda point: point.fetched), measure, limit)
    return Search(limit, table, best, tuple(tried), with_thetas(program, best.thetas))


def with_thetas(program: Program, thetas: Thetas) -> Program:
    """The same program with other thresholds (input, hidden) by layer."""
    cells: dict[str, CompiledCell] = {
        name: _with_thetas(cell, thetas[name.removesuffix("/reverse")])
        for name, cell in program.cells.items()
    }
    machine = program.machine.with_options({"theta_layers": dict(thetas)})
    return replace(program, cells=cells, machine=machine)


def fetched(run: Run) -> float:
    """Weights fetched over weights of the dense network, all layers."""
    share = weights_fetched(run.program.cells.values(), run.activity)
    assert share is not None
    return share


def _sweep(layers: list[str], measure: Callable[[Thetas], Point], limit: float) -> Iterator[Point]:
    """One threshold for everything, up the ladder until the loss is far out."""
    for theta in LADDER:
        point = measure(dict.fromkeys(layers, (theta, theta)))
        yield point
        if point.loss > 4 * max(limit, 0) and theta > 0:
            return


def _climb(program: Program, best: Point, measure: Callable[[Thetas], Point], limit: float) -> Point:
    """Raise one threshold a rung at a time while that fetches less within the limit."""
    knobs = [(layer.name, side) for layer in program.taken for side in (1, 0)]
    stuck: set[tuple[str, int]] = set()
    while len(stuck) < len(knobs):
        knob = next(k for k in knobs if k not in stuck)
        point = _rung_up(best, knob, measure)
        if point is None or point.loss > limit or point.fetched >= best.fetched:
            stuck.add(knob)
            continue
        best = point
    return best


def _rung_up(best: Point, knob: tuple[str, int], measure: Callable[[Thetas], Point]) -> Point | None:
    layer, side = knob
    higher = [theta for theta in LADDER if theta > best.thetas[layer][side]]
    if not higher:
        return None
    pair = list(best.thetas[layer])
    pair[side] = higher[0]
    return measure({**best.thetas, layer: (pair[0], pair[1])})


def _measure(program: Program, data: Data, loss: Loss, thetas: Thetas) -> Point:
    run = with_thetas(program, thetas).run(data)
    steps = run.steps
    return Point(thetas, fetched(run), loss(run), run.timeline.cycles / steps, run.cost.energy_pj / steps)


def _with_thetas(compiled: object, thetas: tuple[float, float]) -> DeltaCell:
    cell = _delta_cell(compiled)
    activation = cell.cell.activation
    theta_x = int(activation.quantise(np.ldexp(thetas[0], -cell.input_shift)))
    theta_h = int(activation.quantise(thetas[1]))
    return DeltaCell(
        cell.name, replace(cell.cell, theta_x=theta_x, theta_h=theta_h), cell.input_shift, cell.bias_shift
    )


def _delta_cell(compiled: object) -> DeltaCell:
    if not isinstance(compiled, DeltaCell):
        raise OptionError(
            "thresholds can be searched for delta machines only; choose deltarnn, edgedrnn or spartus"
        )
    return compiled

"""Random block floating point cells, and what the arithmetic stated in `machines.brainwave.compile` makes of them."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from deltawave.kernels.block_float_cell import KINDS, BlockFloatCell
from deltawave.kernels.cell import GATES, MEMORIES, CellKind
from deltawave.numerics.block_float import BlockFloat, product
from deltawave.numerics.half_tables import Half, half_table

SIZES = st.sampled_from([1, 2, 5, 16, 17, 40, 63, 64, 65, 100, 130])


@dataclass(frozen=True)
class Case:
    """A cell and a sequence for it: xs float16 [steps, inputs]. functions: the names of its gate and candidate."""

    cell: BlockFloatCell
    xs: Half
    functions: tuple[str, str]


def random_cell(
    rng: np.random.Generator,
    kind: CellKind,
    inputs: int,
    hidden: int,
    form: BlockFloat,
    *,
    peepholes: bool = False,
    functions: tuple[str, str] = ("sigmoid", "tanh"),
    reach: float = 1.0,
) -> BlockFloatCell:
    """Weights of very different sizes from row to row, so that blocks have many exponents."""
    rows = len(GATES[kind]) * hidden
    sizes = reach * np.exp2(rng.integers(-12, 1, (rows, 1)))
    gate, candidate = (half_table(name) for name in functions)
    return BlockFloatCell(
        kind=kind,
        inputs=inputs,
        weights_x=form.quantise(rng.uniform(-1, 1, (rows, inputs)) * sizes),
        weights_h=form.quantise(rng.uniform(-1, 1, (rows, hidden)) * sizes),
        bias=halves(rng, (len(MEMORIES[kind]), hidden)),
        gate=gate,
        candidate=candidate,
        output=candidate,
        peepholes=halves(rng, (3, hidden)) if peepholes else None,
    )


def halves(rng: np.random.Generator, shape: tuple[int, ...]) -> Half:
    """Numbers in [-1, 1]."""
    return rng.uniform(-1, 1, shape).astype(np.float16)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any kind, size, format and activation; inputs tiny (denormal), usual, large, still or any bits at all."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kind = draw(st.sampled_from(KINDS))
    functions = draw(st.sampled_from([("sigmoid", "tanh"), ("sigmoid", "relu"), ("tanh", "sigmoid")]))
    cell = random_cell(
        rng,
        kind,
        draw(SIZES),
        draw(SIZES),
        BlockFloat(draw(st.integers(1, 5)), draw(st.sampled_from([1, 3, 8, 20, 40, 64, 400]))),
        peepholes=kind == "lstm" and draw(st.booleans()),
        functions=functions,
        reach=draw(st.sampled_from([1.0, 1.0, 300.0])),
    )
    shape = (draw(st.sampled_from([0, 1, 5, 37])), cell.inputs)
    reach = draw(st.sampled_from([0.0, 3e-7, 5e-5, 1.0, 60000.0]))
    xs = (halves(rng, shape).astype(np.float64) * reach).astype(np.float16)
    if draw(st.booleans()):
        wild = rng.integers(0, 1 << 16, shape).astype(np.uint16).view(np.float16)
        xs = np.where(rng.random(shape) < 0.1, wild, xs)
    return Case(cell, xs, functions)


class Twin:
    """The cell in NumPy, operation by operation."""

    def __init__(self, cell: BlockFloatCell) -> None:
        self.cell = cell
        self.h = np.zeros(cell.hidden, np.float16)
        self.c = np.zeros(cell.hidden, np.float16)

    def run(self, xs: Half) -> Half:
        """xs [steps, inputs] -> h [steps, hidden]."""
        hs = np.empty((len(xs), self.cell.hidden), np.float16)
        with np.errstate(over="ignore", invalid="ignore"):
            for t, x in enumerate(xs):
                hs[t] = self.step(x)
        return hs

    def step(self, x: Half) -> Half:
        """One step."""
        from_x = self._products(x, "weights_x")
        gates = [a + b for a, b in zip(from_x, self.cell.bias, strict=False)]
        from_h = self._products(self.h, "weights_h")
        self.h = getattr(self, f"_{self.cell.kind}")(gates, from_h)
        return self.h

    def _products(self, vector: Half, name: str) -> list[Half]:
        weights = getattr(self.cell, name)
        finite = np.nan_to_num(vector, nan=0.0, posinf=65504.0, neginf=-65504.0)
        result = product(weights, weights.format.quantise(finite)).astype(np.float16)
        return list(result.reshape(-1, self.cell.hidden))

    def _lstm(self, t: list[Half], mv: list[Half]) -> Half:
        cell = self.cell
        p = cell.peepholes if cell.peepholes is not None else None
        t_i = t[0] if p is None else self.c * p[0] + t[0]
        t_f = t[1] if p is None else self.c * p[1] + t[1]
        f, i = look_up(cell.gate, mv[1] + t_f), look_up(cell.gate, mv[0] + t_i)
        g = look_up(cell.candidate, mv[2] + t[2])
        self.c = g * i + f * self.c
        t_o = t[3] if p is None else self.c * p[2] + t[3]
        return look_up(cell.output, self.c) * look_up(cell.gate, mv[3] + t_o)

    def _gru(self, t: list[Half], mv: list[Half]) -> Half:
        r, u = (look_up(self.cell.gate, mv[k] + t[k]) for k in (0, 1))
        n = look_up(self.cell.candidate, (mv[2] + self.cell.bias[3]) * r + t[2])
        return (self.h - n) * u + n

    def _gru_before(self, t: list[Half], mv: list[Half]) -> Half:
        r, u = (look_up(self.cell.gate, mv[k] + t[k]) for k in (0, 1))
        n = look_up(self.cell.candidate, self._products(r * self.h, "weights_h")[2] + t[2])
        return (self.h - n) * u + n

    def _rnn(self, t: list[Half], mv: list[Half]) -> Half:
        return look_up(self.cell.candidate, mv[0] + t[0])


def look_up(table: Half, values: Half) -> Half:
    return table[values.view(np.uint16)]


def same_bits(a: Half, b: Half) -> bool:
    """Equal to the bit, where every NaN is like every other."""
    numbers = ~np.isnan(b)
    return np.array_equal(np.isnan(a), ~numbers) and np.array_equal(
        np.ascontiguousarray(a).view(np.uint16)[numbers], np.ascontiguousarray(b).view(np.uint16)[numbers]
    )

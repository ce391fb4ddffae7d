"""Brainwave's cells in scalars, written from the equations in `compile`: no program, no padding, no NumPy rounding."""

import math
import struct
from fractions import Fraction

import numpy as np

from deltawave.network.layers import Cell

ACTIVATIONS = {
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)) if not x < -700 else 0.0,
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
}


def f16(value: float) -> float:
    """Rounded to float16; an overflow is an infinity."""
    try:
        return struct.unpack("e", struct.pack("e", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def finite(value: float) -> float:
    return 0.0 if math.isnan(value) else max(-65504.0, min(65504.0, value))


def blocks(values: list[float], native: int, bits: int) -> list[tuple[list[int], int]]:
    """Mantissas and the exponent of their unit, a pair for each native vector."""
    found = []
    for first in range(0, len(values), native):
        block = [Fraction(value) for value in values[first : first + native]]
        largest, exponent = max(abs(value) for value in block), -15
        while exponent < 16 and Fraction(2) ** (exponent + 1) <= largest:
            exponent += 1
        unit, highest = exponent + 1 - bits, 2**bits - 1
        found.append(([max(-highest, min(highest, round(v / Fraction(2) ** unit))) for v in block], unit))
    return found


class ScalarCell:
    """h and c after each step. `step` takes float16 values."""

    def __init__(self, cell: Cell, native: int, bits: int) -> None:
        self.cell, self.n, self.native, self.bits = cell, cell.hidden, native, bits
        self.h, self.c = [0.0] * self.n, [0.0] * self.n
        self.names = {"lstm": "ifgo", "gru": "ruc", "rnn": "h"}[cell.kind]
        self.gate, self.candidate, self.output = (ACTIVATIONS.get(name) for name in cell.activations)

    def rows(self, weights: np.ndarray, gate: str) -> list[list[float]]:
        first = self.names.index(gate) * self.n
        return weights[first : first + self.n].tolist()

    def product(self, weights: np.ndarray, gate: str, vector: list[float]) -> list[float]:
        heard = blocks([finite(value) for value in vector], self.native, self.bits)
        return [self.dot(blocks(row, self.native, self.bits), heard) for row in self.rows(weights, gate)]

    def dot(self, row: list[tuple[list[int], int]], heard: list[tuple[list[int], int]]) -> float:
        total = np.float32(0)
        for (a, unit_a), (b, unit_b) in zip(row, heard, strict=True):
            total += np.float32(math.ldexp(sum(p * q for p, q in zip(a, b, strict=True)), unit_a + unit_b))
        return f16(float(total))

    def bias(self, gate: str, *parts: str) -> list[float]:
        first = self.names.index(gate) * self.n
        sums = sum(getattr(self.cell, part).astype(np.float64) for part in parts or ("bias_x", "bias_h"))
        return [f16(value) for value in sums[first : first + self.n].tolist()]

    def heard(self, gate: str, x: list[float], *parts: str) -> list[float]:
        products = self.product(self.cell.weights_x, gate, x)
        return [f16(a + b) for a, b in zip(products, self.bias(gate, *parts), strict=True)]

    def recurrent(self, gate: str, t: list[float], h: list[float]) -> list[float]:
        return [f16(a + b) for a, b in zip(self.product(self.cell.weights_h, gate, h), t, strict=True)]

    def peephole(self, number: int, t: list[float], c: list[float]) -> list[float]:
        if self.cell.peepholes is None:
            return t
        p = [f16(value) for value in self.cell.peepholes[number].tolist()]
        return [f16(f16(c[k] * p[k]) + t[k]) for k in range(self.n)]

    def step(self, x: list[float]) -> list[float]:
        name = self.cell.kind + ("_before" if self.cell.kind == "gru" and self.cell.reset == "before" else "")
        getattr(self, name)(x)
        return self.h

    def lstm(self, x: list[float]) -> None:
        t = {gate: self.heard(gate, x) for gate in "ifgo"}
        f = self.recurrent("f", self.peephole(1, t["f"], self.c), self.h)
        i = self.recurrent("i", self.peephole(0, t["i"], self.c), self.h)
        g = self.recurrent("g", t["g"], self.h)
        for k in range(self.n):
            kept = f16(f16(self.gate(f[k])) * self.c[k])
            self.c[k] = f16(f16(f16(self.candidate(g[k])) * f16(self.gate(i[k]))) + kept)
        o = self.recurrent("o", self.peephole(2, t["o"], self.c), self.h)
        self.h = [f16(f16(self.output(self.c[k])) * f16(self.gate(o[k]))) for k in range(self.n)]

    def gates(self, x: list[float]) -> tuple[list[float], list[float]]:
        pre = [self.recurrent(gate, self.heard(gate, x), self.h) for gate in "ru"]
        return [f16(self.gate(value)) for value in pre[0]], [f16(self.gate(value)) for value in pre[1]]

    def update(self, u: list[float], pre: list[float]) -> None:
        n = [f16(self.candidate(value)) for value in pre]
        self.h = [f16(f16(f16(self.h[k] - n[k]) * u[k]) + n[k]) for k in range(self.n)]

    def gru(self, x: list[float]) -> None:
        r, u = self.gates(x)
        t = self.heard("c", x, "bias_x")
        product = self.recurrent("c", self.bias("c", "bias_h"), self.h)
        self.update(u, [f16(f16(product[k] * r[k]) + t[k]) for k in range(self.n)])

    def gru_before(self, x: list[float]) -> None:
        r, u = self.gates(x)
        kept = [f16(r[k] * self.h[k]) for k in range(self.n)]
        self.update(u, self.recurrent("c", self.heard("c", x), kept))

    def rnn(self, x: list[float]) -> None:
        pre = self.recurrent("h", self.heard("h", x), self.h)
        self.h = [f16(self.candidate(value)) for value in pre]

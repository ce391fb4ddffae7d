"""A Brainwave machine in scalars, written from the words of `isa`: windows, pixels and channels are Python loops."""

import math
from collections.abc import Iterator

import numpy as np

from deltawave.machines.brainwave.isa import PER_MFU, BwProgram, Instruction, Memory, Opcode, Register, Window
from machines.brainwave.scalar_cells import ACTIVATIONS, blocks, f16, finite

Vector = list[float]
Tile = list[tuple[list[int], int]]  # the mantissas of each row, and the exponent of their unit
OPERATIONS = {
    Opcode.VV_ADD: lambda a, b: a + b,
    Opcode.VV_A_SUB_B: lambda a, b: a - b,
    Opcode.VV_B_SUB_A: lambda a, b: b - a,
    Opcode.VV_MAX: lambda a, b: math.nan if math.isnan(a) or math.isnan(b) else max(a, b),
    Opcode.VV_MUL: lambda a, b: a * b,
}
FUNCTIONS = {Opcode.V_RELU: "relu", Opcode.V_SIGM: "sigmoid", Opcode.V_TANH: "tanh"}


class ScalarMachine:
    """`vectors` and `tiles` by memory, MFU and index. What arrives and leaves is in `arriving` and `leaving`."""

    def __init__(self, program: BwProgram, native: int, bits: int) -> None:
        self.program, self.native, self.bits = program, native, bits
        self.vectors: dict[tuple[Memory, int, int], Vector] = {}
        self.tiles: dict[tuple[Memory, int], Tile] = {}
        self.arriving: list[Vector] = []
        self.leaving: list[Vector] = []

    def run(self, section: str) -> None:
        registers, chain = dict.fromkeys(Register, 0), []
        for instruction in getattr(self.program, section):
            if instruction.register:
                registers[instruction.register] = instruction.value
            elif instruction.opcode is not Opcode.END_CHAIN:
                chain.append(instruction)
            else:
                self.run_chain(chain, *(registers[register] for register in Register))
                chain = []

    def run_chain(self, chain: list[Instruction], rows: int, cols: int, number: int) -> None:
        if chain[0].opcode is Opcode.M_RD:
            for k in range(rows * cols):
                tile = self.tiles[chain[0].memory, chain[0].index + k]
                self.tiles[chain[1].memory, chain[1].index + k] = tile
            return
        window = self.program.windows[number - 1] if number else None
        inputs = list(self.windows(chain[0], window)) if window else [self.read_vectors(chain[0], cols)]
        values = [self.flow(chain, rows, vectors, w, len(inputs)) for w, vectors in enumerate(inputs)]
        for write in (instruction for instruction in chain if instruction.opcode is Opcode.V_WR):
            self.write(write, values)

    def write(self, write: Instruction, values: list[list[Vector]]) -> None:
        for r in range(len(values[0])):
            for w, value in enumerate(values):
                if write.memory is Memory.NETQ:
                    self.leaving.append(value[r])
                else:
                    self.vectors[write.memory, write.mfu, write.index + r * len(values) + w] = value[r]

    def read_vectors(self, read: Instruction, entries: int) -> list[Vector]:
        if read.memory is Memory.NETQ:
            return [self.arriving.pop(0) for _ in range(entries)]
        return [self.vectors[read.memory, 0, read.index + k] for k in range(entries)]

    def windows(self, read: Instruction, window: Window) -> Iterator[list[Vector]]:
        pixels = self.packed(window) if read.memory is Memory.NETQ else self.planes(read, window)
        outside = [-math.inf if window.lowest else 0.0] * window.channels
        for row in range(window.rows):
            for column in range(window.columns):
                values = [pixels.get(place, outside) for place in places(window, row, column)]
                yield self.split([value for pixel in values for value in pixel])

    def packed(self, window: Window) -> dict[tuple[int, int], Vector]:
        """NetQ takes no more than the map; each pixel follows the one before."""
        values: Vector = []
        while len(values) < window.height * window.width * window.channels:
            values += self.arriving.pop(0)
        pixels, c = {}, window.channels
        for y in range(window.height):
            for x in range(window.width):
                pixels[y, x], values = values[:c], values[c:]
        return pixels

    def planes(self, read: Instruction, window: Window) -> dict[tuple[int, int], Vector]:
        pixels = {}
        for y in range(window.height):
            for x in range(window.width):
                values = []
                for c in range(window.channels):
                    plane, element = divmod(c, self.native)
                    entry = plane * window.height * window.width + y * window.width + x
                    values.append(self.vectors[read.memory, 0, read.index + entry][element])
                pixels[y, x] = values
        return pixels

    def split(self, values: Vector) -> list[Vector]:
        padded = values + [0.0] * (-len(values) % self.native)
        return [padded[k : k + self.native] for k in range(0, len(padded), self.native)]

    def flow(
        self, chain: list[Instruction], rows: int, value: list[Vector], w: int, count: int
    ) -> list[Vector]:
        mfu, taken = 0, set()
        for instruction in chain[1:]:
            if instruction.opcode is Opcode.MV_MUL:
                value = self.multiply(instruction.index, rows, value)
            elif instruction.opcode is not Opcode.V_WR:
                unit = unit_of(instruction.opcode)
                if unit in taken:
                    mfu, taken = mfu + 1, set()
                taken.add(unit)
                value = [self.operate(instruction, mfu, r, w, count, v) for r, v in enumerate(value)]
        return value

    def operate(
        self, instruction: Instruction, mfu: int, r: int, w: int, count: int, value: Vector
    ) -> Vector:
        if instruction.opcode in FUNCTIONS:
            return [activated(FUNCTIONS[instruction.opcode], v) for v in value]
        memory = PER_MFU[1] if instruction.opcode is Opcode.VV_MUL else PER_MFU[0]
        entry = instruction.index + (r * count + w if instruction.each else r)
        operand = self.vectors[memory, mfu, entry]
        return [f16(OPERATIONS[instruction.opcode](a, b)) for a, b in zip(value, operand, strict=True)]

    def multiply(self, index: int, rows: int, value: list[Vector]) -> list[Vector]:
        heard = [blocks([finite(v) for v in vector], self.native, self.bits)[0] for vector in value]
        return [
            [self.dot(index + r * len(value), row, heard) for row in range(self.native)] for r in range(rows)
        ]

    def dot(self, first: int, row: int, heard: Tile) -> float:
        total = np.float32(0)
        for k, (mantissas, unit) in enumerate(heard):
            weights, weight_unit = self.tiles[Memory.MATRIX_RF, first + k][row]
            exact = sum(a * b for a, b in zip(weights, mantissas, strict=True))
            total += np.float32(math.ldexp(exact, unit + weight_unit))
        return f16(float(total))


def places(window: Window, row: int, column: int) -> Iterator[tuple[int, int]]:
    """The row and column of each pixel of a window, inside or not."""
    for j in range(window.kernel_height):
        for i in range(window.kernel_width):
            y = row * window.row_stride - window.top + j * window.row_dilation
            x = column * window.column_stride - window.left + i * window.column_dilation
            yield y, x


def unit_of(opcode: Opcode) -> str:
    if opcode in FUNCTIONS:
        return "activation"
    return "multiply" if opcode is Opcode.VV_MUL else "add/sub"


def activated(name: str, value: float) -> float:
    return math.nan if math.isnan(value) else f16(ACTIVATIONS[name](value))

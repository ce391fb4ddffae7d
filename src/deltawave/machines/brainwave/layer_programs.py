"""The chains of layers that keep no state, on feature maps: a vector is a map of one pixel.

    product (Dense, Conv)   v_rd windows; mv_mul W; vv_add b
    depthwise (Conv)        for every position in the window: v_rd; vv_mul w; vv_add what was summed (at first b)
    maximum (MaxPool)       for every position: v_rd; vv_max what was found
    average (AveragePool)   for every position: v_rd; vv_add what was summed; at last vv_mul 1 / positions
    pointwise               v_rd; the operation

In the last chain of a layer follow the point-wise operations fused to it, and the writes.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Literal

from deltawave.machines.brainwave.assembler import (
    ADD_SUB_VRF,
    INITIAL_VRF,
    MULTIPLY_VRF,
    NETQ,
    WHOLE,
    Assembler,
    Part,
)
from deltawave.machines.brainwave.isa import OPERAND, Memory, Opcode, Window

LayerKind = Literal["product", "depthwise", "maximum", "average", "pointwise"]
POSITIONS = ("depthwise", "maximum", "average")
"""Kinds that go through the positions in a window one by one."""
CONSTANTS = {"product": ADD_SUB_VRF, "average": MULTIPLY_VRF}
"""Where the only constant of a kind belongs."""


@dataclass(frozen=True)
class LayerShape:
    """What the chains of a layer depend on. `window`: over its input; `outputs`: channels it makes.

    `operation`: what a pointwise layer does, on the chain's value and the other operand; `has_constant`: whether that
    one is a constant. `groups`: of a product whose other weights are zero.
    """

    kind: LayerKind
    window: Window
    outputs: int
    operation: Opcode | None = None
    has_constant: bool = False
    groups: int = 1

    @property
    def products(self) -> int:
        """Multiply-accumulates of its matrix, without padding and without the zeros between groups."""
        window = self.window
        inputs = window.kernel_height * window.kernel_width * window.channels // self.groups
        return window.count * self.outputs * inputs if self.kind == "product" else 0

    @property
    def planes(self) -> int:
        """Native vectors of a pixel that it makes."""
        return -(-self.outputs // self.window.native)

    @property
    def entries(self) -> int:
        """Native vectors that it makes."""
        return self.planes * self.window.count

    @property
    def entries_read(self) -> int:
        """Native vectors that it reads from each source."""
        return self.window.map_entries

    @property
    def tiles(self) -> int:
        """Tiles of its weights."""
        return self.planes * self.window.vectors if self.kind == "product" else 0

    @cached_property
    def map(self) -> Window:
        """Its input as it is, every pixel a window."""
        w = self.window
        return Window(w.native, w.height, w.width, w.channels, rows=w.height, columns=w.width)

    @property
    def is_vector(self) -> bool:
        """Whether it works on a single pixel, so that it needs no windows."""
        return self.window == self.map and self.window.count == 1

    @cached_property
    def positions(self) -> tuple[Window, ...]:
        """For every position in the windows, the pixels there as windows of their own."""
        w = self.window
        return tuple(
            replace(
                w,
                kernel_height=1,
                kernel_width=1,
                row_dilation=1,
                column_dilation=1,
                top=w.top - y * w.row_dilation,
                left=w.left - x * w.column_dilation,
            )
            for y, x in product(range(w.kernel_height), range(w.kernel_width))
        )

    @property
    def constants(self) -> tuple[tuple[str, Memory, int], ...]:
        """Name, memory and native vectors of its constants."""
        if self.kind == "depthwise":
            weights = [(f"w{p}", MULTIPLY_VRF, self.planes) for p in range(len(self.positions))]
            return (*weights, ("b", ADD_SUB_VRF, self.planes))
        if self.kind in CONSTANTS:
            return (("b" if self.kind == "product" else "w", CONSTANTS[self.kind], self.planes),)
        return (("k", self.operand_memory, self.planes),) if self.has_constant else ()

    @property
    def operand_memory(self) -> Memory:
        """Where the other operand of a pointwise layer belongs."""
        return MULTIPLY_VRF if self.operation is Opcode.VV_MUL else ADD_SUB_VRF

    @property
    def last_operations(self) -> tuple[Opcode, ...]:
        """The point-wise operations of its last chain."""
        return {
            "product": (Opcode.VV_ADD,),
            "depthwise": (Opcode.VV_MUL, Opcode.VV_ADD),
            "maximum": (Opcode.VV_MAX,) if len(self.positions) > 1 else (),
            "average": (Opcode.VV_ADD, Opcode.VV_MUL) if len(self.positions) > 1 else (Opcode.VV_MUL,),
            "pointwise": (self.operation,) if self.operation else (),
        }[self.kind]


@dataclass(frozen=True)
class Operation:
    """A point-wise operation of a chain: its operand's full name ('' if it has none), and whether that is a map."""

    opcode: Opcode
    operand: str = ""
    each: bool = False


@dataclass(frozen=True)
class Tail:
    """How a layer's last chain ends: what is fused to it, and where its value goes (memory and full name)."""

    operations: tuple[Operation, ...] = ()
    writes: tuple[tuple[Memory, str], ...] = ()


@dataclass(frozen=True)
class Piece:
    """Some rows of a layer's matrix: `rows` rows of tiles from `first` on, in MatrixRf by the full name `weights`.

    `whole`: the tiles that this name has at least.
    """

    first: int
    rows: int
    weights: str
    whole: int = 0


def operation(name: str, shape: LayerShape, other: str) -> Operation:
    """What a pointwise layer does; `other`: the full name of its other operand if that is no constant."""
    assert shape.operation is not None
    if shape.operation not in OPERAND:
        return Operation(shape.operation)
    return (
        Operation(shape.operation, f"{name}.k")
        if shape.has_constant
        else Operation(shape.operation, other, True)
    )


class LayerWriter:
    """Writes a layer's chains, in the body.

    `source`: the full name of its input in InitialVrf, '' to take it from NetQ; `is_clean`: whether what fills its
    vectors up is zero. `other`: the full name of the other operand of a pointwise layer.
    """

    def __init__(
        self,
        npu: Assembler,
        name: str,
        shape: LayerShape,
        source: str,
        other: str = "",
        *,
        is_clean: bool = True,
    ) -> None:
        self._npu, self._name, self._shape, self._source, self._other = npu, name, shape, source, other
        self._is_vector = shape.is_vector and (is_clean or not source)

    def write(self, tail: Tail, pieces: Iterable[Piece]) -> None:
        """All chains of a step. `pieces`: of a product's matrix, one or more."""
        if self._shape.kind == "product":
            for piece in pieces:
                self._product(tail, piece)
        elif self._shape.kind == "pointwise":
            self._read(self._shape.window)
            self._finish(self._own(), tail)
        else:
            self._through_positions(tail)

    def _product(self, tail: Tail, piece: Piece) -> None:
        self._read(self._shape.window, piece.rows)
        self._npu.mv_mul(piece.weights)
        self._finish(self._own(), tail, piece)

    def _through_positions(self, tail: Tail) -> None:
        *others, last = enumerate(self._shape.positions)
        for number, window in others:
            self._read(window)
            self._operate(self._at(number, is_last=False), WHOLE)
            self._npu.v_wr(ADD_SUB_VRF, self._full("sum"))
        self._read(last[1])
        self._finish(self._at(last[0], is_last=True), tail)
        if others:
            self._npu.free(ADD_SUB_VRF, self._full("sum"))

    def _at(self, number: int, *, is_last: bool) -> tuple[Operation, ...]:
        """What happens to the pixels at a position of the windows."""
        summed = Operation(Opcode.VV_ADD, self._full("sum"), each=True)
        if self._shape.kind == "depthwise":
            weight = Operation(Opcode.VV_MUL, self._full(f"w{number}"))
            return weight, summed if number else Operation(Opcode.VV_ADD, self._full("b"))
        if self._shape.kind == "maximum":
            return (replace(summed, opcode=Opcode.VV_MAX),) if number else ()
        share = (Operation(Opcode.VV_MUL, self._full("w")),) if is_last else ()
        return (*([summed] if number else []), *share)

    def _own(self) -> tuple[Operation, ...]:
        """The operations of a product, or of a pointwise layer."""
        shape = self._shape
        if shape.kind == "product":
            return (Operation(Opcode.VV_ADD, self._full("b")),)
        assert shape.operation is not None
        return (operation(self._name, shape, self._other),)

    def _read(self, window: Window, rows: int | None = None) -> None:
        self._npu.size(rows, window.vectors, None if self._is_vector else window)
        self._npu.v_rd(INITIAL_VRF if self._source else NETQ, self._source)

    def _finish(self, own: tuple[Operation, ...], tail: Tail, piece: Piece | None = None) -> None:
        times, first = self._shape.window.count, piece.first if piece else 0
        of_map = Part(first * times, self._shape.entries)
        self._operate((*own, *tail.operations), Part(first, self._shape.planes), of_map)
        for memory, name in tail.writes:
            self._npu.v_wr(memory, name, part=of_map)

    def _operate(self, operations: tuple[Operation, ...], part: Part, of_map: Part = WHOLE) -> None:
        for one in operations:
            each = one.each and not self._is_vector
            self._npu.operate(one.opcode, one.operand, each=each, part=of_map if one.each else part)

    def _full(self, name: str) -> str:
        return f"{self._name}.{name}"

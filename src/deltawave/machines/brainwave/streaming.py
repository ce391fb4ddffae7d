"""Weights that do not stay in the MatrixRf but stream through it from DRAM in every step.

The MatrixRf is cut into equal buffers. A product's matrix is cut into pieces, some rows of tiles each, that fit a
buffer; while one is used the next ones are loaded.
"""

from collections.abc import Iterator, Sequence

from deltawave.machines.brainwave.assembler import DRAM, MATRIX_RF, Assembler, Part
from deltawave.machines.brainwave.grouping import Resident
from deltawave.machines.brainwave.layer_programs import LayerShape, Piece

LEAST_BUFFERS, MOST_BUFFERS = 2, 4


class Stream:
    """Cuts the matrices of a step's products into pieces, and loads these in time. `tiles`: of the MatrixRf."""

    def __init__(self, npu: Assembler, products: Sequence[Resident], tiles: int) -> None:
        shapes = {r.name: r.shape for r in products if isinstance(r.shape, LayerShape)}
        widest = max(shape.window.vectors for shape in shapes.values())
        assert LEAST_BUFFERS * widest <= tiles, "else weights do not stream"
        self._npu, self._buffers = npu, min(MOST_BUFFERS, tiles // widest)
        self._room = tiles // self._buffers
        self._queue = [(name, shape, row) for name, shape in shapes.items() for row in self._rows(shape)]
        self._loaded = self._used = 0

    def _rows(self, shape: LayerShape) -> list[tuple[int, int]]:
        """First row and rows of each piece."""
        most = self._room // shape.window.vectors
        return [(first, min(most, shape.planes - first)) for first in range(0, shape.planes, most)]

    def pieces(self, shape: LayerShape) -> int:
        """Into how many pieces a matrix is cut."""
        return len(self._rows(shape))

    def load(self, shape: LayerShape) -> Iterator[Piece]:
        """The pieces of the next product, each loaded when it is asked for, and as many ahead as there are buffers."""
        for first, rows in self._rows(shape):
            while self._loaded < min(self._used + self._buffers, len(self._queue)):
                self._load_next()
            yield Piece(first, rows, self._buffer(self._used))
            self._used += 1

    def _load_next(self) -> None:
        name, shape, (first, rows) = self._queue[self._loaded]
        cols = shape.window.vectors
        self._npu.no_window()
        self._npu.size(rows, cols)
        self._npu.m_rd(DRAM, f"{name}.W", part=Part(first * cols, shape.tiles))
        self._npu.m_wr(MATRIX_RF, self._buffer(self._loaded), part=Part(0, self._room))
        self._loaded += 1

    def _buffer(self, piece: int) -> str:
        return f"buffer {piece % self._buffers}"

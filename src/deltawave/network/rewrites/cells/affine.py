"""Reads a pre-activation as an affine function of vectors: matrices, each with its source, and a bias.

However an exporter wrote it - one product of the joined input and state or several, split before or after, the bias
added here or there - the same sum comes out. A vector is the last axis of a tensor; all other axes are rows that a cell
treats alike. Reshapes that only add or drop axes of size one do not change a vector: tensors are named by their root.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from deltawave.network.editing import Editor
from deltawave.network.onnx_types import attributes, dims
from deltawave.network.values import Values

Matrix = NDArray[Any]
Rows = tuple[int | str, ...]
_RESHAPES = ("Reshape", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Transpose")
_MOST_READS = 64  # of one function: what takes more is no cell, and time stays bounded
_MOST_WORK = 1 << 32  # matrix elements handled for a whole graph: some seconds
_WIDEST = 4096  # of a matrix that stands for no product
_LONGEST = 1 << 20  # of a vector
ONE: Matrix = np.ones(1, np.float32)


class NotAffine(Exception):  # noqa: N818 - an answer, not an error
    """The tensor is not such a function, or cannot be read."""


@dataclass(frozen=True, eq=False)
class Affine:
    """sum(matrices[s] @ s) + bias. matrices: [outputs, inputs]; bias: [outputs].

    `plain`: sources that come with no product of their own, as the identity or a diagonal.
    """

    matrices: dict[str, Matrix]
    bias: Matrix
    plain: frozenset[str] = field(default_factory=frozenset)

    def __add__(self, other: "Affine") -> "Affine":
        narrow, wide = sorted((self, other), key=lambda affine: len(affine.bias))
        if len(narrow.bias) != len(wide.bias) and (narrow.matrices or len(narrow.bias) != 1):
            raise NotAffine
        matrices = dict(wide.matrices)
        for name, matrix in narrow.matrices.items():
            matrices[name] = matrices[name] + matrix if name in matrices else matrix
        return Affine(matrices, wide.bias + narrow.bias, wide.plain | narrow.plain)

    def scaled(self, factor: Matrix) -> "Affine":
        """Every output times its factor."""
        if factor.size not in (1, len(self.bias)):
            raise NotAffine
        matrices = {name: matrix * factor.reshape(-1, 1) for name, matrix in self.matrices.items()}
        return Affine(matrices, self.bias * factor, self.plain)

    def rows(self, rows: slice) -> "Affine":
        """Some of the outputs."""
        return Affine(
            {name: matrix[rows] for name, matrix in self.matrices.items()}, self.bias[rows], self.plain
        )

    def without(self, source: str) -> "Affine":
        """The same without one source."""
        matrices = {name: matrix for name, matrix in self.matrices.items() if name != source}
        return Affine(matrices, self.bias, self.plain - {source})


class Reader:
    """Reads the tensors of a graph as affine functions, vectors and gates."""

    def __init__(self, editor: Editor) -> None:
        self.values = Values(editor)
        self.makers = editor.makers()
        self.shapes = editor.infer_shapes()
        self._reads = self._work = 0
        self._ends: Collection[str] = ()

    def maker(self, name: str) -> onnx.NodeProto | None:
        """The node that computes a vector, reshapes looked through."""
        return self.makers.get(self.root(name))

    def width(self, name: str) -> int:
        """Length of the vector."""
        sizes = self._sizes(name)
        if not sizes or not isinstance(sizes[-1], int) or not 0 < sizes[-1] <= _LONGEST:
            raise NotAffine
        return sizes[-1]

    def rows(self, name: str) -> Rows:
        """The other axes, those of size one left out."""
        sizes = self._sizes(name)
        if not sizes or "" in sizes[:-1]:
            raise NotAffine
        return tuple(size for size in sizes[:-1] if size != 1)

    def root(self, name: str) -> str:
        """The tensor itself, before reshapes that keep its vectors."""
        for _ in range(_MOST_READS):
            node = self.makers.get(name)
            if node is None or node.op_type not in _RESHAPES or not self._keeps_vectors(node):
                return name
            name = node.input[0]
        return name

    def affine(self, name: str, of: Collection[str] = ()) -> Affine:
        """The tensor as an affine function, of the tensors `of` among others. Raises NotAffine."""
        self._reads, self._ends = 0, of
        return self._affine(name)

    def _affine(self, name: str) -> Affine:
        self._reads += 1
        if self._reads > _MOST_READS or self._work > _MOST_WORK:
            raise NotAffine
        name = self.root(name)
        constant = self.values.get(name)
        if constant is not None:
            return Affine({}, _vector(constant))
        node = None if name in self._ends else self.makers.get(name)
        read = None if node is None else _READERS.get(node.op_type)
        found = None if read is None or node is None else read(self, node, list(node.output).index(name))
        found = found or self._plain(name)
        self._work += sum(matrix.size for matrix in found.matrices.values())
        return found

    def _plain(self, name: str) -> Affine:
        width = self.width(name)
        if width > _WIDEST:
            raise NotAffine
        return Affine({name: np.eye(width, dtype=np.float32)}, np.zeros(width, np.float32), frozenset([name]))

    def _sizes(self, name: str) -> list[int | str] | None:
        return dims(self.shapes[name]) if name in self.shapes else None

    def _keeps_vectors(self, node: onnx.NodeProto) -> bool:
        try:
            before, after = node.input[0], node.output[0]
            same = self.width(before) == self.width(after) and self.rows(before) == self.rows(after)
            return same and (node.op_type != "Transpose" or self._last_axis_stays(node))
        except NotAffine:
            return False

    def _last_axis_stays(self, node: onnx.NodeProto) -> bool:
        perm = attributes(node).get("perm", [])
        return bool(perm) and perm[-1] == len(perm) - 1 and len(self.rows(node.input[0])) < 2


def _vector(constant: NDArray[Any]) -> Matrix:
    if constant.dtype.kind != "f" or constant.size != (constant.shape[-1] if constant.ndim else 1):
        raise NotAffine
    return constant.reshape(-1).astype(np.float32)


def _add(reader: Reader, node: onnx.NodeProto, _: int) -> Affine:
    return reader._affine(node.input[0]) + reader._affine(node.input[1])


def _sub(reader: Reader, node: onnx.NodeProto, _: int) -> Affine:
    return reader._affine(node.input[0]) + reader._affine(node.input[1]).scaled(-ONE)


def _mul(reader: Reader, node: onnx.NodeProto, _: int) -> Affine | None:
    for value, factor in (node.input, reversed(node.input)):
        constant = reader.values.get(factor)
        if constant is not None:
            return reader._affine(value).scaled(_vector(constant))
    return None


def _product(reader: Reader, node: onnx.NodeProto, _: int) -> Affine | None:
    flags, matrix = attributes(node), reader.values.get(node.input[1])
    if matrix is None or matrix.ndim != 2 or matrix.dtype.kind != "f" or flags.get("transA", 0):
        return None
    weights = (matrix if flags.get("transB", 0) else matrix.T).astype(np.float32) * np.float32(
        flags.get("alpha", 1)
    )
    bias = Affine({}, np.zeros(len(weights), np.float32))
    if len(node.input) > 2 and node.input[2]:
        constant = reader.values.get(node.input[2])
        if constant is None:
            return None
        bias = bias + Affine({}, _vector(constant) * np.float32(flags.get("beta", 1)))
    matrices: dict[str, Matrix] = {}
    start = 0
    for part in _joined(reader, node.input[0]):
        columns = weights[:, start : start + reader.width(part)]
        start += columns.shape[1]
        matrices[part] = matrices[part] + columns if part in matrices else columns
    return Affine(matrices, bias.bias) if start == weights.shape[1] else None


def _joined(reader: Reader, name: str) -> list[str]:
    """The vectors that a product's input is joined of."""
    root = reader.root(name)
    node = reader.makers.get(root)
    if node is None or node.op_type != "Concat" or not _is_last(reader, root, attributes(node)["axis"]):
        return [root]
    return [reader.root(part) for part in node.input]


def _is_last(reader: Reader, name: str, axis: int) -> bool:
    sizes = reader._sizes(name)
    return sizes is not None and axis % max(len(sizes), 1) == len(sizes) - 1


def _split(reader: Reader, node: onnx.NodeProto, output: int) -> Affine | None:
    if not _is_last(reader, node.input[0], attributes(node).get("axis", 0)):
        return None
    widths = [reader.width(name) for name in node.output]
    start = sum(widths[:output])
    return reader._affine(node.input[0]).rows(slice(start, start + widths[output]))


def _slice(reader: Reader, node: onnx.NodeProto, _: int) -> Affine | None:
    bounds = [
        _integers(reader, node, position, name)
        for position, name in ((1, "starts"), (2, "ends"), (3, "axes"))
    ]
    steps = _integers(reader, node, 4, "steps") or [1]
    if any(bound is None or len(bound) != 1 for bound in bounds) or steps != [1]:
        return None
    (start,), (end,), (axis,) = (bound for bound in bounds if bound is not None)
    if not _is_last(reader, node.input[0], axis):
        return None
    return reader._affine(node.input[0]).rows(slice(start, end))


def _integers(reader: Reader, node: onnx.NodeProto, position: int, name: str) -> list[int] | None:
    if name in attributes(node):
        return [int(value) for value in attributes(node)[name]]
    value = reader.values.get(node.input[position]) if len(node.input) > position else None
    return None if value is None else [int(item) for item in value.reshape(-1)]


_READERS = {
    "Add": _add,
    "Sub": _sub,
    "Mul": _mul,
    "MatMul": _product,
    "Gemm": _product,
    "Split": _split,
    "Slice": _slice,
}

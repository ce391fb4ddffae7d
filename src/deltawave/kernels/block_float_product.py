"""A matrix in block floating point times float16 vectors, in native code: the bits of Brainwave's multiplier.

For layers without a memory: dense ones, and convolutions whose windows are unrolled. What is multiplied, added and
rounded in which order is `machines.brainwave.semantics.multiply`.
"""

import numpy as np

from deltawave import _native
from deltawave.errors import InputError, OptionError
from deltawave.kernels.block_float_cell import MOST_MANTISSA_BITS, MOST_THREADS
from deltawave.numerics.block_float import Blocks
from deltawave.numerics.half_tables import Half


class NativeBlockFloatProduct:
    """Weights, blocks along the rows [rows, columns], ready for vectors of at most so many columns.

    The bits depend neither on `threads`, which work on each call, nor on the vector instructions. One thread at a time
    may use a product. Raises OptionError for weights of another shape or more than 5 mantissa bits, threads other than
    1 to 64, and vector instructions that do not exist or that this processor lacks.
    """

    def __init__(self, weights: Blocks, *, threads: int = 1, simd: str | None = None) -> None:
        _check_weights(weights)
        if not 1 <= threads <= MOST_THREADS:
            raise OptionError(f"a native product runs on 1 to {MOST_THREADS} threads, not {threads}")
        self.weights = weights
        self._native = _native.BlockFloatProduct(
            mantissa_bits=weights.format.mantissa_bits,
            weights=np.ascontiguousarray(weights.mantissas),
            exponents=np.ascontiguousarray(weights.exponents),
            threads=threads,
            simd=simd,
        )

    @property
    def simd(self) -> str:
        """The vector instructions in use: scalar, avx2 or avx512."""
        return str(self._native.simd)

    @property
    def columns(self) -> int:
        """The most columns a vector may have: those of all blocks."""
        return int(self.weights.exponents.shape[1]) * self.weights.format.block

    def run(self, xs: Half) -> Half:
        """Vectors xs, float16 [n, columns], to products, float16 [n, rows]; columns that are missing are zero.

        Infinities count as +-65504 and NaN as 0; a product beyond float16 is an infinity. Raises InputError for another
        shape or type.
        """
        vectors = self._vectors(xs)
        products = np.empty((len(vectors), len(self.weights.exponents)), np.float16)
        self._native.run(vectors.view(np.uint16), products.view(np.uint16))
        return products

    def _vectors(self, xs: Half) -> Half:
        array = np.asarray(xs)
        wanted = f"xs is a float16 array [n, columns] of 1 to {self.columns} columns"
        if array.ndim != 2 or not 1 <= array.shape[1] <= self.columns:
            raise InputError(f"{wanted}, got the shape {list(array.shape)}")
        if array.dtype != np.float16:
            raise InputError(f"{wanted}, got {array.dtype}; convert it first")
        return np.ascontiguousarray(array)


def _check_weights(weights: Blocks) -> None:
    shape, block = weights.mantissas.shape, weights.format.block
    if len(shape) != 3 or 0 in shape or shape[2] != block or weights.exponents.shape != shape[:2]:
        raise OptionError(
            f"a product's weights have mantissas [rows, blocks, {block}] and exponents [rows, blocks], got "
            f"{list(shape)} and {list(weights.exponents.shape)}"
        )
    if weights.format.mantissa_bits > MOST_MANTISSA_BITS:
        raise OptionError(
            f"native products have 1 to {MOST_MANTISSA_BITS} mantissa bits, these weights have "
            f"{weights.format.mantissa_bits}; use numerics.block_float.product"
        )

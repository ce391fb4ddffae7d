"""A network's numbers in the formats of the machine, or refused."""

import numpy as np
from numpy.typing import NDArray

from deltawave.errors import OptionError
from deltawave.numerics.block_float import BlockFloat, Blocks
from deltawave.numerics.half_tables import LARGEST_HALF, Half


def quantised(number_format: BlockFloat, name: str, weights: NDArray[np.float32]) -> Blocks:
    """A matrix in block floating point. Raises OptionError for weights beyond float16, naming the layer."""
    return number_format.quantise(_within_range(name, "weight", weights))


def halves(name: str, what: str, values: NDArray[np.floating]) -> Half:
    """Values in float16. Raises OptionError for those beyond it, naming the layer and what they are."""
    return _within_range(name, what, values).astype(np.float16)


def _within_range(name: str, what: str, values: NDArray[np.floating]) -> NDArray[np.floating]:
    largest = float(np.abs(values).max(initial=0.0))
    if largest > LARGEST_HALF:
        raise OptionError(
            f"{name}: a {what} of {largest:g} is beyond float16, which holds up to {LARGEST_HALF:g}; scale the layer"
        )
    return values

"""Headers of .npy files that promise no more bytes than there are, but shapes that NumPy does not have."""

import io

import numpy as np
import pytest

from deltawave.arrays import read_npy
from deltawave.errors import InputError


@pytest.mark.parametrize("shape", [(0, 1 << 62, 1 << 62), (1,) * 70], ids=["too large", "too many axes"])
def test_shapes_that_no_array_has_are_refused(shape: tuple[int, ...]) -> None:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
    with pytest.raises(InputError) as refused:
        read_npy(stream.getvalue() + bytes(0 if 0 in shape else 8), "a.npy")
    assert str(refused.value) == "a.npy is damaged: there is no array of the shape in its header"

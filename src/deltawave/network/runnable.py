"""Asks ONNX Runtime whether it would run a model, after making sure that asking is safe."""

from math import prod

import onnx

from deltawave.errors import NetworkError
from deltawave.network.editing import Editor
from deltawave.network.host import make_session
from deltawave.network.limits import Limits
from deltawave.network.onnx_types import BITS, dims


def check_runnable(editor: Editor, model: onnx.ModelProto, limits: Limits) -> None:
    """Raises NetworkError for tensors too large to run with, or a model that ONNX Runtime does not take."""
    for name, value in editor.infer_shapes().items():
        sizes = [size for size in dims(value) or [] if isinstance(size, int)]
        bits = BITS.get(value.type.tensor_type.elem_type, 64)
        if any(size < 0 for size in sizes) or prod(sizes) * bits > 8 * limits.tensor_bytes:
            raise NetworkError(
                f"the tensor {name!r} would have the shape {dims(value)},"
                f" more than {limits.tensor_bytes} bytes (Limits.tensor_bytes)"
            )
    # without optimisation nothing is computed yet
    make_session(model, optimise=False)

"""Fixes inputs to values, and free axes to sizes, that the user gives."""

from collections.abc import Mapping

import numpy as np
import onnx
from numpy.typing import ArrayLike

from deltawave.errors import NetworkError
from deltawave.network.editing import Editor
from deltawave.network.naming import unknown
from deltawave.network.onnx_types import dims, dtype_name


def bind(editor: Editor, values: Mapping[str, ArrayLike]) -> None:
    """Inputs become constants; free axes get their size. Raises NetworkError for a name or value that does not fit."""
    for name, value in values.items():
        declared = next((entry for entry in editor.inputs if entry.name == name), None)
        if declared is not None:
            editor.set_constant(name, _value(declared, np.asarray(value)))
            editor.inputs.remove(declared)
        elif name in free_axes(editor):
            _set_size(editor, name, value)
        else:
            raise NetworkError(unknown(f"bind names {name!r}", name, _names(editor), "an input or free axis"))


def free_axes(editor: Editor) -> set[str]:
    """Names of the sizes that the inputs leave free."""
    sizes = [size for value in editor.inputs for size in dims(value) or []]
    return {size for size in sizes if isinstance(size, str) and size}


def _names(editor: Editor) -> list[str]:
    return [value.name for value in editor.inputs] + sorted(free_axes(editor))


def _value(declared: onnx.ValueInfoProto, value: np.ndarray) -> np.ndarray:
    sizes, kind = dims(declared), np.dtype(dtype_name(declared.name, declared.type.tensor_type.elem_type))
    fits = sizes is None or (
        len(sizes) == value.ndim
        and all(
            not isinstance(size, int) or size == got for size, got in zip(sizes, value.shape, strict=True)
        )
    )
    if not fits:
        raise NetworkError(
            f"bind gives {declared.name} the shape {list(value.shape)}, it is declared as {sizes}"
        )
    converted = value.astype(kind) if value.dtype.kind in "bfiu" else value
    if converted.dtype != kind or not np.array_equal(converted, value):
        raise NetworkError(f"bind gives {declared.name} the value {value}, which is not of the type {kind}")
    return converted


def _set_size(editor: Editor, name: str, value: ArrayLike) -> None:
    size = np.asarray(value)
    if size.shape != () or size.dtype.kind not in "iu" or size < 1:
        raise NetworkError(
            f"bind gives the axis {name} the size {value!r}; a size is a whole number from 1 up"
        )
    for entry in [*editor.inputs, *editor.outputs]:
        for dim in entry.type.tensor_type.shape.dim:
            if dim.dim_param == name:
                dim.dim_value = int(size)

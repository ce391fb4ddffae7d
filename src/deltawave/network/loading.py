"""From a file to a `Network`."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from numpy.typing import ArrayLike

from deltawave.errors import NetworkError
from deltawave.network.canonical import canonicalise
from deltawave.network.editing import Editor
from deltawave.network.graph import Network, StateTensor, Tensor
from deltawave.network.layers import Layer, Recurrent
from deltawave.network.limits import LIMITS, Limits
from deltawave.network.naming import unknown
from deltawave.network.onnx_read import Source, read
from deltawave.network.onnx_types import dims, dtype_name
from deltawave.network.rewrites.bind import bind as bind_values
from deltawave.network.rewrites.layout import steps_first
from deltawave.network.rewrites.qonnx import spell_out_quant
from deltawave.network.rewrites.single_precision import in_single_precision
from deltawave.network.runnable import check_runnable
from deltawave.network.states import find_states
from deltawave.network.typed_layers import layers_of


def load(
    source: Source,
    *,
    bind: Mapping[str, ArrayLike] | None = None,
    states: Mapping[str, str] | None = None,
    limits: Limits = LIMITS,
) -> Network:
    """Read an ONNX model: a path, its bytes, or a ModelProto.

    bind: values for inputs that never change (`{"sr": 16000}`), or sizes for free axes (`{"sequence": 576}`).
    states: input name -> output name, for state that is not recognised; recognised state needs no declaring.
    Raises NetworkError for a damaged, hostile or unsound model, and for a name in `bind` or `states` that it has not.
    """
    name, model = read(source, limits)
    editor = Editor(model, limits)
    _make_runnable(editor, bind or {})
    original = editor.model()
    # from here on the passes may rely on what ONNX Runtime checks: the right inputs, attributes and sizes
    check_runnable(editor, original, limits)
    declared = _declared(editor, states or {})
    # numbers that overflow are refused where they become weights
    with np.errstate(all="ignore"):
        canonicalise(editor, declared)
        layers = layers_of(editor)
    found = find_states(editor, layers, declared)
    tensors = _tensors(editor, layers)
    pairs = [_state(tensors[source], tensors[result]) for source, result in found.pairs]
    folded = {end.name for pair in pairs for end in (pair.input, pair.output)}
    outputs = [tensors[value.name] for value in editor.outputs if value.name not in folded]
    return Network(
        name=name,
        model=editor.model(),
        original=original,
        layers=tuple(_carried(layer, found.carried) for layer in layers),
        inputs=tuple(tensors[value.name] for value in editor.inputs if value.name not in folded),
        outputs=tuple(outputs or (pair.output for pair in pairs)),
        states=tuple(pairs),
    )


def _make_runnable(editor: Editor, bind: Mapping[str, ArrayLike]) -> None:
    """Bind what is bound, and write what ONNX Runtime does not run as what it does."""
    _name_free_axes(editor)
    bind_values(editor, bind)
    spell_out_quant(editor)
    steps_first(editor)
    in_single_precision(editor)


def _name_free_axes(editor: Editor) -> None:
    """Axes of unknown size get names, so that they can be followed through the graph."""
    for value in editor.inputs:
        for axis, dim in enumerate(value.type.tensor_type.shape.dim):
            if not dim.HasField("dim_value") and not dim.dim_param:
                dim.dim_param = f"{value.name}_{axis}"


def _declared(editor: Editor, states: Mapping[str, str]) -> dict[str, str]:
    inputs, outputs = [value.name for value in editor.inputs], [value.name for value in editor.outputs]
    for source, result in states.items():
        if source not in inputs:
            raise NetworkError(unknown(f"states names {source!r}", source, inputs, "an input"))
        if result not in outputs:
            raise NetworkError(unknown(f"states names {result!r}", result, outputs, "an output"))
    if len(set(states.values())) < len(states):
        raise NetworkError("states gives one output to two inputs")
    return dict(states)


def _state(before: Tensor, after: Tensor) -> StateTensor:
    if before.dtype != after.dtype or not _alike(before.shape, after.shape):
        raise NetworkError(
            f"states gives {before.name}, {before.dtype} {list(before.shape)}, "
            f"the output {after.name}, {after.dtype} {list(after.shape)}; a state comes out as it goes in"
        )
    return StateTensor(before, after)


def _alike(shape: Sequence[int | str], other: Sequence[int | str]) -> bool:
    """Whether shapes have as many axes, and the same sizes where both are known."""
    return len(shape) == len(other) and all(
        a == b for a, b in zip(shape, other, strict=True) if isinstance(a, int) and isinstance(b, int)
    )


def _tensors(editor: Editor, layers: Iterable[Layer]) -> dict[str, Tensor]:
    batch, steps = _axis_names(editor, layers)
    return {value.name: _tensor(value, batch, steps) for value in [*editor.inputs, *editor.outputs]}


def _axis_names(editor: Editor, layers: Iterable[Layer]) -> tuple[set[str], set[str]]:
    """Names of free sizes that turn up as the batch, and as the steps, of a recurrent layer."""
    shapes, batch, steps = editor.infer_shapes(), set[str](), set[str]()
    for layer in layers:
        sizes = dims(shapes[layer.x]) if isinstance(layer, Recurrent) and layer.x in shapes else None
        if isinstance(layer, Recurrent) and sizes is not None and len(sizes) == 3:
            first, second = sizes[1::-1] if layer.batch_first else sizes[:2]
            steps |= {first} if isinstance(first, str) and first else set()
            batch |= {second} if isinstance(second, str) and second else set()
    return batch, steps - batch


def _tensor(value: onnx.ValueInfoProto, batch: set[str], steps: set[str]) -> Tensor:
    sizes = dims(value)
    if sizes is None:
        raise NetworkError(f"{value.name} has no shape; declare at least its number of axes")
    free = [axis for axis, size in enumerate(sizes) if isinstance(size, str) and size not in steps]
    # what does not turn up in a recurrent layer is a batch by convention if it comes first
    chosen = [axis for axis in free if sizes[axis] in batch] or [axis for axis in free if axis == 0]
    dtype = dtype_name(value.name, value.type.tensor_type.elem_type)
    shape = tuple(size if size != "" else "?" for size in sizes)
    return Tensor(value.name, dtype, shape, chosen[0] if chosen else None)


def _carried(layer: Layer, carried: frozenset[str]) -> Layer:
    return replace(layer, carried=True) if isinstance(layer, Recurrent) and layer.name in carried else layer

"""Spells out the `Quant` nodes of QONNX, which Brevitas and other quantisers write, in ONNX's own operators.

Quant(x, scale, zero, bits) = (clip(round(x / scale + zero)) - zero) * scale, rounding half to even. On weights it is
computed away; between activations it stays, as arithmetic that ONNX Runtime runs.
"""

import numpy as np
import onnx
from onnx import helper

from deltawave.errors import NetworkError
from deltawave.network.editing import Editor
from deltawave.network.onnx_types import QONNX_DOMAINS, attributes, label


def spell_out_quant(editor: Editor) -> bool:
    """Quant nodes become divisions, rounding, clipping and products. Raises NetworkError for other rounding."""
    found = [node for node in editor.nodes if node.domain in QONNX_DOMAINS]
    editor.substitute({id(node): _spelled(editor, node) for node in found})
    editor.opsets = [entry for entry in editor.opsets if entry.domain not in QONNX_DOMAINS]
    return bool(found)


def _spelled(editor: Editor, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    flags = attributes(node)
    if node.op_type != "Quant" or len(node.input) != 4:
        raise NetworkError(f"{label(node)}: of QONNX only Quant is read")
    if flags.get("rounding_mode", "ROUND") != "ROUND":
        raise NetworkError(
            f"{label(node)}: rounding_mode is {flags['rounding_mode']!r}, only 'ROUND' is read"
        )
    bits = editor.constant(node.input[3])
    if bits is None or bits.size != 1 or not 1 <= float(bits.reshape(())) <= 32:
        raise NetworkError(f"{label(node)}: the bit width must be a constant from 1 to 32")
    x, scale, zero, _ = node.input
    low, high = _range(float(bits.reshape(())), bool(flags.get("signed", 1)), bool(flags.get("narrow", 0)))
    bounds = [editor.new_constant(np.array(bound, np.float32), f"{node.name}_bound") for bound in (low, high)]
    steps = [
        ("Div", [scale]),
        ("Add", [zero]),
        ("Round", []),
        ("Clip", bounds),
        ("Sub", [zero]),
        ("Mul", [scale]),
    ]
    nodes, source = [], x
    for position, (kind, others) in enumerate(steps):
        last = position == len(steps) - 1
        result = node.output[0] if last else editor.new_name(f"{node.name}_{kind.lower()}")
        name = node.name if last else editor.new_node_name(f"{node.name}_{kind.lower()}")
        nodes.append(helper.make_node(kind, [source, *others], [result], name=name))
        source = result
    return nodes


def _range(bits: float, signed: bool, narrow: bool) -> tuple[float, float]:
    """Smallest and largest integer; a narrow range leaves one out to be symmetric."""
    if signed:
        return -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1
    return 0.0, 2**bits - 1 - narrow

"""Values of tensors that do not depend on the input, those of quantised weights included."""

from deltawave.network.editing import Array, Editor
from deltawave.network.evaluate import evaluate


class Values:
    """Constants, and what is computed from dequantised weights.

    The canonical graph keeps `DequantizeLinear` on weights: ONNX Runtime makes integer kernels of it, whereas float
    weights between quantised activations it would quantise anew, its own way.
    """

    def __init__(self, editor: Editor) -> None:
        self._editor = editor
        self._computed: dict[str, Array] = {}
        for node in editor.nodes:
            inputs = [self.get(name) for name in node.input]
            if inputs and all(
                value is not None for name, value in zip(node.input, inputs, strict=True) if name
            ):
                results = evaluate(node, inputs, editor.room_bytes)
                self._computed.update(zip(node.output, results or [], strict=False))
                editor.room_bytes -= sum(result.nbytes for result in results or [])

    def get(self, name: str) -> Array | None:
        """The value, None if it is not known before an input is."""
        return self._computed.get(name) if name in self._computed else self._editor.constant(name)

"""Shape inference by the ONNX library."""

import onnx
from onnx import helper

from deltawave.errors import NetworkError


def infer(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    """Inputs, outputs and inferred values of a model with their types."""
    # data_prop would compute values without any bound: sixty nodes that double a tensor fill the memory
    try:
        graph = onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=False).graph
    except Exception as error:  # the extension module raises types of its own
        raise NetworkError(f"the shapes contradict each other: {str(error).splitlines()[0][:300]}") from error
    constants = [
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in graph.initializer
    ]
    return [*constants, *graph.input, *graph.value_info, *graph.output]

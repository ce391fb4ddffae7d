"""Runs models and host segments on ONNX Runtime: one thread, no noise."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import onnx
import onnxruntime
from numpy.typing import NDArray

from deltawave.errors import InputError, NetworkError
from deltawave.network.partition import HostSegment

Array = NDArray[Any]
_FATAL_ONLY = 4  # ONNX Runtime's levels: 0 verbose .. 4 fatal; what goes wrong is raised, not logged


class HostModel:
    """An ONNX model ready to run. The session is made at the first call.

    Raises NetworkError if ONNX Runtime does not take the model, InputError if the model does not take the tensors.
    """

    def __init__(self, model: onnx.ModelProto, outputs: Sequence[str]) -> None:
        self._model, self._outputs = model, list(outputs)

    @classmethod
    def of(cls, segment: HostSegment) -> "HostModel":
        """The runner of a host segment."""
        return cls(segment.model, segment.outputs)

    def __call__(self, tensors: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs by name; `tensors` may hold more than the inputs."""
        inputs = {name: tensors[name] for name in self.inputs}
        try:
            results = self.session.run(self._outputs, inputs)
        except Exception as error:  # the extension module raises types of its own
            raise InputError(f"the network cannot run on this input: {_message(error)}") from error
        return dict(zip(self._outputs, results, strict=True))

    @cached_property
    def session(self) -> onnxruntime.InferenceSession:
        """The ONNX Runtime session."""
        return make_session(self._model)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the tensors a call needs."""
        return tuple(entry.name for entry in self.session.get_inputs())


def make_session(model: onnx.ModelProto, *, optimise: bool = True) -> onnxruntime.InferenceSession:
    """A quiet session on one thread. Raises NetworkError if ONNX Runtime does not take the model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return onnxruntime.InferenceSession(
            # its fallback would print to the standard output
            model.SerializeToString(),
            options,
            providers=["CPUExecutionProvider"],
            enable_fallback=0,
        )
    except Exception as error:  # the extension module raises types of its own
        raise NetworkError(f"ONNX Runtime does not take the model: {_message(error)}") from error


def _message(error: Exception) -> str:
    """ONNX Runtime's message on one line, without its codes and the places in its own source."""
    text = " ".join(str(error).split())
    for noise in (
        r"\[ONNXRuntimeError\] : \d+ : \w+ : ",
        r"Exception during initialization: ",
        r"/\S+:\d+ [^)]*\) (const )?",
    ):
        text = re.sub(noise, "", text)
    return text[:300]

"""PyTorch modules in, through the ONNX model that PyTorch's exporter makes of one call.

A streaming module is one step: `(x, h, c) -> (y, h, c)`. The exporter is not taken at its word: what it wrote is
compared with the module on inputs it has not seen.
"""

import contextlib
import importlib
import io
import logging
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx

from deltawave.errors import DeltawaveError, NetworkError
from deltawave.network.editing import Array
from deltawave.network.graph import Network
from deltawave.network.host import HostModel
from deltawave.network.limits import LIMITS, Limits
from deltawave.network.loading import load
from deltawave.network.onnx_check import first_line

if TYPE_CHECKING:
    import torch

_MOST_DIFFERENCE = 1e-4  # of float32 results computed in another order, beside values of about one
_TRIALS = 3


def from_torch(
    module: "torch.nn.Module",
    example_inputs: "Sequence[torch.Tensor | tuple[torch.Tensor, ...]]",
    *,
    states: Mapping[str, str] | None = None,
    limits: Limits = LIMITS,
) -> Network:
    """The network of a PyTorch module, exported as for inference.

    example_inputs: the positional arguments of `forward`, of the shapes of one call; for a streaming network one
    step and the state before it. states: input name -> output name, for state that is not recognised. The module
    comes back as it was.

    Raises NetworkError if PyTorch is missing, cannot export the module, or writes what computes otherwise.
    """
    torch = _import_torch()
    _check_module(torch, module)
    with _as_for_inference(torch, module):
        model = _export(torch, module, tuple(example_inputs))
        network = load(model, states=states, limits=limits)
        _compare(torch, module, network.original, tuple(example_inputs))
    return replace(network, name=_name(module))


def _import_torch() -> Any:
    try:
        torch = importlib.import_module("torch")
        importlib.import_module("onnxscript")  # PyTorch's exporter writes through it
    except ImportError as error:
        raise NetworkError(
            f"reading a PyTorch module needs {error.name}; install it with: pip install 'deltawave[torch]'"
        ) from error
    return torch


def _check_module(torch: Any, module: object) -> None:
    if not isinstance(module, torch.nn.Module):
        raise NetworkError(f"from_torch takes a torch.nn.Module, got {_name(module)}")
    for name, part in module.named_modules():
        if isinstance(part, torch.nn.LSTM) and part.proj_size:
            raise NetworkError(
                f"{name or 'the module'} is an LSTM with proj_size {part.proj_size}, for which ONNX has no operator;"
                " write the projection as a Linear layer after it"
            )


@contextlib.contextmanager
def _as_for_inference(torch: Any, module: Any) -> Iterator[None]:
    """Evaluation mode without gradients; modes and the random state come back afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    try:
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            module.eval()
            yield
    finally:
        for part, training in modes:
            part.training = training


def _export(torch: Any, module: Any, arguments: tuple[Any, ...]) -> onnx.ModelProto:
    try:
        module(*arguments)
    except Exception as error:  # whatever a user's module raises
        raise NetworkError(f"{_name(module)} cannot run on the example inputs: {_reason(error)}") from error
    try:
        with _quiet():
            return torch.onnx.export(module, arguments, dynamo=True, verbose=False).model_proto
    except Exception as error:  # the exporter passes on whatever its many parts raise
        raise NetworkError(f"PyTorch cannot export {_name(module)}: {_reason(error)}") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Nothing of what the exporter tells its own developers."""
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _name(module: object) -> str:
    return type(module).__name__


def _reason(error: BaseException) -> str:
    """What went wrong first, without colours."""
    while error.__cause__ is not None:
        error = error.__cause__
    return re.sub(r"\x1b\[\d+m", "", first_line(error))


def _compare(torch: Any, module: Any, model: onnx.ModelProto, arguments: tuple[Any, ...]) -> None:
    names = [value.name for value in model.graph.output]
    host, generator = HostModel(model, names), torch.Generator().manual_seed(0)
    for _ in range(_TRIALS):
        trial = _random_like(torch, arguments, generator)
        wanted = [value.numpy() for value in _flat(torch, module(*trial))]
        given = [value.numpy() for value in _flat(torch, trial)]
        found = _run(host, model, given)
        if [value.shape for value in found] != [value.shape for value in wanted]:
            raise NetworkError(
                f"PyTorch's export of {_name(module)} returns the shapes {[list(v.shape) for v in found]},"
                f" the module {[list(v.shape) for v in wanted]}"
            )
        worst = max(_difference(a, b) for a, b in zip(found, wanted, strict=True))
        if not worst <= _MOST_DIFFERENCE:
            raise NetworkError(
                f"PyTorch's export of {_name(module)} differs from the module by up to {worst:.3g}"
            )


def _run(host: HostModel, model: onnx.ModelProto, given: list[Array]) -> list[Array]:
    names = [value.name for value in model.graph.input]
    if len(names) != len(given):
        raise NetworkError(
            f"the exported model has {len(names)} inputs, the module was given {len(given)} tensors"
        )
    try:
        return list(host(dict(zip(names, given, strict=True))).values())
    except DeltawaveError as error:
        raise NetworkError(f"PyTorch's export cannot run: {error}") from error


def _difference(found: Array, wanted: Array) -> float:
    """The largest difference, relative where values are large."""
    wide = wanted.astype(np.float64)
    return float(np.max(np.abs(found - wide) / np.maximum(1, np.abs(wide)), initial=0))


def _random_like(torch: Any, value: Any, generator: Any) -> Any:
    """Tensors of the same shapes and types; integers and truth values drawn from those of the example."""
    if isinstance(value, tuple | list):
        return tuple(_random_like(torch, item, generator) for item in value)
    if value.is_floating_point():
        return torch.randn(value.shape, generator=generator, dtype=value.dtype)
    chosen = torch.randint(value.numel(), value.shape, generator=generator)
    return value.reshape(-1)[chosen]


def _flat(torch: Any, value: Any) -> list[Any]:
    """The tensors of nested tuples, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for item in value for tensor in _flat(torch, item)]

"""The ResNet-50 of the convolutional experiments, against a count of its own from the paper's table."""

from collections import Counter
from functools import cache

import numpy as np
import onnx
import onnxruntime
import pytest

import deltawave
from deltawave.errors import OptionError
from deltawave.machines.brainwave.resnet50 import resnet50
from deltawave.network import Network

FEATURES = 2048
CLASSES = 1000


@cache
def network() -> Network:
    return deltawave.load(resnet50())


def convolutions(*, stride_in_the_middle: bool = False) -> list[tuple[int, int, int, int]]:
    """(inputs, outputs, kernel, side of the output) of every convolution: He et al., Table 1, row by row."""
    found = [(3, 64, 7, 112)]
    inputs = 64
    for blocks, width, side in ((3, 64, 56), (4, 128, 28), (6, 256, 14), (3, 512, 7)):
        for block in range(blocks):
            halves = block == 0 and side < 56
            entry = 2 * side if halves and stride_in_the_middle else side
            found += [(inputs, width, 1, entry), (width, width, 3, side), (width, 4 * width, 1, side)]
            found += [(inputs, 4 * width, 1, side)] if block == 0 else []
            inputs = 4 * width
    return found


def products(layers: list[tuple[int, int, int, int]]) -> int:
    return sum(inputs * outputs * kernel**2 * side**2 for inputs, outputs, kernel, side in layers)


def test_the_inventory_of_layers() -> None:
    assert Counter(layer.kind for layer in network().layers) == {
        "Conv": 53,
        "Relu": 49,
        "Add": 16,
        "MaxPool": 1,
        "GlobalAveragePool": 1,
        "Flatten": 1,
        "Gemm": 1,
    }
    assert len(convolutions()) == 53


def test_parameters_with_batch_norms_folded() -> None:
    expected = sum(i * o * k**2 + o for i, o, k, _ in convolutions()) + FEATURES * CLASSES + CLASSES
    assert expected == 25_530_472
    assert sum(layer.parameters for layer in network().layers) == expected


def test_operations_are_those_of_the_talk() -> None:
    found = sum(layer.operations for layer in network().layers)
    assert found == 2 * (products(convolutions()) + FEATURES * CLASSES)
    assert round(found / 1e9, 2) == 7.72
    without_dense = found - 2 * FEATURES * CLASSES
    assert (round(without_dense / 1e9, 2), round(without_dense / 1e9, 1)) == (7.71, 7.7)
    strided_in_the_middle = products(convolutions(stride_in_the_middle=True)) + FEATURES * CLASSES
    assert round(2 * strided_in_the_middle / 1e9, 2) == 8.18


def test_each_convolution_has_the_shape_of_the_table() -> None:
    found = sorted(
        (layer.weights.shape[1], layer.weights.shape[0], layer.weights.shape[2])
        for layer in network().layers
        if layer.kind == "Conv"
    )
    assert found == sorted(shape[:3] for shape in convolutions())


@pytest.mark.parametrize(("classes", "output", "size"), [(1000, "scores", 1000), (0, "features", FEATURES)])
def test_outputs_are_finite_and_of_sane_size(classes: int, output: str, size: int) -> None:
    session = onnxruntime.InferenceSession(
        resnet50(classes=classes).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    image = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    (found,) = session.run([output], {"image": image})
    assert found.shape == (1, size)
    assert np.isfinite(found).all()
    assert 0.5 < found.std() < 10


def test_the_seed_decides_every_byte() -> None:
    first, again, other = (resnet50(classes=0, seed=seed) for seed in (1, 1, 2))
    assert first.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)
    assert first.SerializeToString(deterministic=True) != other.SerializeToString(deterministic=True)


def test_the_model_passes_the_checker() -> None:
    onnx.checker.check_model(resnet50(classes=10), full_check=True)


def test_a_negative_number_of_classes() -> None:
    with pytest.raises(OptionError) as caught:
        resnet50(classes=-1)
    assert str(caught.value) == (
        "resnet50 has classes = -1; take 0 to end with the features, or a positive number"
    )

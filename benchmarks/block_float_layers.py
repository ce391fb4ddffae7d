"""Convolutions of ResNet-50: Brainwave's exact arithmetic against ONNX Runtime in float32.

    python benchmarks/block_float_layers.py [--threads 1 2] [--bits 5] [--block 64] [--rounds 5] [--json results.json]

Ours unrolls the windows of a map in NumPy and multiplies them in native code; both are in its time. Its maps have their
channels last, so that a window is a few long copies; ONNX Runtime has its own layout. The two take turns in each round;
what counts is the median over rounds of the ratio within a round.
"""

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from deepbench import Timing, processor
from onnx import TensorProto, helper, numpy_helper

from deltawave.kernels.block_float_product import NativeBlockFloatProduct
from deltawave.numerics.block_float import BlockFloat
from deltawave.numerics.half_tables import Half


@dataclass(frozen=True)
class Convolution:
    """A square kernel over a square map, padded so that a stride of one keeps the map's size."""

    size: int
    channels: int
    kernel: int
    filters: int
    stride: int = 1

    def __str__(self) -> str:
        shape = f"{self.size}x{self.size}x{self.channels}, {self.kernel}x{self.kernel}x{self.filters}"
        return shape if self.stride == 1 else f"{shape}, stride {self.stride}"

    @property
    def padding(self) -> int:
        return self.kernel // 2

    @property
    def multiplications(self) -> int:
        return (self.size // self.stride) ** 2 * self.kernel**2 * self.channels * self.filters


RESNET_50 = (
    Convolution(224, 3, 7, 64, stride=2),
    Convolution(56, 64, 1, 64),
    Convolution(56, 64, 3, 64),
    Convolution(56, 64, 1, 256),
    Convolution(28, 128, 3, 128),
    Convolution(14, 1024, 1, 256),
    Convolution(14, 256, 3, 256),
    Convolution(7, 512, 3, 512),
    Convolution(7, 512, 1, 2048),
)
"""At least one of every stage, and of every kernel."""


def windows(layer: Convolution, image: Half) -> Half:
    """The windows of a map [size, size, channels], unrolled: [windows, kernel * kernel * channels]."""
    if layer.kernel == 1 and layer.stride == 1:
        return image.reshape(-1, layer.channels)
    margin = (layer.padding, layer.padding)
    padded = np.pad(image, (margin, margin, (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (layer.kernel, layer.kernel), axis=(0, 1))
    every = views[:: layer.stride, :: layer.stride].transpose(0, 1, 3, 4, 2)
    return every.reshape(-1, layer.kernel**2 * layer.channels)


def ours(layer: Convolution, form: BlockFloat, threads: int) -> tuple[Callable[[], Half], Callable[[], Half]]:
    """The unrolling alone, and the whole layer."""
    rng = np.random.default_rng(0)
    weights = form.quantise(rng.uniform(-1, 1, (layer.filters, layer.kernel**2 * layer.channels)))
    image = rng.uniform(-1, 1, (layer.size, layer.size, layer.channels)).astype(np.float16)
    native = NativeBlockFloatProduct(weights, threads=threads)
    return lambda: windows(layer, image), lambda: native.run(windows(layer, image))


def ort_float(layer: Convolution, threads: int) -> Callable[[], object]:
    """ONNX Runtime's Conv, float32."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(-1, 1, (layer.filters, layer.channels, layer.kernel, layer.kernel))
    image = rng.uniform(-1, 1, (1, layer.channels, layer.size, layer.size)).astype(np.float32)
    node = helper.make_node("Conv", ["X", "W"], ["Y"], pads=[layer.padding] * 4, strides=[layer.stride] * 2)
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "XY"]
    w = numpy_helper.from_array(weights.astype(np.float32), "W")
    model = helper.make_model(
        helper.make_graph([node], "layer", tensors[:1], tensors[1:], [w]),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"X": image})


def measure(layer: Convolution, form: BlockFloat, threads: int, timing: Timing) -> dict[str, Any]:
    """Times in microseconds (medians over rounds) and the ratio ORT / ours (median of ratios in a round)."""
    unroll, whole = ours(layer, form, threads)
    contenders = {"ours": whole, "of it windows": unroll, "ORT fp32": ort_float(layer, threads)}
    times = [{name: timing.seconds(run) for name, run in contenders.items()} for _ in range(timing.rounds)]
    return {
        "layer": str(layer),
        "threads": threads,
        "multiplications": layer.multiplications,
        "us": {name: statistics.median(t[name] for t in times) * 1e6 for name in contenders},
        "ratio": statistics.median(t["ORT fp32"] / t["ours"] for t in times),
    }


def print_layer(result: dict[str, Any]) -> None:
    times = ", ".join(f"{name} {us:.0f}" for name, us in result["us"].items())
    rate = result["multiplications"] / result["us"]["ours"] / 1e3
    print(
        f"{result['layer']:28} us: {times}; ORT / ours {result['ratio']:.2f}; {rate:.0f} GMAC/s", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--bits", type=int, default=5, help="mantissa bits, 1 to 5")
    parser.add_argument("--block", type=int, default=64, help="values that share an exponent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least-ms", type=float, default=10.0, help="time a contender for this long a round")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    form = BlockFloat(options.bits, options.block)
    timing = Timing(options.rounds, options.least_ms / 1e3, "wall")
    results = []
    for threads in options.threads:
        print(f"\nthreads {threads}, {form.mantissa_bits} mantissa bits, blocks of {form.block}")
        mine = []
        for layer in RESNET_50:
            mine.append(measure(layer, form, threads, timing))
            print_layer(mine[-1])
        print(f"geometric mean of ORT / ours: {statistics.geometric_mean(r['ratio'] for r in mine):.2f}")
        results += mine
    report = {
        "processor": processor(),
        "onnxruntime": onnxruntime.__version__,
        "mantissa_bits": form.mantissa_bits,
        "block": form.block,
        "layers": results,
    }
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

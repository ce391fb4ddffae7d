"""DeepBench's recurrent layers at batch 1: Brainwave's exact arithmetic against the float and 8-bit runtime.

    python benchmarks/block_float.py [--threads 1 2] [--bits 2] [--only "LSTM 1024"] [--rounds 5] [--json results.json]

All contenders take turns in each round; what counts is the median over rounds of the ratio within a round. The last
line tells how long the machine's timing model takes for all steps of the published table.
"""

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import contenders
import numpy as np
import onnxruntime
from contenders import Contender
from deepbench import CLOCKS, FORMS, Timing, processor
from shapes import Layer, inference_layers

from deltawave.kernels.block_float_cell import BlockFloatCell, NativeBlockFloatCell
from deltawave.kernels.cell import GATES, MEMORIES
from deltawave.machines.brainwave import paper
from deltawave.machines.brainwave.published import BATCH_1
from deltawave.numerics.block_float import BlockFloat, Blocks
from deltawave.numerics.half_tables import half_table

NATIVE_DIMENSION = 400  # of the published Stratix 10 instance
LEAST_RATIO, LEAST_RATIO_FROM, MEAN_RATIO = 3.0, 512, 8.0
"""Wanted on one thread: ONNX Runtime float32 / ours: in each layer of so many units, and as geometric mean."""
TIMELINE_S = 1.0
"""Wanted for the timelines of the published table."""


def random_weights(layer: Layer, form: BlockFloat, rng: np.random.Generator) -> Blocks:
    """[gates * hidden, hidden], spread evenly as frameworks initialise them."""
    limit = 1 / np.sqrt(layer.hidden)
    gates = [
        form.quantise(rng.uniform(-limit, limit, (layer.hidden, layer.hidden))) for _ in GATES[layer.kind]
    ]
    return Blocks(
        form, np.concatenate([g.mantissas for g in gates]), np.concatenate([g.exponents for g in gates])
    )


def ours(layer: Layer, bits: int, threads: int) -> Contender:
    """The native cell, weights and vectors of this many mantissa bits."""
    rng, form = np.random.default_rng(0), BlockFloat(bits, NATIVE_DIMENSION)
    sigmoid, tanh = half_table("sigmoid"), half_table("tanh")
    native = NativeBlockFloatCell(
        BlockFloatCell(
            kind=layer.kind,
            inputs=layer.hidden,
            weights_x=random_weights(layer, form, rng),
            weights_h=random_weights(layer, form, rng),
            bias=np.zeros((len(MEMORIES[layer.kind]), layer.hidden), np.float16),
            gate=sigmoid,
            candidate=tanh,
            output=tanh,
        ),
        threads=threads,
    )
    xs = rng.uniform(-1, 1, (layer.steps, layer.hidden)).astype(np.float16)
    rows = list(xs)

    def stream() -> None:
        x, step = native.x, native.step
        for row in rows:
            x[:] = row
            step()

    return Contender(f"block float {bits}", lambda: native.run(xs), stream)


def measure(layer: Layer, bits: int, threads: int, timing: Timing) -> dict[str, Any]:
    """Times per step in microseconds (medians over rounds) and ratios rival / ours (medians of ratios in a round)."""
    mine = ours(layer, bits, threads)
    rivals = [make(layer, threads) for make in (contenders.ort_float, contenders.ort_int8)]
    result: dict[str, Any] = {
        "layer": str(layer),
        "hidden": layer.hidden,
        "steps": layer.steps,
        "threads": threads,
    }
    for form in FORMS:
        times = [
            {c.name: timing.seconds(getattr(c, form)) for c in (mine, *rivals)} for _ in range(timing.rounds)
        ]
        result[form] = {
            "us_per_step": {
                name: statistics.median(t[name] for t in times) / layer.steps * 1e6 for name in times[0]
            },
            "ratio": {r.name: statistics.median(t[r.name] / t[mine.name] for t in times) for r in rivals},
        }
    return result


def timeline_seconds(rounds: int) -> float:
    """Median time for the timelines of the published table's rows, their programs written and all."""
    times = []
    for _ in range(rounds):
        paper.cycles.cache_clear()
        start = time.perf_counter()
        for row in BATCH_1:
            paper.latency_seconds(row)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def print_layer(result: dict[str, Any]) -> None:
    print(f"\n{result['layer']}, {result['steps']} steps, threads {result['threads']}")
    for form in FORMS:
        times = ", ".join(f"{name} {us:.1f}" for name, us in result[form]["us_per_step"].items())
        ratios = ", ".join(f"{name} / ours {ratio:.1f}" for name, ratio in result[form]["ratio"].items())
        print(f"  {form:8} us/step: {times}; {ratios}", flush=True)


def print_summary(results: list[dict[str, Any]], threads: int) -> None:
    print(f"\ngeometric means of rival / ours over {len(results)} layers, threads {threads}")
    for form in FORMS:
        ratios = {name: [r[form]["ratio"][name] for r in results] for name in results[0][form]["ratio"]}
        means = ", ".join(
            f"{name} {statistics.geometric_mean(values):.1f}" for name, values in ratios.items()
        )
        large = [r[form]["ratio"]["ORT fp32"] for r in results if r["hidden"] >= LEAST_RATIO_FROM]
        smallest = f"; smallest from {LEAST_RATIO_FROM} units up: {min(large):.1f}" if large else ""
        print(f"  {form:8} {means}{smallest}")
    least = f"at least {LEAST_RATIO:g} from {LEAST_RATIO_FROM} units up"
    print(f"wanted on one thread over ORT fp32: {MEAN_RATIO:g}, and {least}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Brainwave's arithmetic on DeepBench's layers.")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--bits", type=int, default=2, help="mantissa bits, 1 to 5")
    parser.add_argument("--only", nargs="*", default=[], help='layers such as "LSTM 1024"')
    parser.add_argument("--steps", type=int, default=40, help="longest sequence")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least-ms", type=float, default=10.0, help="time a contender for this long a round")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for a busy machine, one thread")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.clock == "cpu" and options.threads != [1]:
        parser.error("--clock cpu times one thread only: add --threads 1")
    timing = Timing(options.rounds, options.least_ms / 1e3, options.clock)
    layers = [
        layer for layer in inference_layers(options.steps) if not options.only or str(layer) in options.only
    ]
    results = []
    for threads in options.threads:
        for layer in layers:
            results.append(measure(layer, options.bits, threads, timing))
            print_layer(results[-1])
        print_summary([r for r in results if r["threads"] == threads], threads)
    timeline_s, steps = timeline_seconds(options.rounds), sum(row.steps for row in BATCH_1)
    print(
        f"\ntimelines of the published table, {steps:,} steps: {timeline_s:.3f} s (wanted under {TIMELINE_S:g})"
    )
    report = {
        "processor": processor(),
        "onnxruntime": onnxruntime.__version__,
        "mantissa_bits": options.bits,
        "clock": options.clock,
        "timeline_s": timeline_s,
        "layers": results,
    }
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

"""DeepBench's recurrent layers at batch 1: exact integers here against the float and 8-bit runtimes.

    python benchmarks/deepbench.py [--threads 1 2] [--only "LSTM 1024"] [--rounds 7] [--json results.json]

All contenders take turns in each round; what counts is the median over rounds of the ratio within a round, so that a
noisy machine disturbs both sides alike.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contenders
import numpy as np
import onnxruntime
import torch
from contenders import Contender
from shapes import Layer, inference_layers, random_cell

from deltawave.kernels.native import NativeCell

FORMS = ("sequence", "stream")
TARGETS = {
    ("sequence", "ORT fp32", "dense"): 5.0,
    ("sequence", "ORT fp32", "delta 90%"): 20.0,
    ("sequence", "ORT int8", "delta 90%"): 4.0,
    ("stream", "ORT fp32", "delta 90%"): 35.0,
    ("stream", "ORT int8", "delta 90%"): 8.0,
}
"""Wanted on one thread: geometric mean over the layers of rival's time / our time."""
STEP_COST_TARGET_US = 1.0
IDLE_S = 1e-3


def contenders_for(layer: Layer, threads: int) -> tuple[list[Contender], list[Contender]]:
    """Ours and the rivals."""
    ours = [
        contenders.ours_dense(layer, threads),
        contenders.ours_delta(layer, threads, 0.8),
        contenders.ours_delta(layer, threads, 0.9),
    ]
    makers = (contenders.ort_float, contenders.ort_int8, contenders.torch_float, contenders.torch_int8)
    return ours, [make(layer, threads) for make in makers]


CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}


def wait_for_idle_threads() -> None:
    """Threads of a runtime spin for some time after its last call, and would take a processor from the next one."""
    used = -1.0
    while time.process_time() - used > IDLE_S:
        used = time.process_time()
        time.sleep(10 * IDLE_S)


@dataclass(frozen=True)
class Timing:
    """How to time. The cpu clock leaves out when others had the processor, so it is only for runs on one thread."""

    rounds: int
    least_s: float
    clock: str

    def seconds(self, run: Callable[[], object]) -> float:
        """Time of one run: the least of as many as fill `least_s`, after one that warms the caches."""
        wait_for_idle_threads()
        run()
        now, times = CLOCKS[self.clock], []
        while sum(times) < self.least_s:
            start = now()
            run()
            times.append(now() - start)
        return min(times)


def measure(layer: Layer, threads: int, timing: Timing) -> dict[str, Any]:
    """Times per step in microseconds (medians over rounds) and ratios rival / ours (medians of ratios in a round)."""
    ours, rivals = contenders_for(layer, threads)
    result: dict[str, Any] = {"layer": str(layer), "steps": layer.steps, "threads": threads}
    result["sparsity"] = {c.name: round(c.sparsity, 4) for c in ours}
    for form in FORMS:
        everyone = [*ours, *rivals]
        times = [{c.name: timing.seconds(getattr(c, form)) for c in everyone} for _ in range(timing.rounds)]
        result[form] = {
            "us_per_step": {
                c.name: statistics.median(t[c.name] for t in times) / layer.steps * 1e6 for c in everyone
            },
            "ratio": {
                f"{r.name} / {o.name}": statistics.median(t[r.name] / t[o.name] for t in times)
                for r in rivals
                for o in ours
            },
        }
    return result


def step_cost_us(timing: Timing) -> float:
    """One streamed step of the smallest cell from Python, its input written and all: an upper bound of the cost above
    the kernel."""
    cell = NativeCell(random_cell(Layer("rnn", 1, 1)))
    row, x, step = np.ones(1, np.int16), cell.x, cell.step

    def steps() -> None:
        for _ in range(1000):
            x[:] = row
            step()

    return timing.seconds(steps) * 1e3


def geometric_means(results: list[dict[str, Any]], threads: int) -> dict[str, dict[str, float]]:
    """Over the layers, for each form and pair."""
    chosen = [r for r in results if r["threads"] == threads]
    return {
        form: {
            pair: statistics.geometric_mean(r[form]["ratio"][pair] for r in chosen)
            for pair in chosen[0][form]["ratio"]
        }
        for form in FORMS
    }


def print_layer(result: dict[str, Any]) -> None:
    print(
        f"\n{result['layer']}, {result['steps']} steps, threads {result['threads']}; sparsity {result['sparsity']}"
    )
    for form in FORMS:
        times = ", ".join(f"{name} {us:.1f}" for name, us in result[form]["us_per_step"].items())
        print(f"  {form:8} us/step: {times}", flush=True)


def print_means(results: list[dict[str, Any]], threads: int) -> None:
    print(f"\ngeometric means of rival / ours over {len(results)} runs, threads {threads}")
    for form, pairs in geometric_means(results, threads).items():
        for pair, ratio in pairs.items():
            rival, ours = pair.split(" / ")
            target = TARGETS.get((form, rival, ours)) if threads == 1 else None
            verdict = (
                "" if target is None else f"  wanted {target:g}: {'met' if ratio >= target else 'MISSED'}"
            )
            print(f"  {form:8} {pair:28} {ratio:6.2f}{verdict}")


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="*", default=[], help='layers such as "LSTM 1024"')
    parser.add_argument("--steps", type=int, default=40, help="longest sequence")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--least-ms", type=float, default=10.0, help="time a contender for this long a round")
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for a busy machine, one thread")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    layers = [
        layer for layer in inference_layers(options.steps) if not options.only or str(layer) in options.only
    ]
    if options.clock == "cpu" and options.threads != [1]:
        parser.error("--clock cpu times one thread only: add --threads 1")
    timing = Timing(options.rounds, options.least_ms / 1e3, options.clock)
    results = []
    for threads in options.threads:
        for layer in layers:
            results.append(measure(layer, threads, timing))
            print_layer(results[-1])
        print_means([r for r in results if r["threads"] == threads], threads)
    cost = step_cost_us(timing)
    print(
        f"\none streamed step of a one-unit cell from Python: {cost:.2f} us (wanted under {STEP_COST_TARGET_US:g})"
    )
    report = {
        "processor": processor(),
        "simd": NativeCell(random_cell(Layer("rnn", 1, 1))).simd,
        "onnxruntime": onnxruntime.__version__,
        "torch": torch.__version__,
        "clock": options.clock,
        "step_cost_us": cost,
        "geometric_means": {str(t): geometric_means(results, t) for t in options.threads},
        "targets": {" ".join(key): value for key, value in TARGETS.items()},
        "layers": results,
    }
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()

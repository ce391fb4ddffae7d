"""Mantissa bits that real networks need on Brainwave: score and output error with 2 to 5, nothing retrained.

Recurrent networks run on BW_S10, others on BW_CNN_A10.

python benchmarks/mantissas.py [--case NAME]...
"""

import argparse
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported; its products here are small

from real_cases import CASES, CONVOLUTIONAL
from real_models import score

import deltawave as dw

BITS = (2, 3, 4, 5)


def main() -> None:
    """Print a row of a Markdown table for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--case", action="append", choices=[*CASES, *CONVOLUTIONAL], help="only this network; may be repeated"
    )
    cases = parser.parse_args().case or [*CASES, *CONVOLUTIONAL]
    print(f"| network | float | {' | '.join(f'{bits} bits' for bits in BITS)} | cycles/step | latency, us |")
    print("| --- " * (len(BITS) + 4) + "|")
    for name in cases:
        print(row(name), flush=True)


def row(name: str) -> str:
    """Score (or error alone, without labels) by mantissa bits, and what a step takes."""
    case = (CASES | CONVOLUTIONAL)[name]()
    machine = dw.machine("bw-s10" if name in CASES else "bw-cnn-a10").with_options(case.options)
    found = dw.sweep(
        dw.load(case.model),
        machine,
        case.data,
        over={"mantissa_bits": BITS},
        labels=case.labels,
        scoring=case.scoring,
    ).comparison
    timing = found.reports[0].timing
    cells = [name, score(found.floats), *map(quality, found.reports)]
    return f"| {' | '.join(cells)} | {timing.cycles_per_step:,.0f} | {1e6 * timing.latency_s:.2f} |"


def quality(report: dw.Report) -> str:
    """Score and error."""
    error = f"{100 * report.quality.errors[0].relative_rms:.1f} %"
    scored = score(report.quality.machine)
    return f"{scored}, error {error}" if scored else f"error {error}"


if __name__ == "__main__":
    main()

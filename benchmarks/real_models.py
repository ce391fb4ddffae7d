"""Every real recurrent network on every delta machine: accuracy beside the float network's, sparsity, cycles, energy.

python benchmarks/real_models.py [--case NAME]... [--theta 0.125]... [--json FILE] [--markdown FILE]
"""

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported; its products here are small

from real_cases import CASES

import deltawave as dw
from deltawave.machines.deltarnn import MACHINES
from deltawave.report.metrics import Score

COLUMNS = (
    "network",
    "machine",
    "theta",
    "score",
    "error",
    "fetched",
    "cycles/step",
    "latency, us",
    "energy, nJ",
)


def main() -> None:
    """Compare on each case and print one table a network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--case", action="append", choices=sorted(CASES), help="only this network; may be repeated"
    )
    parser.add_argument(
        "--theta", action="append", type=float, help="thresholds of inputs and states (0, 0.125)"
    )
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--markdown", type=Path, help="write the main figures here as a table")
    options = parser.parse_args()
    rows, figures = [COLUMNS, ("---",) * len(COLUMNS)], []
    for name in options.case or CASES:
        for theta in options.theta or [0.0, 0.125]:
            comparison = compare_case(name, theta)
            figures.append({"case": name, "theta": theta, **comparison.as_dict()})
            rows += table_rows(name, theta, comparison)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    if options.markdown:
        options.markdown.write_text("".join(f"| {' | '.join(row)} |\n" for row in rows))


def compare_case(name: str, theta: float) -> dw.Comparison:
    """Compare one network on all machines with the same thresholds, and print it."""
    case = CASES[name]()
    thetas = {"theta_input": theta, "theta_hidden": theta}
    variants = [machine.with_options(thetas) for machine in MACHINES]
    comparison = dw.compare(
        dw.load(case.model),
        variants,
        case.data,
        calibration=case.calibration,
        labels=case.labels,
        scoring=case.scoring,
    )
    print(f"\n{name}, theta = {theta:g}\n{comparison.text(110)}", flush=True)
    return comparison


def table_rows(name: str, theta: float, comparison: dw.Comparison) -> list[tuple[str, ...]]:
    """The float network's score, then a row a machine."""
    rows = [] if theta else [(name, "float network", "", score(comparison.floats), "", "", "", "", "")]
    for entry in comparison.entries:
        machine = entry.machine.split(",")[0]
        if entry.report is None:
            rows.append((name, machine, f"{theta:g}", entry.refusal, "", "", "", "", ""))
        else:
            rows.append((name, machine, f"{theta:g}", *figures_of(entry.report)))
    return rows


def figures_of(report: dw.Report) -> tuple[str, ...]:
    """Score to energy, as text."""
    assert report.sparsity is not None
    return (
        score(report.quality.machine),
        f"{100 * report.quality.errors[0].relative_rms:.1f} %",
        f"{100 * report.sparsity.weights_fetched:.1f} %",
        f"{report.timing.cycles_per_step:,.1f}",
        f"{1e6 * report.timing.latency_s:.2f}",
        f"{1e9 * report.energy_per_step_j:,.0f}",
    )


def score(scores: tuple[Score, ...]) -> str:
    """The headline score as text."""
    return f"{100 * scores[0].value:.1f} %" if scores else ""


if __name__ == "__main__":
    main()

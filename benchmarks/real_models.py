"""Every real recurrent network on every delta machine: accuracy beside the float network's, sparsity, cycles, energy.

python benchmarks/real_models.py [--case NAME]... [--theta 0.125]... [--json FILE]
"""

import argparse
import json
from pathlib import Path

from real_cases import CASES

import deltawave as dw
from deltawave.machines import machines


def main() -> None:
    """Compare on each case and print one table a network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--case", action="append", choices=sorted(CASES), help="only this network; may be repeated"
    )
    parser.add_argument(
        "--theta", action="append", type=float, help="thresholds for inputs and states (default 0, 0.125)"
    )
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args()
    figures = [compare_case(name, options.theta or [0.0, 0.125]) for name in options.case or CASES]
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


def compare_case(name: str, thetas: list[float]) -> dict[str, object]:
    """Print and return the comparison of one network."""
    case = CASES[name]()
    variants = [
        machine.with_options({"theta_input": theta, "theta_hidden": theta})
        for machine in machines().values()
        for theta in thetas
    ]
    network = dw.load(case.model)
    comparison = dw.compare(
        network, variants, case.data, calibration=case.calibration, labels=case.labels, scoring=case.scoring
    )
    print(f"\n{name}\n{comparison.text(140)}", flush=True)
    return {"case": name, **comparison.as_dict()}


if __name__ == "__main__":
    main()

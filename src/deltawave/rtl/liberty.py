"""A library of standard cells to count gates with, in the liberty format that synthesis tools read.

No cell library comes through pip, so this one has the 14 cells that area takes: no timing, one size each. Areas are
widths in sites as the NanGate 45 nm Open Cell Library has them, in its smallest sizes: those of NAND2 and of the
flip-flop are looked up, the others recalled (90 % sure). A flip-flop's enable is a multiplexer before it, its
synchronous reset a gate.
"""

from dataclasses import dataclass

NAND2_SITES = 3


@dataclass(frozen=True)
class Gate:
    """A cell with the output Y. sites: its width; inputs: a letter each."""

    name: str
    sites: int
    inputs: str
    function: str

    @property
    def text(self) -> str:
        """The cell in liberty."""
        pins = [_pin(name, "direction: input;") for name in self.inputs]
        output = _pin("Y", f'direction: output; function: "{self.function}";')
        return _cell(self.name, self.sites, *pins, output)


GATES = (
    Gate("INV", 2, "A", "!A"),
    Gate("BUF", 3, "A", "A"),
    Gate("NAND2", NAND2_SITES, "AB", "!(A&B)"),
    Gate("NAND3", 4, "ABC", "!(A&B&C)"),
    Gate("NOR2", 3, "AB", "!(A|B)"),
    Gate("NOR3", 4, "ABC", "!(A|B|C)"),
    Gate("AND2", 4, "AB", "A&B"),
    Gate("OR2", 4, "AB", "A|B"),
    Gate("AOI21", 4, "ABC", "!((A&B)|C)"),
    Gate("OAI21", 4, "ABC", "!((A|B)&C)"),
    Gate("XOR2", 6, "AB", "A^B"),
    Gate("XNOR2", 6, "AB", "!(A^B)"),
    Gate("MUX2", 7, "ABS", "(A&!S)|(B&S)"),
)
FLIP_FLOP, FLIP_FLOP_SITES = "DFF", 17
SITES = {gate.name: gate.sites for gate in GATES} | {FLIP_FLOP: FLIP_FLOP_SITES}
"""Width of every cell; a site is a third of a NAND2."""


def liberty() -> str:
    """The library, areas in gate equivalents: a NAND2 is 1."""
    flip_flop = _cell(
        FLIP_FLOP,
        FLIP_FLOP_SITES,
        'ff(IQ, IQN) { clocked_on: "C"; next_state: "D"; }',
        _pin("C", "direction: input; clock: true;"),
        _pin("D", "direction: input;"),
        _pin("Q", 'direction: output; function: "IQ";'),
    )
    return "\n".join(["library(gates) {", *(gate.text for gate in GATES), flip_flop, "}", ""])


def _cell(name: str, sites: int, *lines: str) -> str:
    body = "\n".join(f"    {line}" for line in (f"area: {sites / NAND2_SITES:.9g};", *lines))
    return f"  cell({name}) {{\n{body}\n  }}"


def _pin(name: str, attributes: str) -> str:
    return f"pin({name}) {{ {attributes} }}"

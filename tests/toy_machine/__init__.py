"""A machine from outside the project, whole: a 16-bit processor that multiplies one column a cycle.

It shows what a new machine needs: this folder and one line, `machines.register("toy", toy_machine)`.
"""

from toy_machine.machine import PlainProcessor

MACHINES = (PlainProcessor(name="toy-1", clock_hz=50e6),)
CLAIMS = ()

__all__ = ["CLAIMS", "MACHINES", "PlainProcessor"]

"""Delta network accelerators: DeltaRNN (FPGA 2018), EdgeDRNN (2020), Spartus (2022)."""

from deltawave.machines.deltarnn.machine import (
    DELTARNN_ZYNQ7100,
    EDGEDRNN_MINIZED,
    SPARTUS_ZYNQ7100,
    DeltaRNN,
    EdgeDRNN,
    Spartus,
)
from deltawave.machines.deltarnn.paper import CLAIMS

MACHINES = (DELTARNN_ZYNQ7100, EDGEDRNN_MINIZED, SPARTUS_ZYNQ7100)

__all__ = [
    "CLAIMS",
    "DELTARNN_ZYNQ7100",
    "EDGEDRNN_MINIZED",
    "MACHINES",
    "SPARTUS_ZYNQ7100",
    "DeltaRNN",
    "EdgeDRNN",
    "Spartus",
]

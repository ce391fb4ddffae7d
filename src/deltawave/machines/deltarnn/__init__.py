"""Delta network accelerators: DeltaRNN (FPGA 2018), EdgeDRNN (2020), Spartus (2022)."""

from deltawave.machines.deltarnn.machine_deltarnn import DELTARNN_ZYNQ7100, DeltaRNN
from deltawave.machines.deltarnn.machine_edgedrnn import EDGEDRNN_MINIZED, EdgeDRNN
from deltawave.machines.deltarnn.machine_spartus import SPARTUS_ZYNQ7100, Spartus
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

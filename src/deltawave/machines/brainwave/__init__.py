"""Microsoft's Project Brainwave NPU (ISCA 2018)."""

from deltawave.machines.brainwave.machine import BW_A10, BW_S5, BW_S10, Brainwave
from deltawave.machines.brainwave.machine_cnn import BW_CNN_A10, BrainwaveCnn
from deltawave.machines.brainwave.paper import CLAIMS

MACHINES = (BW_S5, BW_A10, BW_S10, BW_CNN_A10)

__all__ = ["BW_A10", "BW_CNN_A10", "BW_S5", "BW_S10", "CLAIMS", "MACHINES", "Brainwave", "BrainwaveCnn"]

"""LSTM dies with stationary weights, alone and in a systolic array: Chipmunk (2018), Vau da Muntanialas (2021)."""

from deltawave.machines.muntaniala.machine import CHIPMUNK, MUNTANIALA, PROTOTYPE, Muntaniala
from deltawave.machines.muntaniala.paper import CLAIMS

MACHINES = (CHIPMUNK, MUNTANIALA, PROTOTYPE)

__all__ = ["CHIPMUNK", "CLAIMS", "MACHINES", "MUNTANIALA", "PROTOTYPE", "Muntaniala"]

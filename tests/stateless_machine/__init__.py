"""The toy machine with layers that keep no state: dense ones, and sums and rectifiers behind them."""

from stateless_machine.machine import LayerProcessor

MACHINES = (LayerProcessor(name="layers-1", clock_hz=50e6),)
CLAIMS = ()

__all__ = ["CLAIMS", "MACHINES", "LayerProcessor"]

"""Simulation of an accelerator core: frames in, outputs out, weights from a memory, registers over AXI4-Lite.

Its streams are x (x_data) in and h (h_data, h_last) out; column (column_data) out, answered by w (w_data); load
(load_select, load_data) in; the five of AXI4-Lite (axil_...); and the pulse step_done with step_cycles. A core has
those that it needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from deltawave.errors import SimulationError
from deltawave.rtl.simulation import Columns, Exchange, Simulation

OKAY, WHOLE_WORD = 0, 15
ACCESS_CYCLES = 1000
RESPONSES = ("OKAY", "EXOKAY", "SLVERR", "DECERR")


@dataclass(frozen=True)
class CoreRun:
    """What a core gave in a run."""

    exchange: Exchange
    h_lanes: int

    @property
    def outputs(self) -> NDArray[np.int64]:
        """Signed values of h_data, int64 [outputs] or, for more than one lane, [outputs, lanes]."""
        return self.exchange.taken["h"].values("h_data", self.h_lanes, signed=True)

    @property
    def last(self) -> NDArray[np.bool_]:
        """h_last of each output, bool [outputs]."""
        return self.exchange.taken["h"].values("h_last").astype(np.bool_)

    @property
    def step_cycles(self) -> NDArray[np.int64]:
        """Cycles of each step that ended, as the core counts them, int64 [steps]."""
        return self.exchange.taken["step"].values("step_cycles")

    @property
    def step_ends(self) -> NDArray[np.int64]:
        """In which cycle of the run each step ended, int64 [steps]."""
        return self.exchange.taken["step"].cycles

    @property
    def columns(self) -> NDArray[np.int64]:
        """The columns that were asked for, in order, int64 [requests]."""
        return self.exchange.taken["column"].values()

    @property
    def cycles(self) -> int:
        """Cycles of the run."""
        return self.exchange.cycles


class StreamSimulation(Simulation):
    """A core that is being simulated; see `Simulation` for its errors."""

    def set_columns(
        self, words: ArrayLike, counts: ArrayLike, cycles: ArrayLike, *, latency_cycles: int = 1
    ) -> None:
        """Give the memory its columns; see `Columns`."""
        self.serve("column", "w", Columns(words, counts, cycles, latency_cycles))

    def load(self, select: int, words: ArrayLike, *, stalls: Mapping[str, ArrayLike] | None = None) -> None:
        """Write words, [words] or [words, lanes], into the memory of that number, from its beginning."""
        values = np.asarray(words)
        inputs = {"load_select": np.full(len(values), select), "load_data": values}
        self.run(inputs, {}, limit_cycles=100 * len(values) + ACCESS_CYCLES, stalls=stalls)

    def write_register(self, address: int, value: int, *, strobe: int = WHOLE_WORD) -> None:
        """Write bytes of a 32-bit register. Raises SimulationError if the core does not answer, or not OKAY."""
        inputs = {"axil_awaddr": [address], "axil_wdata": [value], "axil_wstrb": [strobe]}
        optional = {"axil_awprot": [0]} if "axil_awprot" in self._port_names else {}
        answer = self.run({**inputs, **optional}, {"axil_b": 1}, limit_cycles=ACCESS_CYCLES)
        self._check(answer, "axil_b", f"a write at {address:#x}")

    def read_register(self, address: int) -> int:
        """A 32-bit register's value. Raises SimulationError if the core does not answer, or not OKAY."""
        optional = {"axil_arprot": [0]} if "axil_arprot" in self._port_names else {}
        answer = self.run({"axil_araddr": [address], **optional}, {"axil_r": 1}, limit_cycles=ACCESS_CYCLES)
        self._check(answer, "axil_r", f"a read at {address:#x}")
        return int(answer.taken["axil_r"].values("axil_rdata")[0])

    def run_steps(
        self,
        xs: ArrayLike,
        outputs: int,
        *,
        limit_cycles: int,
        steps: int = 0,
        h_lanes: int = 1,
        stalls: Mapping[str, ArrayLike] | None = None,
    ) -> CoreRun:
        """Offer xs, [beats] or [beats, lanes], until so many outputs came and so many steps ended.

        stalls: patterns of x, h, column and w. Raises as `Simulation.run`.
        """
        wanted = {"h": outputs, **({"step": steps} if steps else {})}
        return CoreRun(self.run({"x_data": xs}, wanted, limit_cycles=limit_cycles, stalls=stalls), h_lanes)

    @property
    def _port_names(self) -> set[str]:
        return {port.name for port in self.ports}

    @staticmethod
    def _check(answer: Exchange, stream: str, access: str) -> None:
        response = int(answer.taken[stream].values(f"{stream}resp")[0])
        if response != OKAY:
            raise SimulationError(f"the core answers {RESPONSES[response]} to {access}")

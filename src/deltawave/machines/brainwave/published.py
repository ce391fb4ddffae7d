"""Published measurements of the Brainwave NPU that both the cost model and the claims use."""

from dataclasses import dataclass

ISCA = "Fowers et al., ISCA 2018"
TABLE_1 = f"{ISCA}, Table I"
TABLE_5 = f"{ISCA}, Table V"
TABLE_6 = f"{ISCA}, Table VI"
TALK = "ISCA 2018, slides of the talk"
TOP_PICKS = "Fowers et al., IEEE Micro 2019"
POWER_WATTS = 125.0
"""Of BW_S10 under a power virus (ISCA 2018, Table IV)."""


@dataclass(frozen=True)
class Build:
    """A synthesised instance (ISCA 2018, Table III). `design`: its published parameters, by the machine's names.

    `watts`: of its board, None if not published.
    """

    machine: str
    device: str
    design: dict[str, float]
    alms: int
    m20ks: int
    dsps: int
    peak_tflops: float
    watts: float | None = None

    def is_build_of(self, machine: object) -> bool:
        """Whether a machine has the parameters of the one that was built."""
        return all(getattr(machine, name) == value for name, value in self.design.items())


@dataclass(frozen=True)
class DeepBench:
    """A row of ISCA 2018, Table V: BW_S10 on a layer with as many inputs as units, batch 1.

    `units_run`: what the latency belongs to, where that differs: 2,816 units make 384 tiles, more than the 306 there
    are, and the row's cycles a step are those of 2,560 units and, in Table I, of 2,800: it ran as 7 x 7 tiles.
    """

    cell: str
    hidden: int
    steps: int
    sdm_ms: float
    latency_ms: float
    tflops: float
    utilisation_percent: float
    units_run: int

    @property
    def name(self) -> str:
        """As the paper calls it."""
        return f"{self.cell.upper()} {self.hidden} t={self.steps}"


S5_DESIGN = {
    "native_dim": 100,
    "lanes": 10,
    "tile_engines": 6,
    "mrf_tiles": 306,
    "mfus": 2,
    "clock_hz": 200e6,
}
A10_DESIGN = {
    "native_dim": 128,
    "lanes": 16,
    "tile_engines": 8,
    "mrf_tiles": 512,
    "mfus": 2,
    "clock_hz": 300e6,
}
S10_DESIGN = {
    "native_dim": 400,
    "lanes": 40,
    "tile_engines": 6,
    "mrf_tiles": 306,
    "mfus": 2,
    "clock_hz": 250e6,
}
BUILDS = (
    Build("bw-s5", "Stratix V D5", S5_DESIGN, 149_641, 1_192, 1_047, 2.4),
    Build("bw-a10", "Arria 10 1150", A10_DESIGN, 216_602, 2_171, 1_518, 9.8),
    Build(
        "bw-s10",
        "Stratix 10 280",
        {**S10_DESIGN, "mantissa_bits": 2},
        845_719,
        8_192,
        5_245,
        48.0,
        POWER_WATTS,
    ),
)
BATCH_1 = (
    DeepBench("gru", 2816, 750, 1.581, 1.987, 35.92, 74.8, 2800),
    DeepBench("gru", 2560, 375, 0.661, 0.993, 29.69, 61.8, 2560),
    DeepBench("gru", 2048, 375, 0.438, 0.954, 19.79, 41.2, 2048),
    DeepBench("gru", 1536, 375, 0.266, 0.951, 11.17, 23.3, 1536),
    DeepBench("gru", 1024, 1500, 0.558, 3.792, 4.98, 10.4, 1024),
    DeepBench("gru", 512, 1, 0.00017, 0.013, 0.25, 0.5, 512),
    DeepBench("lstm", 2048, 25, 0.037, 0.074, 22.62, 47.1, 2048),
    DeepBench("lstm", 1536, 50, 0.043, 0.145, 13.01, 27.1, 1536),
    DeepBench("lstm", 1024, 25, 0.011, 0.074, 5.68, 11.8, 1024),
    DeepBench("lstm", 512, 25, 0.0038, 0.077, 1.37, 2.8, 512),
    DeepBench("lstm", 256, 150, 0.0126, 0.425, 0.37, 0.8, 256),
)

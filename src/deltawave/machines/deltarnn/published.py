"""Published measurements that both the cost model and the claims use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class MeasuredPower:
    """Power of a built machine while it runs. `design`: the parameters the measured machine had."""

    name: str
    watts: float
    what: str
    source: str
    certainty: str
    design: dict[str, float]


@dataclass(frozen=True)
class Resource:
    """How much of an FPGA a built machine took."""

    name: str
    amount: float
    source: str
    certainty: str
    design: dict[str, float]


DELTARNN_DESIGN = {"clock_hz": 125e6, "channels": 3, "channel_pes": 128, "memory_ports": 2, "weight_bits": 16}
EDGEDRNN_DESIGN = {"clock_hz": 125e6, "pes": 8, "dram_bytes_per_cycle": 8, "weight_bits": 8}
SPARTUS_DESIGN = {"clock_hz": 200e6, "arrays": 8, "array_pes": 64, "weight_bits": 8}

DELTARNN_MPP_POWER = MeasuredPower(
    "Zynq MPP",
    7.3,
    "running board less base board and fan",
    "DeltaRNN lecture (Moshovos 2019): 15.2 W - 7.9 W",
    "seed",
    DELTARNN_DESIGN,
)
EDGEDRNN_JETCAS_POWER = MeasuredPower(
    "wall plug, JETCAS",
    2.3,
    "JETCAS board",
    "EdgeDRNN (JETCAS 2020); 20.2 GOp/s over 8.8 GOp/s/W is 2.30 W",
    "recall 80%",
    EDGEDRNN_DESIGN,
)
EDGEDRNN_AICAS_POWER = MeasuredPower(
    "wall plug, AICAS",
    2.42,
    "AICAS board",
    "EdgeDRNN (AICAS 2020, arXiv:1912.12193), abstract",
    "text",
    EDGEDRNN_DESIGN,
)
SPARTUS_POWER = MeasuredPower(
    "board",
    9.4 / 1.1,
    "as the headline implies",
    "Spartus (arXiv:2108.02297), abstract: 9.4 TOp/s over 1.1 TOp/s/W",
    "derived",
    SPARTUS_DESIGN,
)
SPARTUS_RECALLED_POWER = MeasuredPower(
    "board, recalled", 8.4, "whole board", "Spartus (TNNLS 2022)", "recall 65%", SPARTUS_DESIGN
)
POWERS = (
    DELTARNN_MPP_POWER,
    EDGEDRNN_JETCAS_POWER,
    EDGEDRNN_AICAS_POWER,
    SPARTUS_RECALLED_POWER,
    SPARTUS_POWER,
)

DELTARNN_TABLE = "DeltaRNN (FPGA 2018), resource table"
RESOURCES = (
    Resource("LUT", 261_357, DELTARNN_TABLE, "recall 45%", DELTARNN_DESIGN),
    Resource("FF", 119_260, DELTARNN_TABLE, "recall 45%", DELTARNN_DESIGN),
)


def built(machine: object, design: dict[str, float]) -> bool:
    """Whether a machine has the parameters of the one that was built and measured."""
    return all(getattr(machine, name, None) == value for name, value in design.items())

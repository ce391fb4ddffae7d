"""The variant of the Brainwave NPU for convolutional networks (Fowers et al., IEEE Micro 2019).

Its engines share windows: each has the same weights and another window, so there is no reduction over engines. The
published instance, BW_CNN_A10, ran ResNet-50 on an Arria 10 1150 with 5 mantissa bits; everything else about it is
ours, chosen before any latency was looked at:

- 23 engines of 64 x 8 multipliers at 300 MHz make 7.07 TFLOP/s, what the talk's 4.7 TFLOP/s at 66 % imply (7.1). All
  channel counts of ResNet-50 are multiples of 64.
- The weights of ResNet-50 take 17.9 MB with 5 mantissa bits, the device has 6.8 MB: they stream from DRAM, 128 bytes a
  cycle, two channels of DDR4-2400.
- The register files hold the largest maps of ResNet-50, the MatrixRf four pieces of its widest layers; together they
  stay below the device's 2,713 M20K blocks.
"""

from dataclasses import dataclass

from deltawave.machines.brainwave.machine import OURS, Brainwave
from deltawave.options import option


@dataclass(frozen=True, kw_only=True)
class BrainwaveCnn(Brainwave):
    """The variant for convolutional networks, its weights may stream from DRAM (Brainwave, IEEE Micro 2019).

    Defaults are those of BW_CNN_A10.
    """

    clock_hz: float = option(300e6, unit="Hz", doc="Clock frequency", source=f"{OURS}; that of BW_A10")
    native_dim: int = option(64, doc="Native dimension N of vectors and tiles", source=OURS)
    lanes: int = option(8, doc="Lanes L of a dot-product engine", source=OURS)
    tile_engines: int = option(
        23,
        doc="Tile engines E",
        source=f"{OURS}; with N, L and the clock 7.07 TFLOP/s, as the talk's figures imply",
    )
    mantissa_bits: int = option(
        5, unit="bit", doc="Mantissa of block floating point", source="[text] ISCA 2018, Table VI: 1s.5e.5m"
    )
    mrf_tiles: int = option(320, unit="tile", doc="Tiles that the MatrixRf holds", source=OURS)
    initial_vrf_entries: int = option(16384, unit="vector", doc="InitialVrf", source=OURS)
    add_sub_vrf_entries: int = option(13312, unit="vector", doc="AddSubVrf of each MFU", source=OURS)
    multiply_vrf_entries: int = option(512, unit="vector", doc="MultiplyVrf of each MFU", source=OURS)
    mfu_lanes: int = option(
        256,
        unit="element/cycle",
        doc="Elements of a vector that an MFU takes in a cycle",
        source=f"{OURS}; more than for recurrent networks, says IEEE Micro 2019",
    )
    shares_windows: bool = option(
        True,
        doc="Engines work on different windows with the same weights; else on different tiles",
        source="[text] IEEE Micro 2019",
    )
    dram_bytes_per_cycle: int = option(
        128, unit="byte/cycle", doc="Weights that do not fit stream from DRAM", source=f"{OURS}; 38.4 GB/s"
    )


BW_CNN_A10 = BrainwaveCnn(name="bw-cnn-a10")

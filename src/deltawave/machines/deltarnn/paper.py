"""Every published figure of the delta machines, and ours.

DeltaRNN: Gao et al., FPGA 2018 (acemap.info/paper/237960970), and the lecture that presents it (Moshovos
2019). Delta networks: Neil et al., ICML 2017 (arXiv:1612.05571). EdgeDRNN: Gao et al., AICAS 2020
(arXiv:1912.12193) and JETCAS 2020 (arXiv:2012.13600), RTL github:SensorsINI/EdgeDRNN. Spartus: Gao et al.,
TNNLS 2022 (arXiv:2108.02297), training code github:gaochangw/DeltaLSTM-CBTD.
"""

from functools import partial

from deltawave.machines.claims import Claim
from deltawave.machines.deltarnn import operating as at
from deltawave.machines.deltarnn.machine_deltarnn import DELTARNN_ZYNQ7100
from deltawave.machines.deltarnn.machine_edgedrnn import EDGEDRNN_MINIZED
from deltawave.machines.deltarnn.machine_spartus import SPARTUS_ZYNQ7100
from deltawave.machines.deltarnn.published import (
    DELTARNN_MPP_POWER,
    DELTARNN_TABLE,
    EDGEDRNN_AICAS_POWER,
    EDGEDRNN_JETCAS_POWER,
    RESOURCES,
    SPARTUS_RECALLED_POWER,
)

LECTURE = "DeltaRNN lecture (Moshovos 2019)"
ABSTRACT = "DeltaRNN (FPGA 2018), abstract"
JETCAS = "EdgeDRNN (JETCAS 2020, arXiv:2012.13600), abstract"
AICAS = "EdgeDRNN (AICAS 2020, arXiv:1912.12193), abstract"
EDGE_RTL = "EdgeDRNN RTL (github:SensorsINI/EdgeDRNN)"
SPARTUS = "Spartus (TNNLS 2022, arXiv:2108.02297), abstract"
SPARTUS_CODE = "Spartus training code (github:gaochangw/DeltaLSTM-CBTD)"
NO_DATA = "the paper's data set and trained network are not public or not at hand"
MEASURED = "measured on a board; we model energy by operations and do not predict the power of a board"
NO_SYNTHESIS = "needs a synthesised netlist, which takes minutes: `deltawave rtl --report` makes it"
OTHER_PLATFORM = "a comparison with other platforms or papers, which we do not run"
DELTARNN_OCCUPANCY = (
    "the paper gives no occupancy: at the one its throughput implies if a step were nothing but columns (47 "
    "of 296 sent); ours adds "
    "the filling of encoder, channels and activation pipeline, whose depths are not published"
)
EDGEDRNN_OCCUPANCY = (
    "at the occupancy the paper's figures imply: 9.9% of the columns, peak over effective throughput"
)
SPARTUS_OCCUPANCY = (
    "at the activity the paper's figures imply if a step were nothing but evenly shared columns (50 an "
    "array); ours adds the scan, the "
    "sums and the activation pass, whose depths are not published"
)
deltarnn = partial(Claim, machine=DELTARNN_ZYNQ7100.name)
edgedrnn = partial(Claim, machine=EDGEDRNN_MINIZED.name)
spartus = partial(Claim, machine=SPARTUS_ZYNQ7100.name)
networks = partial(
    Claim,
    machine="delta networks",
    source="Delta Networks (ICML 2017, arXiv:1612.05571), abstract",
    certainty="text",
)


def _ieu(path: str, elements: int, case: str, reported: int) -> Claim:
    return deltarnn(
        name=f"IEU latency, {elements} elements of {path}, {case}",
        unit="cycle",
        reported=reported,
        source=LECTURE,
        certainty="seed",
        ours=lambda: at.ieu_cycles(path, elements, all_sent=case == "worst"),
    )


DELTA_NETWORKS = (
    networks(name="cost reduction, TIDIGITS", unit="x", reported=9.0, reason=NO_DATA),
    networks(name="cost reduction, WSJ", unit="x", reported=5.7, reason=NO_DATA),
    networks(name="cost reduction, steering angle", unit="x", reported=100.0, reason=NO_DATA),
)
DELTARNN = (
    deltarnn(
        name="multiply-accumulate units",
        unit="",
        reported=768,
        source="DeltaRNN (FPGA 2018)",
        certainty="recall 80%",
        ours=lambda: DELTARNN_ZYNQ7100.multipliers,
    ),
    deltarnn(
        name="peak throughput",
        unit="GOp/s",
        reported=192,
        source="DeltaRNN (FPGA 2018)",
        certainty="recall 85%",
        ours=lambda: at.peak(DELTARNN_ZYNQ7100) / 1e9,
    ),
    _ieu("h", 1024, "best", 32),
    _ieu("h", 1024, "worst", 512),
    _ieu("x", 40, "best", 10),
    _ieu("x", 40, "worst", 20),
    deltarnn(
        name="operations of a step, 40 inputs, 256 units",
        unit="Op",
        reported=454_656,
        source="2 * 3 * 256 * (40 + 256)",
        certainty="derived",
        ours=lambda: at.deltarnn_dense().operations,
    ),
    deltarnn(
        name="dense step, 40 inputs, 256 units",
        unit="cycle",
        reported=296,
        source="one column a cycle",
        certainty="derived",
        ours=lambda: at.deltarnn_dense().step_cycles,
        reason="ours adds the filling of encoder, channels and activation pipeline",
    ),
    deltarnn(
        name="effective throughput, 1 layer of 256",
        unit="GOp/s",
        reported=1200,
        source=ABSTRACT,
        certainty="text",
        ours=lambda: at.deltarnn_delta().operations_per_second / 1e9,
        reason=DELTARNN_OCCUPANCY,
    ),
    deltarnn(
        name="power efficiency",
        unit="GOp/s/W",
        reported=164,
        source=ABSTRACT,
        certainty="text",
        ours=lambda: at.deltarnn_delta().operations_per_second / 1e9 / DELTARNN_MPP_POWER.watts,
        reason=f"at the measured {DELTARNN_MPP_POWER.watts} W (1200 / 7.3 = 164.4); {DELTARNN_OCCUPANCY}",
    ),
    deltarnn(
        name="speedup by delta",
        unit="x",
        reported=5.7,
        source=ABSTRACT,
        certainty="text",
        ours=lambda: at.deltarnn_dense().step_cycles / at.deltarnn_delta().step_cycles,
        reason="against a strictly dense step; 1200 / 5.7 = 210 GOp/s is above the peak of 192, so the "
        "paper's baseline "
        f"skips natural zeros or is rounded; {DELTARNN_OCCUPANCY}",
    ),
    deltarnn(
        name="accuracy lost at theta = 0.5 (0x80), TIDIGITS",
        unit="%",
        reported=1.57,
        source=LECTURE,
        certainty="seed",
        reason=NO_DATA,
    ),
    deltarnn(
        name="wall plug, board and fan",
        unit="W",
        reported=7.9,
        source=LECTURE,
        certainty="seed",
        reason=MEASURED,
    ),
    deltarnn(
        name="wall plug, with the Zynq unprogrammed",
        unit="W",
        reported=9.4,
        source=LECTURE,
        certainty="seed",
        reason=f"{MEASURED}; the slide itself doubts the figure and goes on with 9.7 W",
    ),
    deltarnn(
        name="wall plug, programmed",
        unit="W",
        reported=10.0,
        source=LECTURE,
        certainty="seed",
        reason=MEASURED,
    ),
    deltarnn(
        name="wall plug, running", unit="W", reported=15.2, source=LECTURE, certainty="seed", reason=MEASURED
    ),
    deltarnn(
        name="Zynq MPP power",
        unit="W",
        reported=DELTARNN_MPP_POWER.watts,
        source=DELTARNN_MPP_POWER.source,
        certainty=DELTARNN_MPP_POWER.certainty,
        reason=MEASURED,
    ),
    deltarnn(
        name="Zynq chip power",
        unit="W",
        reported=5.5,
        source=LECTURE,
        certainty="seed",
        reason=f"{MEASURED}; 15.2 W - 9.7 W, not the 9.4 W printed",
    ),
    deltarnn(
        name="power by Vivado's analyser at 50% activity, DRNN",
        unit="W",
        reported=2.72,
        source=LECTURE,
        certainty="seed",
        reason=MEASURED,
    ),
    deltarnn(
        name="power by Vivado's analyser at 50% activity, BRAM",
        unit="W",
        reported=2.28,
        source=LECTURE,
        certainty="seed",
        reason=MEASURED,
    ),
    *(
        deltarnn(
            name=r.name,
            unit="",
            reported=r.amount,
            source=r.source,
            certainty=r.certainty,
            reason=NO_SYNTHESIS,
        )
        for r in RESOURCES
    ),
    deltarnn(
        name="BRAM36",
        unit="blocks",
        reported=457.5,
        source=DELTARNN_TABLE,
        certainty="recall 45%",
        reason="our weight memory was sized by this figure",
    ),
    deltarnn(
        name="DSP48E1",
        unit="slices",
        reported=768,
        source=DELTARNN_TABLE,
        certainty="recall 80%",
        ours=lambda: at.deltarnn_dense().resource("DSP48E1"),
    ),
)
EDGEDRNN = (
    edgedrnn(
        name="peak throughput",
        unit="GOp/s",
        reported=2.0,
        source=f"8 PEs ({EDGE_RTL}) at 125 MHz",
        certainty="derived",
        ours=lambda: at.peak(EDGEDRNN_MINIZED) / 1e9,
    ),
    edgedrnn(
        name="weight stream from DRAM",
        unit="GB/s",
        reported=1.0,
        source="emergentmind.com/topics/edgedrnn",
        certainty="text",
        ours=lambda: EDGEDRNN_MINIZED.dram_bytes_per_cycle * EDGEDRNN_MINIZED.clock_hz / 1e9,
    ),
    *(
        edgedrnn(
            name=f"entries of the {function} table",
            unit="",
            reported=entries,
            source=EDGE_RTL,
            certainty="text",
            ours=partial(at.rtl_table_entries, function),
        )
        for function, entries in (("tanh", 1061), ("sigmoid", 1759))
    ),
    edgedrnn(
        name="activation pass, 768 units",
        unit="cycle",
        reported=490,
        source=f"5 * (768 / 8 + 2), from the {EDGE_RTL}",
        certainty="derived",
        ours=at.edgedrnn_activation_cycles,
    ),
    edgedrnn(
        name="weights, 2 layers of 768",
        unit="",
        reported=5_400_576,
        source="3 * 768 * (40 + 768 + 768 + 768)",
        certainty="derived",
        ours=lambda: at.edgedrnn_dense().operations / 2,
    ),
    edgedrnn(
        name="dense step, 2 layers of 768",
        unit="ms",
        reported=5.40,
        source="weights over 8 PEs at 125 MHz",
        certainty="derived",
        ours=lambda: at.edgedrnn_dense().step_seconds * 1e3,
    ),
    edgedrnn(
        name="mean effective throughput",
        unit="GOp/s",
        reported=20.2,
        source=f"{JETCAS}; {AICAS}",
        certainty="text",
        ours=lambda: at.edgedrnn_delta().operations_per_second / 1e9,
        reason=EDGEDRNN_OCCUPANCY,
    ),
    edgedrnn(
        name="step at theta = 0.25 (0x40), 2 layers of 768, TIDIGITS",
        unit="us",
        reported=536,
        source="EdgeDRNN (JETCAS 2020)",
        certainty="recall 80%",
        ours=lambda: at.edgedrnn_delta().step_seconds * 1e6,
        reason=EDGEDRNN_OCCUPANCY,
    ),
    edgedrnn(
        name="step of a 2-layer GRU of 5 M parameters",
        unit="ms",
        reported=0.5,
        source=f"{JETCAS}: about 0.5 ms",
        certainty="text",
        ours=lambda: at.edgedrnn_delta().step_seconds * 1e3,
        reason=EDGEDRNN_OCCUPANCY,
    ),
    edgedrnn(
        name="step of a 2-layer GRU of 10 M parameters",
        unit="ms",
        reported=0.5,
        source=f"{AICAS}: less than 0.5 ms",
        certainty="text",
        ours=lambda: at.edgedrnn_delta(1024).step_seconds * 1e3,
        reason="can't hold together with 20.2 GOp/s, which makes 0.99 ms of 20 M operations: the abstract "
        "most likely counts "
        f"operations, not parameters; ours is 2 layers of 1024 (9.6 M parameters), {EDGEDRNN_OCCUPANCY}",
    ),
    edgedrnn(
        name="reduction of DRAM access",
        unit="x",
        reported=10.0,
        source=f"{JETCAS}: up to 10x",
        certainty="text",
        ours=lambda: at.edgedrnn_delta().traffic_reduction,
        reason=EDGEDRNN_OCCUPANCY,
    ),
    edgedrnn(
        name="latency of Jetson Nano, TX2, NCS2 over ours",
        unit="x",
        reported=5.0,
        source=JETCAS,
        certainty="text",
        reason=OTHER_PLATFORM,
    ),
    edgedrnn(
        name="latency of Jetson Nano, TX2, NCS2 over ours, first version",
        unit="x",
        reported=6.0,
        source=AICAS,
        certainty="text",
        reason=OTHER_PLATFORM,
    ),
    edgedrnn(
        name="latency of a GTX 1080 (92 W) over ours",
        unit="x",
        reported=1.0,
        source=f"{JETCAS}: similar",
        certainty="text",
        reason=OTHER_PLATFORM,
    ),
    *(
        edgedrnn(
            name=p.name, unit="W", reported=p.watts, source=p.source, certainty=p.certainty, reason=MEASURED
        )
        for p in (EDGEDRNN_AICAS_POWER, EDGEDRNN_JETCAS_POWER)
    ),
    edgedrnn(
        name="wall plug efficiency, JETCAS",
        unit="GOp/s/W",
        reported=8.8,
        source="emergentmind.com/topics/edgedrnn: up to 8.8",
        certainty="text",
        ours=lambda: at.edgedrnn_delta().operations_per_second / 1e9 / EDGEDRNN_JETCAS_POWER.watts,
        reason=f"at {EDGEDRNN_JETCAS_POWER.watts} W ({EDGEDRNN_JETCAS_POWER.certainty}), which agrees with this very "
        f"figure: the row tells no more than the throughput's; {EDGEDRNN_OCCUPANCY}",
    ),
    edgedrnn(
        name="wall plug efficiency, AICAS",
        unit="GOp/s/W",
        reported=8.35,
        source="20.2 GOp/s over 2.42 W",
        certainty="derived",
        ours=lambda: at.edgedrnn_delta().operations_per_second / 1e9 / EDGEDRNN_AICAS_POWER.watts,
        reason=f"at the measured {EDGEDRNN_AICAS_POWER.watts} W, {EDGEDRNN_OCCUPANCY}",
    ),
    edgedrnn(
        name="wall plug efficiency over other edge platforms",
        unit="x",
        reported=4.0,
        source=f"{JETCAS}: over 4x",
        certainty="text",
        reason=OTHER_PLATFORM,
    ),
    edgedrnn(
        name="power of the accelerator in the programmable logic",
        unit="mW",
        reported=66,
        source="EdgeDRNN (JETCAS 2020)",
        certainty="recall 65%",
        reason=MEASURED,
    ),
    edgedrnn(
        name="DSP48E1",
        unit="slices",
        reported=9,
        source="EdgeDRNN (JETCAS 2020)",
        certainty="recall 50%",
        ours=lambda: at.edgedrnn_dense().resource("DSP48E1"),
        reason="ours counts one a PE; what the ninth does is not known",
    ),
)
SPARTUS_CLAIMS = (
    spartus(
        name="theoretical throughput",
        unit="GOp/s",
        reported=204,
        source="9.4 TOp/s over 46; 512 units at 200 MHz make 204.8",
        certainty="derived",
        ours=lambda: at.peak(SPARTUS_ZYNQ7100) / 1e9,
    ),
    spartus(
        name="cycles of a column of 4096 weights, gamma = 0.94",
        unit="cycle",
        reported=4,
        source=f"64 rows a PE, 60 dropped ({SPARTUS_CODE})",
        certainty="derived",
        ours=at.spartus_column_cycles,
    ),
    spartus(
        name="weight sparsity, gamma = 0.94",
        unit="%",
        reported=93.75,
        source=SPARTUS_CODE,
        certainty="derived",
        ours=lambda: 100 * at.spartus_weight_sparsity(),
    ),
    spartus(
        name="step, 1 layer of 1024",
        unit="us",
        reported=1.0,
        source=SPARTUS,
        certainty="text",
        ours=lambda: at.spartus_delta().step_seconds * 1e6,
        reason=SPARTUS_OCCUPANCY,
    ),
    spartus(
        name="effective throughput",
        unit="TOp/s",
        reported=9.4,
        source=SPARTUS,
        certainty="text",
        ours=lambda: at.spartus_delta().operations_per_second / 1e12,
        reason=SPARTUS_OCCUPANCY,
    ),
    spartus(
        name="speedup over theoretical throughput",
        unit="x",
        reported=46,
        source=SPARTUS,
        certainty="text",
        ours=lambda: at.spartus_delta().operations_per_second / at.peak(SPARTUS_ZYNQ7100),
        reason=SPARTUS_OCCUPANCY,
    ),
    spartus(
        name="share of the speedup by spatial sparsity",
        unit="x",
        reported=16,
        source="1 / (1 - 0.9375)",
        certainty="derived",
        ours=lambda: 1 / (1 - at.spartus_weight_sparsity()),
    ),
    spartus(
        name="share of the speedup by temporal sparsity",
        unit="x",
        reported=2.9,
        source="46 / 16",
        certainty="derived",
        ours=lambda: at.spartus_dense().step_cycles / at.spartus_delta().step_cycles,
        reason=SPARTUS_OCCUPANCY,
    ),
    spartus(
        name="power efficiency",
        unit="TOp/s/W",
        reported=1.1,
        source=SPARTUS,
        certainty="text",
        ours=lambda: at.spartus_delta().operations_per_second / 1e12 / SPARTUS_RECALLED_POWER.watts,
        reason=f"at {SPARTUS_RECALLED_POWER.watts} W ({SPARTUS_RECALLED_POWER.certainty}); "
        f"{SPARTUS_OCCUPANCY}",
    ),
    spartus(
        name="board power",
        unit="W",
        reported=SPARTUS_RECALLED_POWER.watts,
        source=SPARTUS_RECALLED_POWER.source,
        certainty=SPARTUS_RECALLED_POWER.certainty,
        reason=f"{MEASURED}; 9.4 TOp/s over 1.1 TOp/s/W make 8.5 W",
    ),
    spartus(
        name="weight sparsity, TIMIT",
        unit="%",
        reported=96,
        source=f"{SPARTUS}: up to",
        certainty="text",
        reason=NO_DATA,
    ),
    spartus(
        name="weight sparsity, LibriSpeech",
        unit="%",
        reported=94,
        source=f"{SPARTUS}: up to",
        certainty="text",
        reason=NO_DATA,
    ),
    spartus(
        name="throughput over prior art",
        unit="x",
        reported=4,
        source="Spartus (arXiv:2108.02297v1), abstract",
        certainty="text",
        reason=OTHER_PLATFORM,
    ),
    spartus(
        name="power efficiency over prior art",
        unit="x",
        reported=7,
        source="Spartus (arXiv:2108.02297v1), abstract",
        certainty="text",
        reason=OTHER_PLATFORM,
    ),
)
CLAIMS = (*DELTA_NETWORKS, *DELTARNN, *EDGEDRNN, *SPARTUS_CLAIMS)

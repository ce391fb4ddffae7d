"""What no delta RTL can meet is refused, with the way out."""

from dataclasses import replace

import numpy as np
import pytest

from deltawave.errors import OptionError
from deltawave.kernels.cell import QuantisedCell
from deltawave.machines.deltarnn.machine import DeltaMachine
from deltawave.machines.deltarnn.machine_deltarnn import DELTARNN_ZYNQ7100
from deltawave.machines.deltarnn.machine_edgedrnn import EDGEDRNN_MINIZED
from deltawave.machines.deltarnn.machine_spartus import SPARTUS_ZYNQ7100
from deltawave.machines.deltarnn.rtl.design import legal_shape
from deltawave.numerics import Fixed, exact_table
from rtl.delta_cases import weighted


def cell(kind: str = "gru", weight_bits: int = 8, accumulator_bits: int = 24) -> QuantisedCell:
    sigmoid, tanh = exact_table("sigmoid", 8), exact_table("tanh", 8)
    return weighted(
        np.random.default_rng(0),
        kind,
        3,
        5,
        activation=Fixed(8, 8),
        weight_bits=weight_bits,
        weight_fraction_bits=7,
        accumulator_bits=accumulator_bits,
        accumulator_saturates=False,
        tables=(sigmoid, tanh, tanh),
    )


@pytest.mark.parametrize(
    ("machine", "what", "message"),
    [
        (
            EDGEDRNN_MINIZED,
            cell(weight_bits=9),
            "edgedrnn-minized: accumulators of 24 bits do not hold a product of 9-bit weights and 16-bit values; "
            "set accumulator_bits = 25 or more",
        ),
        (
            replace(DELTARNN_ZYNQ7100, mxv_latency_cycles=2),
            cell(),
            "deltarnn-zynq7100: mxv_latency_cycles = 2; the RTL takes at least 3: weight, product, sum",
        ),
        (
            replace(EDGEDRNN_MINIZED, mac_latency_cycles=1),
            cell(),
            "edgedrnn-minized: mac_latency_cycles = 1; the RTL takes at least 3: weight, product, sum",
        ),
        (
            replace(EDGEDRNN_MINIZED, activation_cycles=3),
            cell("lstm"),
            "edgedrnn-minized: activation_cycles = 3; the RTL reads the 4 gates of a neuron one after another: "
            "set activation_cycles = 4 or more",
        ),
        (
            replace(EDGEDRNN_MINIZED, activation_extra_groups=0),
            cell(),
            "edgedrnn-minized: a group of neurons is activated in 5 cycles; the RTL takes 7: "
            "set more activation_extra_groups",
        ),
        (
            replace(DELTARNN_ZYNQ7100, activation_stages=4),
            cell(),
            "deltarnn-zynq7100: a group of neurons is activated in 4 cycles; the RTL takes 5: "
            "set more activation_stages",
        ),
        (
            replace(SPARTUS_ZYNQ7100, activation_lanes=48),
            cell("lstm"),
            "spartus-zynq7100: activation_lanes = 48 do not divide the 64 multipliers of a gate",
        ),
    ],
)
def test_parameters_that_no_design_meets(machine: DeltaMachine, what: QuantisedCell, message: str) -> None:
    with pytest.raises(OptionError) as refusal:
        legal_shape(machine, what, "core")
    assert str(refusal.value) == message

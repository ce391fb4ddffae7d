"""Published figures of the Brainwave NPU on convolutions, and ours."""

from deltawave.machines.brainwave.machine_cnn import BW_CNN_A10
from deltawave.machines.brainwave.paper_cnn import (
    BW_S10_IN_PLACE,
    CNN_CLAIMS,
    CNN_VARIANT,
    LAYER,
    cycles_alone,
    image,
    step_cycles,
)

OURS = {(claim.machine, claim.name): claim.ours() for claim in CNN_CLAIMS if claim.ours}


def test_every_figure_has_ours() -> None:
    assert len(OURS) == len(CNN_CLAIMS)


def test_the_bounds_of_the_convolution() -> None:
    products = 28 * 28 * 128 * 128 * 9
    path_cycles = 1 + 11 + 1  # multiply, sum 1,152 products in a tree, add the bias
    assert OURS["bw-s10", f"{LAYER}, operations"] == 2 * products / 1e6
    assert OURS["bw-s10", f"{LAYER}, UDM"] == path_cycles
    assert OURS["bw-s10", f"{LAYER}, SDM"] == -(-products // 96_000) + path_cycles


def test_steps_of_the_convolution_take_what_its_products_hold_the_engines() -> None:
    assert CNN_VARIANT.multipliers == 98_304
    assert step_cycles(CNN_VARIANT) == 33 * 9 * 4  # rounds of 24 windows, tiles, cycles of a tile
    assert (
        step_cycles(BW_S10_IN_PLACE) == 784 * 1 * 10
    )  # windows, rounds of 3 tiles on 6 engines, cycles of a tile


def test_the_convolution_alone_takes_the_sum_of_what_it_passes() -> None:
    issue = CNN_VARIANT.loop_cycles + 8 * CNN_VARIANT.issue_cycles
    pipeline = CNN_VARIANT.mvm_cycles + CNN_VARIANT.mfu_operation_cycles + CNN_VARIANT.write_back_cycles
    last_round = 784 % 24 // 2 - 1  # its sums come out together, the MFUs take two a cycle
    assert (
        cycles_alone(CNN_VARIANT) == issue + CNN_VARIANT.dispatch_cycles + 33 * 9 * 4 + last_round + pipeline
    )


def test_resnet50_has_the_published_operations() -> None:
    assert round(OURS["bw-cnn-a10", "ResNet-50, operations of an image"], 1) == 7.7


def test_resnet50_takes_longer_than_its_products_and_than_its_weights_from_dram() -> None:
    cycles = image().seconds * BW_CNN_A10.clock_hz
    weight_bits = 23_454_912 * (1 + BW_CNN_A10.mantissa_bits)  # of all convolutions
    assert cycles > image().operations / 2 / BW_CNN_A10.multipliers
    assert cycles > weight_bits / 8 / BW_CNN_A10.dram_bytes_per_cycle
    assert OURS["bw-cnn-a10", "ResNet-50, batch 1, utilisation, talk"] < 100

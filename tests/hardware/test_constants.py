from deltawave.hardware import constants
from deltawave.hardware.constants import Constant, add_pj, multiply_pj


def test_energy_shrinks_with_length_area_with_its_square_dram_not() -> None:
    assert constants.SRAM_BIT.scaled == 5 / 32 * (28 / 45)
    assert constants.SRAM_AREA.scaled == 594_786 / (162 * 1024 * 8) * (28 / 45) ** 2
    assert constants.DRAM_BIT.scaled == 640 / 32


def test_operations_scale_with_their_widths() -> None:
    assert multiply_pj(32, 32) == constants.MULTIPLY_32.scaled
    assert multiply_pj(8, 16) * 8 == multiply_pj(32, 32)
    assert add_pj(16) * 2 == add_pj(32) == constants.ADD_32.scaled


def test_a_report_shows_value_source_certainty_and_scaling() -> None:
    constant = Constant(2.5, "pJ", 45, 1, "a paper", "recall 90%")
    assert constant.reference == "2.5 pJ: a paper [recall 90%], x (28/45)^1"
    assert Constant(2.5, "pJ", 45, None, "a paper", "text").reference == "2.5 pJ: a paper [text]"


def test_every_constant_says_where_it_comes_from() -> None:
    known = [c for c in vars(constants).values() if isinstance(c, Constant)]
    assert len(known) == 11
    assert all(c.source and c.certainty and c.unit and c.value > 0 for c in known)

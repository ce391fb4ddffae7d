"""Published figures of Chipmunk and Muntaniala and ours."""

from deltawave.machines.claims import rows
from deltawave.machines.muntaniala import operating
from deltawave.machines.muntaniala.paper import CLAIMS

BY_NAME = {claim.name: claim for claim in CLAIMS}


def test_figures_that_follow_from_the_mapping_are_met_exactly() -> None:
    exact = {row["name"] for row in rows(CLAIMS) if row["deviation"] == 0}
    assert {
        "tiles, 3 layers of 421 with 123 inputs",
        "dies, 3 layers of 384 with 123 inputs",
        "weights, 3 layers of 384 with 123 inputs",
        "operations of a step, 192 units, 192 inputs",
    } <= exact


def test_what_is_calibrated_says_so_and_is_near() -> None:
    names = (
        "latency of a step, 192 units at 10 MHz",
        "system power, links included",
        "energy of a step, links included",
    )
    for name in names:
        row = BY_NAME[name].row()
        assert "calibrated" in row["reason"]
        assert abs(row["deviation"]) < 0.05


def test_the_power_of_75_tiles_stays_below_the_published_bound() -> None:
    row = BY_NAME["power of 75 tiles, a frame every 10 ms, at most"].row()
    assert row["ours"] < row["reported"]
    assert operating.graves().step_seconds < operating.FRAME_S


def test_one_set_of_parameters_serves_all_three_machines() -> None:
    """But for the point of operation, the energy of a die, and how many there are."""
    free = {"name", "silicon", "clock_hz", "voltage_v", "dies"}
    machines = [
        vars(point.machine) for point in (operating.prototype(), operating.graves(), operating.nh384())
    ]
    shared = [{name: value for name, value in machine.items() if name not in free} for machine in machines]
    assert shared[0] == shared[1] == shared[2]

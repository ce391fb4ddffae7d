"""Published figures and ours: what every row of every family promises."""

import re

import pytest

from deltawave.machines import families
from deltawave.machines.claims import Claim

CLAIMS = [claim for family in families().values() for claim in family.CLAIMS]
COLUMNS = {"machine", "name", "unit", "reported", "ours", "deviation", "source", "certainty"}
CERTAINTY = re.compile(r"text|seed|derived|figread|recall \d+%")


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.machine}: {claim.name}")
def test_a_row_is_complete_and_consistent(claim: Claim) -> None:
    row = claim.row()
    assert set(row) - {"reason"} == COLUMNS
    assert CERTAINTY.fullmatch(claim.certainty)
    assert claim.source
    if row["ours"] is None:
        assert row["deviation"] is None
        assert row["reason"]
    else:
        assert row["deviation"] == (row["ours"] - row["reported"]) / row["reported"]
        assert abs(row["deviation"]) <= 0.1 or row["reason"]


def test_names_are_unique() -> None:
    names = [(claim.machine, claim.name) for claim in CLAIMS]
    assert len(set(names)) == len(names)

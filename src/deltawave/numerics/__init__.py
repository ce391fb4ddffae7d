"""Exact arithmetic: fixed point formats, rounding, activation tables."""

from deltawave.numerics.fixed import Fixed, round_shift
from deltawave.numerics.tables import ActivationTable, exact_table, stepped_table

__all__ = ["ActivationTable", "Fixed", "exact_table", "round_shift", "stepped_table"]

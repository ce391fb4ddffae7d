"""Values that wait."""

from amaranth import Module, Signal, Value


def delayed(m: Module, value: Value, cycles: int, name: str) -> Value:
    """The value so many cycles later."""
    for cycle in range(cycles):
        kept = Signal(value.shape(), name=f"{name}_{cycle + 1}")
        m.d.sync += kept.eq(value)
        value = kept
    return value

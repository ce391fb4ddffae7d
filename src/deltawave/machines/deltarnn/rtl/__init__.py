"""The RTL of the delta machines, in Amaranth: the bits of `semantics`, the cycles of `timing`."""

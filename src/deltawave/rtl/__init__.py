"""Hardware descriptions around any core: Verilog out of Amaranth, exact simulation, registers, synthesis reports.

Nothing here knows a machine. A core's ports are found by their names: every pair `*valid`, `*ready` is a stream.
"""

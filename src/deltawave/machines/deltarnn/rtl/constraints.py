"""Constraints to begin with: the clock of the machine; pins are the board's."""

XDC = """# {module} for Xilinx tools. The clock of the machine is {clock_mhz:g} MHz.
create_clock -name clk -period {period_ns:.3f} [get_ports clk]

# Inside a design the module's ports are nets, and nothing more is needed. On pins, say how long signals take outside
# (here a third of the period), and where the pins are:
# set_input_delay  -clock clk {delay_ns:.3f} [all_inputs]
# set_output_delay -clock clk {delay_ns:.3f} [all_outputs]
# set_property -dict {{PACKAGE_PIN <pin> IOSTANDARD LVCMOS33}} [get_ports clk]
# set_property -dict {{PACKAGE_PIN <pin> IOSTANDARD LVCMOS33}} [get_ports rst]
"""
LPF = """# {module} for Lattice ECP5 and nextpnr-ecp5. The clock of the machine is {clock_mhz:g} MHz.
FREQUENCY PORT "clk" {clock_mhz:g} MHZ;

# Inside a design the module's ports are nets, and nothing more is needed. On pins, say where they are:
# LOCATE COMP "clk" SITE "<pin>";
# IOBUF PORT "clk" IO_TYPE=LVCMOS33;
# LOCATE COMP "rst" SITE "<pin>";
# IOBUF PORT "rst" IO_TYPE=LVCMOS33;
"""


def constraints(module: str, clock_hz: float) -> dict[str, str]:
    """Constraints by the name of their file."""
    period_ns = 1e9 / clock_hz
    facts = {"module": module, "clock_mhz": clock_hz / 1e6, "period_ns": period_ns, "delay_ns": period_ns / 3}
    return {f"{module}.xdc": XDC.format(**facts), f"{module}.lpf": LPF.format(**facts)}

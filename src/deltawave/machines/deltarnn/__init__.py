"""Delta network accelerators: DeltaRNN (FPGA 2018), EdgeDRNN (2020), Spartus (2022)."""

"""Microsoft's Project Brainwave NPU (ISCA 2018)."""

"""Native kernels and the plain descriptions they run: they know nothing of machines."""

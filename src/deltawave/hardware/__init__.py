"""What all machines stand on: the timeline engine, traces, cost rows, energy and area constants."""

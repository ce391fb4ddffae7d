"""Files become streams of inputs and labels: arrays, recordings, texts."""

from deltawave.data.inputs import Recording, Sources, read_inputs
from deltawave.data.labels import labelled, read_labels

__all__ = ["Recording", "Sources", "labelled", "read_inputs", "read_labels"]

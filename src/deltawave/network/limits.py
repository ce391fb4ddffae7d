"""What a model file may ask of this computer, checked before anything of that size is allocated."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds on a model. Raise them for a model you trust; every message that refuses names its bound.

    file_bytes: the file; tensor_bytes: all stored tensors together, and any one tensor while running;
    computed_bytes: all constants computed while reading; fields: protobuf fields in the file; nodes: in all graphs
    together, functions inlined; nesting: of graphs in graphs.
    """

    file_bytes: int = 1 << 28
    tensor_bytes: int = 1 << 30
    computed_bytes: int = 1 << 28
    fields: int = 2_000_000
    nodes: int = 20_000
    nesting: int = 16


LIMITS = Limits()

"""Networks: read from ONNX or PyTorch, split between machine and host, run in float as the reference."""

from deltawave.network.flow import Feed, Flow, Place
from deltawave.network.graph import Network, StateTensor, Tensor
from deltawave.network.host import HostModel
from deltawave.network.layers import Cell, Conv, Dense, Layer, Opaque, Pointwise, Pool, Recurrent
from deltawave.network.limits import Limits
from deltawave.network.loading import load
from deltawave.network.partition import HostSegment, MachineSegment, Segment, partition
from deltawave.network.reference import FloatReference, capture
from deltawave.network.streams import Call, Stream, as_streams
from deltawave.network.torch_import import from_torch

__all__ = [
    "Call",
    "Cell",
    "Conv",
    "Dense",
    "Feed",
    "FloatReference",
    "Flow",
    "HostModel",
    "HostSegment",
    "Layer",
    "Limits",
    "MachineSegment",
    "Network",
    "Opaque",
    "Place",
    "Pointwise",
    "Pool",
    "Recurrent",
    "Segment",
    "StateTensor",
    "Stream",
    "Tensor",
    "as_streams",
    "capture",
    "from_torch",
    "load",
    "partition",
]

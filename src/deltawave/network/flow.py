"""Where a layer stands in its network: what feeds it, and the sizes of what it reads and makes."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal

import onnx

from deltawave.network.graph import Network
from deltawave.network.inference import infer
from deltawave.network.layers import Conv, Dense, Layer, Pointwise, Pool, Recurrent
from deltawave.network.onnx_types import attributes, dims
from deltawave.network.partition import activations

Layout = Literal["vectors", "map", ""]
"""Of a tensor: vectors along the last axis; a map [batch, channels, *pixels]; or not known."""
Sizes = tuple[int, ...]
"""A shape, 0 for a size that is free; empty if not even the number of axes is known."""
IN_ORDER = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout")
"""Operators that change the shape only: the elements stay in their order."""


@dataclass(frozen=True)
class Feed:
    """One tensor that a layer works on.

    `source`: the layer that made its elements, in the same order, '' if the machine does not run that layer or vectors
    do not stay vectors. `sizes`: as this layer reads it; `made`: as the source made it, with the layout `layout`.
    """

    source: str = ""
    sizes: Sizes = ()
    made: Sizes = ()
    layout: Layout = ""


@dataclass(frozen=True)
class Place:
    """A layer's surroundings. `feeds`: in the order of `activations`; `sizes`: of its first output."""

    feeds: tuple[Feed, ...] = (Feed(),)
    sizes: Sizes = ()


NOWHERE = Place()


class Flow:
    """How tensors get from layer to layer of a network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._makers = {name: node for node in network.model.graph.node for name in node.output if name}
        self._layers = {layer.name: layer for layer in network.layers}
        self._layouts: dict[str, Layout] = {}

    @cached_property
    def _sizes(self) -> Mapping[str, Sizes]:
        values = {value.name: dims(value) for value in infer(self._network.model)}
        return {
            name: tuple(size if isinstance(size, int) else 0 for size in sizes or [])
            for name, sizes in values.items()
        }

    def place(self, layer: Layer, taken: Collection[str]) -> Place:
        """Where a layer stands; `taken` names the layers before it that the machine runs. Asked in their order."""
        read = (layer.x,) if isinstance(layer, Recurrent) else activations(layer)
        feeds = tuple(self._feed(name, taken) for name in read)
        self._layouts[layer.name] = self._layout(layer, feeds)
        return Place(feeds, self._sizes.get(layer.outputs[0], ()))

    def _feed(self, name: str, taken: Collection[str]) -> Feed:
        sizes = self._sizes.get(name, ())
        made, maker = self._made_by(name)
        if maker is None or maker not in taken:
            return Feed(sizes=sizes)
        layout, shape = self._layouts[maker], self._sizes.get(made, ())
        if not _stays(layout, shape, sizes):
            return Feed(sizes=sizes)
        return Feed(maker, sizes, shape, layout)

    def _made_by(self, name: str) -> tuple[str, str | None]:
        """The tensor whose elements these are, in this order, and the layer whose first output that is."""
        node = self._makers.get(name)
        while node is not None and self._keeps_order(node):
            name = node.input[0]
            node = self._makers.get(name)
        return name, node.name if node is not None and node.output[0] == name else None

    def _keeps_order(self, node: onnx.NodeProto) -> bool:
        if node.op_type != "Transpose":
            return node.op_type in IN_ORDER
        sizes = self._sizes.get(node.input[0], ())
        order = attributes(node).get("perm", list(range(len(sizes)))[::-1])
        moved = [axis for axis in order if axis < len(sizes) and sizes[axis] != 1]
        return bool(sizes) and moved == sorted(moved)

    def _layout(self, layer: Layer, feeds: tuple[Feed, ...]) -> Layout:
        """Of what a layer makes: that of what a point-wise operation reads, where the sizes are the same."""
        if isinstance(layer, Conv | Pool):
            return "map"
        if isinstance(layer, Dense) or (isinstance(layer, Recurrent) and len(layer.cells) == 1):
            return "vectors"
        if not isinstance(layer, Pointwise):
            return ""
        sizes = self._sizes.get(layer.outputs[0])
        return next((feed.layout for feed in feeds if feed.source and feed.made == feed.sizes == sizes), "")


def _stays(layout: Layout, made: Sizes, read: Sizes) -> bool:
    """Whether a tensor read with other sizes has the vectors, or the maps, that were made."""
    if not made or not read:
        return False
    if layout == "vectors":
        return made[-1] == read[-1] != 0
    return layout == "map" and (made[1:] == read[1:] or prod(made[1:]) == prod(read[1:]) != 0)

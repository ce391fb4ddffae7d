"""Where a layer stands in its network: what feeds it, and the sizes of what it reads and makes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal

import onnx

from deltawave.network.editing import Editor
from deltawave.network.graph import Network
from deltawave.network.layers import Conv, Dense, Layer, Pointwise, Pool, Recurrent
from deltawave.network.onnx_types import attributes, dims
from deltawave.network.partition import activations, demanded, needs_of

Layout = Literal["vectors", "map", ""]
"""Of a tensor: vectors along the last axis; a map [batch, channels, *pixels]; or not known."""
Sizes = tuple[int, ...]
"""A shape, 0 for a size that is free; empty if not even the number of axes is known."""
Dims = tuple[int | str, ...]
"""A shape with names for free sizes; equal names are equal sizes."""
IN_ORDER = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity")
"""Operators that change the shape only: the elements stay in their order."""


@dataclass(frozen=True)
class Feed:
    """One tensor that a layer works on.

    `source`: the layer whose vectors or maps it takes, one by one in the order in which they are made; '' if the
    machine does not run that layer, or they do not match. `sizes`: as this layer reads it; `made`: as the source made
    it, with the layout `layout`.
    """

    source: str = ""
    sizes: Sizes = ()
    made: Sizes = ()
    layout: Layout = ""


@dataclass(frozen=True)
class Place:
    """A layer's surroundings. `feeds`: in the order of `activations`; `sizes`: of its first output.

    `leaves`: whether anything but layers that it feeds reads its outputs: the host, the outside, a final state's
    reader. A verdict is asked for before that is known, and then it is assumed.
    """

    feeds: tuple[Feed, ...] = (Feed(),)
    sizes: Sizes = ()
    leaves: bool = True


NOWHERE = Place()


class Flow:
    """How tensors get from layer to layer of a network."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._layers = {layer.name: layer for layer in network.layers}
        self._layouts: dict[str, Layout] = {}

    def place(self, layer: Layer, taken: Collection[str]) -> Place:
        """Where a layer stands; `taken` names the layers before it that the machine runs. Asked in their order."""
        feeds = _of_one_layout([self._feed(layer, name, taken) for name in _works_on(layer)])
        self._layouts[layer.name] = _layout(layer, feeds)
        return Place(feeds, _sizes(self._dims.get(layer.outputs[0], ())))

    def leaves(self, places: Mapping[str, Place]) -> dict[str, bool]:
        """`Place.leaves` by layer. `places`: of all the layers that the machine runs, by name."""
        needs = needs_of(self._network, places)
        leaving, nodes = demanded(self._network, needs, places)
        for node in reversed(nodes):
            leaving |= needs[node.name] - self._passed_on(node, places, leaving)
        return {name: not leaving.isdisjoint(self._layers[name].outputs) for name in places}

    def _passed_on(self, node: onnx.NodeProto, places: Mapping[str, Place], leaving: set[str]) -> set[str]:
        """What a node reads without its leaving the machine."""
        if node.name in places:
            pairs = zip(_works_on(self._layers[node.name]), places[node.name].feeds, strict=True)
            return {name for name, feed in pairs if feed.source}
        # what only layers that are fed read, a node on the host has only shaped
        return {node.input[0]} if leaving.isdisjoint(node.output) else set()

    def _feed(self, layer: Layer, name: str, taken: Collection[str]) -> Feed:
        made, maker = self._origins.get(name, (name, ""))
        read = self._dims.get(name, ())
        if maker in taken and self._matches(layer, self._layouts[maker], self._dims.get(made, ()), read):
            return Feed(maker, _sizes(read), _sizes(self._dims[made]), self._layouts[maker])
        return Feed(sizes=_sizes(read))

    def _matches(self, layer: Layer, layout: Layout, made: Dims, read: Dims) -> bool:
        """Whether a layer takes what was made one by one, in the order in which it is made."""
        if not (layout and made and read) or _looks_back(layer):
            return False
        if isinstance(layer, Pointwise) and read != self._dims.get(layer.outputs[0]):
            return False  # an operand that is repeated
        if layout == "vectors":
            return read[-1] == made[-1] and not isinstance(layer, Conv | Pool)
        if isinstance(layer, Dense):
            return read[-1] == prod(_sizes(made[1:]))
        if isinstance(layer, Recurrent):
            return read[-1] == made[1] and prod(_sizes(made[2:])) == 1
        return read == made

    @cached_property
    def _dims(self) -> Mapping[str, Dims]:
        """By tensor. What a file says of its outputs is not believed."""
        values = Editor(self._network.model).infer_shapes()
        return {name: tuple(dims(value) or ()) for name, value in values.items()}

    @cached_property
    def _origins(self) -> Mapping[str, tuple[str, str]]:
        """The tensor whose elements another has, in the same order, and the layer whose first output that is."""
        origins: dict[str, tuple[str, str]] = {}
        for node in self._network.model.graph.node:
            if self._keeps_order(node):
                origins[node.output[0]] = origins.get(node.input[0], (node.input[0], ""))
            else:
                origins[node.output[0]] = node.output[0], node.name
        return origins

    def _keeps_order(self, node: onnx.NodeProto) -> bool:
        if node.op_type != "Transpose":
            return node.op_type in IN_ORDER
        sizes = self._dims.get(node.input[0], ())
        order = attributes(node).get("perm", range(len(sizes))[::-1])
        moved = [axis for axis in order if axis < len(sizes) and sizes[axis] != 1]
        return bool(sizes) and moved == sorted(moved)


def _works_on(layer: Layer) -> tuple[str, ...]:
    return (layer.x,) if isinstance(layer, Recurrent) else activations(layer)


def _looks_back(layer: Layer) -> bool:
    """Whether a layer begins with the last step, so that its sequence must be complete."""
    return isinstance(layer, Recurrent) and any(cell.reverse for cell in layer.cells)


def _layout(layer: Layer, feeds: Sequence[Feed]) -> Layout:
    """Of what a layer makes, in the order in which it makes it."""
    if isinstance(layer, Conv | Pool):
        return "map"
    if isinstance(layer, Dense) or (isinstance(layer, Recurrent) and not _looks_back(layer)):
        return "vectors"
    return next((feed.layout for feed in feeds if feed.source), "") if isinstance(layer, Pointwise) else ""


def _of_one_layout(feeds: Sequence[Feed]) -> tuple[Feed, ...]:
    """The operands of a point-wise operation: vectors do not pair with maps."""
    layout = next((feed.layout for feed in feeds if feed.source), "")
    return tuple(feed if feed.layout == layout else Feed(sizes=feed.sizes) for feed in feeds)


def _sizes(shape: Dims) -> Sizes:
    return tuple(size if isinstance(size, int) else 0 for size in shape)

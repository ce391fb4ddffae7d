"""The core of Spartus: one path of the encoder, and arrays that take what it sends from queues of their own."""

from amaranth import Cat, Module, Value
from amaranth.lib import wiring

from deltawave.machines.deltarnn.rtl.arrays import Arrays
from deltawave.machines.deltarnn.rtl.core import Core
from deltawave.machines.deltarnn.rtl.scan_path import RH, H, PathShape, X
from deltawave.machines.deltarnn.rtl.sparse import SparseShape


class SparseCore(Core):
    """As `Core`; load: see `Arrays`. Sizes are those of the compressed weights and cannot be set."""

    has_bases = False
    shape: SparseShape

    def _paths(self) -> list[PathShape]:
        shape, second = self.shape, ((RH,),) if self.shape.sources == 3 else ()
        depth = max(self.depth_x, self.depth_h)
        latency = shape.encoder_latency_cycles - 1  # and a cycle to look the column up
        return [
            PathShape(((X, H), *second), shape.input_rate, shape.input_rate, self.bits, depth, 0, latency)
        ]

    def _channels(self) -> Arrays:
        return Arrays(self.shape, self.paths[0])

    def _list(self, m: Module, path: PathShape, number: int) -> wiring.Component:
        return self.channels

    def _listed(self, m: Module, path: PathShape, entry: Value, name: str) -> Value:
        return entry

    @property
    def clear_words(self) -> int:
        """Local rows of a PE."""
        return self.shape.rows

    def _multiply(self, m: Module) -> None:
        (path, arrays, _), *_ = self.lists
        m.d.comb += [
            self.drained.eq(arrays.idle & Cat(*self.closed).all() & ~path.pending),
            arrays.clear.eq(self._clearing),
        ]
        self._load(m)

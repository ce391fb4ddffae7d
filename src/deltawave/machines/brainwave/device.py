"""One program for all that a device runs in a step.

What one layer makes for another stays in the register files; only what comes from or goes to the host or another
device passes through NetQ.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from deltawave.machines.brainwave.assembler import (
    DRAM,
    INITIAL_VRF,
    MATRIX_RF,
    NETQ,
    Assembled,
    Assembler,
)
from deltawave.machines.brainwave.cell_programs import CellShape, write_preamble, write_step
from deltawave.machines.brainwave.grouping import Group, Other, Resident, grouped, not_clean, readers_together
from deltawave.machines.brainwave.isa import OPERAND, Memory
from deltawave.machines.brainwave.layer_programs import (
    LayerShape,
    LayerWriter,
    Operation,
    Piece,
    Tail,
)
from deltawave.machines.brainwave.streaming import Stream


@dataclass(frozen=True)
class DeviceProgram:
    """A program, and what passes through NetQ.

    arrivals: for each chain of the body that reads NetQ, who made that, '' for the host; departures: for each chain
    that writes to NetQ, who made that.
    """

    residents: tuple[str, ...]
    assembled: Assembled
    arrivals: tuple[str, ...]
    departures: tuple[str, ...]


def device_program(
    residents: Sequence[Resident], *, mfus: int, sent: Collection[str] = (), streamed_tiles: int = 0
) -> DeviceProgram:
    """The program of residents that run one after another in every step.

    sent: those whose output other devices or loops read. streamed_tiles: tiles of the MatrixRf through which weights
    stream from DRAM in every step; 0 if all stay there.
    """
    return _Writer(readers_together(residents), mfus, sent, streamed_tiles).write()


class _Writer:
    def __init__(
        self, residents: Sequence[Resident], mfus: int, sent: Collection[str], streamed_tiles: int
    ) -> None:
        self._npu = Assembler()
        self._residents = {resident.name: resident for resident in residents}
        self._not_clean = not_clean(residents)
        read = {source for resident in residents for source in resident.sources}
        leaves = {r.name for r in residents if r.leaves or r.name in sent or r.name not in read}
        unlinked = {source for r in residents for source in r.sources if not self._is_linked(r.shape, source)}
        self._leaving = leaves | (unlinked & self._residents.keys())
        self._groups = grouped(residents, self._leaving, mfus)
        self._arrivals, self._departures, self._arriving = list[str](), list[str](), 0
        self._taken_over = set[tuple[Memory, str]]()
        self._last_use = {read: n for n, group in enumerate(self._groups) for read in group.reads}
        products = [r for r in residents if isinstance(r.shape, LayerShape) and r.shape.kind == "product"]
        self._stream = Stream(self._npu, products, streamed_tiles) if streamed_tiles and products else None

    def write(self) -> DeviceProgram:
        with self._npu.preamble():
            for resident in self._residents.values():
                self._write_preamble(resident.name, resident.shape)
        with self._npu.body():
            for number, group in enumerate(self._groups):
                self._write_group(number, group)
        assembled = self._npu.assemble(vectors_per_step=self._arriving)
        return DeviceProgram(
            tuple(self._residents), assembled, tuple(self._arrivals), tuple(self._departures)
        )

    def _is_linked(self, reader: CellShape | LayerShape, source: str) -> bool:
        """Whether a reader finds a source's output in a register file. A recurrent cell reads vectors as they are, so
        what fills them up must be zero."""
        return source in self._residents and not (isinstance(reader, CellShape) and source in self._not_clean)

    def _write_preamble(self, name: str, shape: CellShape | LayerShape) -> None:
        if isinstance(shape, CellShape):
            with self._npu.scope(name):
                write_preamble(self._npu, shape)
            return
        for constant, memory, vectors in shape.constants:
            self._npu.size(None, vectors)
            self._npu.v_rd(DRAM, f"{name}.{constant}")
            self._npu.v_wr(memory, f"{name}.{constant}")
        if shape.kind == "product" and self._stream is None:
            self._npu.size(shape.planes, shape.window.vectors)
            self._npu.m_rd(DRAM, f"{name}.W")
            self._npu.m_wr(MATRIX_RF, f"{name}.W")

    def _write_group(self, number: int, group: Group) -> None:
        self._npu.owner = group.root.name
        if isinstance(group.root.shape, CellShape):
            self._write_cell(group.root, group.root.shape)
        else:
            self._write_layer(number, group, group.root.shape)

    def _write_cell(self, cell: Resident, shape: CellShape) -> None:
        source = cell.sources[0]
        is_linked = self._is_linked(shape, source)
        if not is_linked:
            self._arrive(source, shape.inputs)
        with self._npu.scope(cell.name, {"xt": self._in_initial_vrf(source)} if is_linked else None):
            write_step(self._npu, shape, arrives=not is_linked, leaves=cell.name in self._leaving)
        if cell.name in self._leaving:
            self._departures.append(cell.name)
        for memory in self._operand_memories(cell.name):
            self._npu.size(None, shape.hidden)
            self._npu.v_rd(INITIAL_VRF, f"{cell.name}.h_prev")
            self._npu.v_wr(memory, f"{cell.name}.y")

    def _write_layer(self, number: int, group: Group, shape: LayerShape) -> None:
        root = group.root
        count = self._stream.pieces(shape) if self._stream and shape.kind == "product" else 1
        others = {
            other.reader: self._other(other) for other in group.others
        }  # before the chain, so before its input
        source = self._input(root, shape, is_read_once=count == 1 and shape.kind in ("product", "pointwise"))
        tail = Tail(tuple(_fused(group, others)), tuple(self._writes(number, group, shape)))
        is_clean = root.sources[0] not in self._not_clean
        writer = LayerWriter(
            self._npu, root.name, shape, source, others.get(root.name, ""), is_clean=is_clean
        )
        writer.write(tail, self._pieces(root.name, shape))
        self._departures += [group.name] * (count if group.name in self._leaving else 0)
        self._free(number, group)

    def _pieces(self, name: str, shape: LayerShape) -> Iterable[Piece]:
        if self._stream and shape.kind == "product":
            return self._stream.load(shape)
        return (Piece(0, shape.planes, f"{name}.W"),)

    def _input(self, root: Resident, shape: LayerShape, *, is_read_once: bool) -> str:
        """The full name of what it reads; '' if it takes that from NetQ as it comes."""
        source = root.sources[0]
        if self._is_linked(shape, source):
            return self._in_initial_vrf(source)
        if is_read_once:
            self._arrive(source, shape.map.packed_entries)
            return ""
        return self._copy(root, source, INITIAL_VRF, "x")

    def _other(self, other: Other) -> str:
        """The full name of an operand, which may have to come from NetQ first."""
        reader = self._residents[other.reader]
        if self._is_linked(reader.shape, other.source):
            return f"{other.source}.y"
        return self._copy(reader, other.source, other.memory, "z")

    def _copy(self, reader: Resident, source: str, memory: Memory, name: str) -> str:
        """From NetQ into a register file; the full name there."""
        shape = reader.shape
        assert isinstance(shape, LayerShape)
        self._arrive(source, shape.map.packed_entries)
        self._npu.size(None, shape.map.vectors, None if shape.is_vector else shape.map)
        self._npu.v_rd(NETQ)
        self._npu.v_wr(memory, f"{reader.name}.{name}")
        return f"{reader.name}.{name}"

    def _arrive(self, source: str, vectors: int) -> None:
        self._arrivals.append(source)
        self._arriving += vectors

    def _in_initial_vrf(self, source: str) -> str:
        return f"{source}.{'h_prev' if isinstance(self._residents[source].shape, CellShape) else 'y'}"

    def _operand_memories(self, source: str) -> list[Memory]:
        """Where an output is read as an operand."""
        found = {other.memory for group in self._groups for other in group.others if other.source == source}
        return sorted(found, key=lambda memory: memory.value)

    def _writes(self, number: int, group: Group, shape: LayerShape) -> Iterable[tuple[Memory, str]]:
        """Where the output goes. As an operand, it may take the place of one that nothing reads afterwards."""
        readers = [g.root for g in self._groups if g.root.sources[0] == group.name]
        if any(self._is_linked(reader.shape, group.name) for reader in readers):
            yield INITIAL_VRF, f"{group.name}.y"
        for memory in self._operand_memories(group.name):
            self._take_over(number, group, memory)
            yield memory, f"{group.name}.y"
        if group.name in self._leaving:
            yield NETQ, ""

    def _take_over(self, number: int, group: Group, memory: Memory) -> None:
        for old in group.others:
            ends = old.source in self._residents and self._last_use.get((memory, old.source)) == number
            if ends and old.memory is memory and (memory, old.source) not in self._taken_over:
                self._npu.reuse(memory, f"{group.name}.y", f"{old.source}.y")
                self._taken_over.add((memory, old.source))
                return

    def _free(self, number: int, group: Group) -> None:
        """Give back the places of what nothing reads any more."""
        for memory, source in group.reads - self._taken_over:
            if self._last_use[memory, source] == number:
                self._npu.free(memory, f"{source}.y")
        self._npu.free(INITIAL_VRF, f"{group.root.name}.x")
        for other in group.others:
            self._npu.free(other.memory, f"{other.reader}.z")


def _fused(group: Group, others: Mapping[str, str]) -> Iterable[Operation]:
    for resident, opcode in group.fused:
        other = others.get(resident.name, "")
        constant = f"{resident.name}.k" if opcode in OPERAND and not other else ""
        yield Operation(opcode, other or constant, each=bool(other))

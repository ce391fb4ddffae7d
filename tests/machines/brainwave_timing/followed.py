"""The Brainwave NPU followed chain by chain, written from the numbered rules in `timing`.

Entries of memories, units, and loops in Python: no arrays, no max-plus.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from deltawave.machines.brainwave.device import DeviceProgram
from deltawave.machines.brainwave.isa import Access, BwProgram, Chain, Instruction, Memory, Opcode
from deltawave.machines.brainwave.machine import Brainwave

Entry = tuple[Memory, int, bool, int]


def step_ends(
    machine: Brainwave, programs: Mapping[int, DeviceProgram], steps: int, *, recurs: bool = True
) -> list[int]:
    """When each step is over on all devices."""
    devices: dict[int, Device] = {}
    for number, program in programs.items():
        arrivals = _links(machine, program, programs, devices, steps)
        devices[number] = Device(machine, program.assembled.program)
        devices[number].run(steps, arrivals, recurs=recurs)
    return [max(ends) for ends in zip(*(device.ends for device in devices.values()), strict=True)]


def ends_alone(machine: Brainwave, program: BwProgram, steps: int) -> list[int]:
    """When each step of a program alone is over."""
    device = Device(machine, program)
    device.run(steps, {})
    return device.ends


def _links(
    machine: Brainwave,
    program: DeviceProgram,
    programs: Mapping[int, DeviceProgram],
    before: "Mapping[int, Device]",
    steps: int,
) -> dict[tuple[int, int], int]:
    """From when what other devices send can be read, by step and chain: rule 7."""
    ready: dict[tuple[int, int], int] = {}
    reads = list(_queue_chains(program.assembled.program, is_write=False))
    for source, device in before.items():
        writes = list(_queue_chains(programs[source].assembled.program, is_write=True))
        last = dict(zip(programs[source].departures, writes, strict=True))
        free = 0
        for step in range(steps):
            for name, (reader, _) in zip(program.arrivals, reads, strict=True):
                if name not in last:
                    continue
                writer, chain = last[name]
                begin = max(free, device.written_at[step, writer])
                free = begin + machine.link_cycles(chain.width * chain.times)
                ready[step, reader] = free + machine.hop_cycles
    return ready


def _queue_chains(program: BwProgram, *, is_write: bool) -> Iterator[tuple[int, Chain]]:
    for number, chain in enumerate(program.chains("body")):
        if any(access.memory is Memory.NETQ and access.is_write == is_write for access in chain.accesses):
            yield number, chain


@dataclass
class Device:
    """`written`: since when an entry holds what a chain wrote; `in_use`: until when the MVM reads a tile."""

    machine: Brainwave
    program: BwProgram
    written: dict[Entry, int] = field(default_factory=dict)
    in_use: dict[Entry, int] = field(default_factory=dict)
    free: dict[str, int] = field(default_factory=dict)
    written_at: dict[tuple[int, int], int] = field(default_factory=dict)
    ends: list[int] = field(default_factory=list)

    def run(self, steps: int, arrivals: Mapping[tuple[int, int], int], *, recurs: bool = True) -> None:
        chains = self.program.chains("body")
        issues = issue_cycles(self.machine, self.program.body)
        issued = 0
        for step in range(steps):
            issued += self.machine.loop_cycles
            if step == 0 or not recurs:
                issued += self.machine.invocation_cycles
            for number, (chain, cycles) in enumerate(zip(chains, issues, strict=True)):
                issued += cycles
                waits = [issued, *self.hazards(chain)]
                waits.append(arrivals[step, number] if (step, number) in arrivals else self.arrive(chain))
                self.written_at[step, number] = self.execute(chain, self.take("HDD", max(waits), 1))
            self.ends.append(self.written_at[step, len(chains) - 1])

    def take(self, unit: str, ready: int, cycles: int) -> int:
        """When a unit begins that is then held for so many cycles."""
        begin = max(ready, self.free.get(unit, 0))
        self.free[unit] = begin + cycles
        return begin

    def arrive(self, chain: Chain) -> int:
        """When what a chain reads from the host is there: rule 8."""
        if chain.read.opcode is not Opcode.V_RD or chain.read.memory is not Memory.NETQ:
            return 0
        vectors = chain.window.packed_entries if chain.window else chain.cols
        cycles = self.machine.link_cycles(vectors)
        return self.take("NETQ", 0, cycles) + cycles

    def hazards(self, chain: Chain) -> Iterator[int]:
        for access in chain.accesses:
            if not access.is_write and access.memory not in (Memory.NETQ, Memory.DRAM):
                yield from (self.written.get(entry, 0) for entry in entries(access))

    def execute(self, chain: Chain, dispatched: int) -> int:
        """When what a chain that was dispatched wrote can be read: rules 3 to 6."""
        machine, time = self.machine, dispatched + self.machine.dispatch_cycles
        held, handed_on = product(machine, chain) if chain.multiplication else (0, 0)
        loaded = self.load(chain, time) if chain.moves_matrix else 0
        vectors = 0 if chain.moves_matrix else chain.width * chain.times
        beats = -(-vectors * machine.native_dim // machine.mfu_lanes)
        time = self.take("MVM", time, held)
        for access in chain.accesses:
            if access.instruction.opcode is Opcode.MV_MUL:
                self.in_use |= dict.fromkeys(entries(access), time + held)
        time += handed_on
        for mfu in range(machine.mfus):
            operations = sum(on == mfu for _, on in chain.operations)
            time = self.take(f"MFU{mfu}", time, beats if operations else 0)
            time += operations * machine.mfu_operation_cycles
        time = self.take("VRF", time, beats) + beats - 1 + machine.write_back_cycles
        for access in chain.accesses:
            if access.is_write and access.memory is not Memory.NETQ:
                self.written |= dict.fromkeys(entries(access), loaded if chain.moves_matrix else time)
        return time

    def load(self, chain: Chain, ready: int) -> int:
        """When tiles are there: rule 6."""
        machine, n = self.machine, self.machine.native_dim
        overwritten = [entry for access in chain.accesses if access.is_write for entry in entries(access)]
        bits = chain.rows * chain.cols * (n * n * (1 + machine.mantissa_bits) + n * 5)
        cycles = -(-bits // (8 * machine.dram_bytes_per_cycle))
        begin = max(ready, *(self.in_use.get(entry, 0) for entry in overwritten))
        return self.take("DRAM", begin, cycles) + cycles


def entries(access: Access) -> Iterator[Entry]:
    for index in range(access.index, access.index + access.entries):
        yield access.memory, access.mfu, access.moves_tiles, index


def issue_cycles(machine: Brainwave, body: Sequence[Instruction]) -> list[int]:
    """Of each chain, with the s_wr before it and its end_chain: rule 1."""
    found, instructions = [], 0
    for instruction in body:
        instructions += 1
        if instruction.opcode is Opcode.END_CHAIN:
            found.append(instructions * machine.issue_cycles)
            instructions = 0
    assert instructions == 0
    return found


def product(machine: Brainwave, chain: Chain) -> tuple[int, int]:
    """For how long a product holds the engines, and when its vectors can stream on without a gap: rule 3."""
    done = list(vectors_done(machine, chain))
    each, lanes = machine.native_dim, machine.mfu_lanes
    begin = max(time - turn * each // lanes for turn, time in enumerate(done))
    return max(done), begin + machine.mvm_cycles


def vectors_done(machine: Brainwave, chain: Chain) -> Iterator[int]:
    """When the engines have done each vector."""
    tile, engines = machine.native_dim // machine.lanes, machine.tile_engines
    begin = 0
    together = engines if machine.shares_windows else 1
    for first in range(0, chain.times, together):
        windows = min(together, chain.times - first)
        for row in range(1, chain.rows + 1):
            tiles = row * chain.cols
            rounds = tiles if machine.shares_windows else -(-tiles // engines)
            yield from [begin + rounds * tile] * windows
        begin += rounds * tile

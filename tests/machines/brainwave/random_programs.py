"""Random legal Brainwave programs, and ways to break one."""

from dataclasses import replace

from hypothesis import strategies as st

from deltawave.machines.brainwave.isa import (
    PER_MFU,
    UNITS,
    BwProgram,
    Instruction,
    Limits,
    Memory,
    Opcode,
    Register,
    place_on_mfus,
)

ENTRIES, TILES = 6, 12
LIMITS = Limits(
    mrf_entries=TILES, initial_vrf_entries=ENTRIES, add_sub_vrf_entries=ENTRIES, multiply_vrf_entries=ENTRIES
)
ROWS, COLS, END = Register.ROWS, Register.COLS, Instruction(Opcode.END_CHAIN)


def s_wr(register: Register, value: int) -> Instruction:
    return Instruction(Opcode.S_WR, register=register, value=value)


def preamble() -> list[Instruction]:
    """Fills every register file from DRAM."""
    mfu_files = [Instruction(Opcode.V_WR, memory, mfu) for memory in PER_MFU for mfu in range(LIMITS.mfus)]
    vectors = [
        Instruction(Opcode.V_RD, Memory.DRAM),
        Instruction(Opcode.V_WR, Memory.INITIAL_VRF),
        *mfu_files,
        END,
    ]
    tiles = [Instruction(Opcode.M_RD, Memory.DRAM), Instruction(Opcode.M_WR, Memory.MATRIX_RF), END]
    return [s_wr(ROWS, TILES // ENTRIES), s_wr(COLS, ENTRIES), *vectors, *tiles]


@st.composite
def programs(draw: st.DrawFn) -> BwProgram:
    body, from_netq = [s_wr(ROWS, 1), s_wr(COLS, 1)], 0
    for _ in range(draw(st.integers(0, 5))):
        chain, taken = draw(chains())
        body, from_netq = body + chain, from_netq + taken
    return BwProgram(tuple(preamble()), tuple(body), from_netq, 0, ENTRIES, TILES)


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Instruction], int]:
    """A chain behind the registers it wants, and how many vectors of NetQ it takes."""
    rows, cols = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    read = draw(placed(Opcode.V_RD, (Memory.INITIAL_VRF, Memory.NETQ, Memory.DRAM), cols))
    has_product = draw(st.booleans())
    width = rows if has_product else cols
    product = (
        [Instruction(Opcode.MV_MUL, index=draw(st.integers(0, TILES - rows * cols)))] if has_product else []
    )
    targets = (Memory.INITIAL_VRF, Memory.NETQ, Memory.DRAM, *PER_MFU)
    writes = draw(st.lists(placed(Opcode.V_WR, targets, width), min_size=1, max_size=3))
    code = [s_wr(ROWS, rows), s_wr(COLS, cols), read, *product, *draw(operations(width)), *writes, END]
    return code, cols if read.memory is Memory.NETQ else 0


@st.composite
def placed(draw: st.DrawFn, opcode: Opcode, memories: tuple[Memory, ...], entries: int) -> Instruction:
    memory = draw(st.sampled_from(memories))
    mfu = draw(st.integers(0, LIMITS.mfus - 1)) if memory in PER_MFU else 0
    index = 0 if memory is Memory.NETQ else draw(st.integers(0, ENTRIES - entries))
    return Instruction(opcode, memory, mfu, index)


@st.composite
def operations(draw: st.DrawFn, width: int) -> list[Instruction]:
    index = st.integers(0, ENTRIES - width)
    drawn = [
        Instruction(opcode, index=draw(index) if opcode.value.startswith("vv") else 0)
        for opcode in draw(st.lists(st.sampled_from(list(UNITS)), max_size=6))
    ]
    return [operation for operation, mfu in place_on_mfus(drawn) if mfu < LIMITS.mfus]


def broken(program: BwProgram, how: int) -> BwProgram:
    """The program with one chain more that no machine takes, or with too much in NetQ."""
    v_rd, v_wr = Instruction(Opcode.V_RD, Memory.INITIAL_VRF), Instruction(Opcode.V_WR, Memory.INITIAL_VRF)
    vv_add, mv_mul = Instruction(Opcode.VV_ADD), Instruction(Opcode.MV_MUL)
    m_rd, m_wr = Instruction(Opcode.M_RD, Memory.DRAM), Instruction(Opcode.M_WR, Memory.MATRIX_RF)
    if how == 0:
        return replace(program, vectors_per_step=program.vectors_per_step + 1)
    chain = (
        [v_rd, v_wr],
        [v_wr, END],
        [v_rd, END],
        [v_rd, mv_mul, mv_mul, v_wr, END],
        [v_rd, vv_add, mv_mul, v_wr, END],
        [v_rd, vv_add, vv_add, vv_add, v_wr, END],
        [v_rd, v_wr, vv_add, END],
        [v_rd, s_wr(ROWS, 1), v_wr, END],
        [m_rd, END],
        [m_rd, v_wr, END],
        [m_rd, m_wr, m_wr, END],
        [s_wr(ROWS, 0)],
        [replace(v_rd, index=ENTRIES), v_wr, END],
        [v_rd, replace(v_wr, memory=Memory.ADD_SUB_VRF, mfu=LIMITS.mfus), END],
        [replace(v_rd, memory=Memory.MATRIX_RF), v_wr, END],
        [s_wr(COLS, 7), v_rd, v_wr, END],
        [Instruction(Opcode.V_RD, Memory.NETQ), v_wr, END],
    )[how - 1]
    return replace(program, body=(*program.body, *chain))


WAYS_TO_BREAK = 18

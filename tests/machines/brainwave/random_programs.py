"""Random legal Brainwave programs, with windows and without, and ways to break one."""

from dataclasses import replace

from hypothesis import strategies as st

from deltawave.machines.brainwave.isa import (
    OPERAND,
    PER_MFU,
    UNITS,
    BwProgram,
    Instruction,
    Limits,
    Memory,
    Opcode,
    Register,
    Window,
    place_on_mfus,
)

NATIVE, ENTRIES, TILES = 3, 54, 18
LIMITS = Limits(
    native_dim=NATIVE,
    mrf_entries=TILES,
    initial_vrf_entries=ENTRIES,
    add_sub_vrf_entries=ENTRIES,
    multiply_vrf_entries=ENTRIES,
)
ROWS, COLS, WINDOW, END = Register.ROWS, Register.COLS, Register.WINDOW, Instruction(Opcode.END_CHAIN)


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
    return [s_wr(ROWS, 1), s_wr(COLS, ENTRIES), *vectors, s_wr(COLS, TILES), *tiles]


@st.composite
def programs(draw: st.DrawFn) -> BwProgram:
    available = tuple(draw(st.lists(windows(), max_size=3)))
    body, from_netq = [s_wr(ROWS, 1), s_wr(COLS, 1)], 0
    for _ in range(draw(st.integers(0, 5))):
        number = draw(st.integers(0, len(available)))
        chain, taken = draw(chains(available[number - 1] if number else None))
        body, from_netq = [*body, s_wr(WINDOW, number), *chain], from_netq + taken
    return BwProgram(tuple(preamble()), tuple(body), from_netq, 0, ENTRIES, TILES, available)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Small enough for the memories, whatever a chain does with it: at most 6 vectors, 9 windows, 18 entries."""
    up_to = {
        name: draw(st.integers(1, most))
        for name, most in {
            "height": 3,
            "width": 3,
            "channels": 4,
            "kernel_height": 2,
            "kernel_width": 2,
            "row_stride": 3,
            "column_stride": 3,
            "row_dilation": 2,
            "column_dilation": 2,
            "rows": 3,
            "columns": 3,
        }.items()
    }
    top, left, lowest = draw(st.integers(-2, 2)), draw(st.integers(-2, 2)), draw(st.integers(0, 1))
    return Window(NATIVE, **up_to, top=top, left=left, lowest=lowest)


@st.composite
def chains(draw: st.DrawFn, window: Window | None = None) -> tuple[list[Instruction], int]:
    """A chain behind the registers it wants, and how many vectors of NetQ it takes."""
    rows, cols = draw(st.integers(1, 3)), window.vectors if window else draw(st.integers(1, 3))
    times, entries = (window.count, window.map_entries) if window else (1, cols)
    read = draw(placed(Opcode.V_RD, (Memory.INITIAL_VRF, Memory.NETQ, Memory.DRAM), entries))
    has_product = draw(st.booleans())
    width = rows if has_product else cols
    product = (
        [Instruction(Opcode.MV_MUL, index=draw(st.integers(0, TILES - rows * cols)))] if has_product else []
    )
    targets = (Memory.INITIAL_VRF, Memory.NETQ, Memory.DRAM, *PER_MFU)
    writes = draw(st.lists(placed(Opcode.V_WR, targets, width * times), min_size=1, max_size=3))
    point_wise = draw(operations(width, times if window else 0))
    code = [s_wr(ROWS, rows), s_wr(COLS, cols), read, *product, *point_wise, *writes, END]
    taken = window.packed_entries if window else cols
    return code, taken if read.memory is Memory.NETQ else 0


@st.composite
def placed(draw: st.DrawFn, opcode: Opcode, memories: tuple[Memory, ...], entries: int) -> Instruction:
    memory = draw(st.sampled_from(memories))
    mfu = draw(st.integers(0, LIMITS.mfus - 1)) if memory in PER_MFU else 0
    index = 0 if memory is Memory.NETQ else draw(st.integers(0, ENTRIES - entries))
    return Instruction(opcode, memory, mfu, index)


@st.composite
def operations(draw: st.DrawFn, width: int, windows: int) -> list[Instruction]:
    """Operations on so many vectors; operands for each window if there are windows."""
    drawn = [
        draw(operation(opcode, width, windows))
        for opcode in draw(st.lists(st.sampled_from(list(UNITS)), max_size=6))
    ]
    return [operation for operation, mfu in place_on_mfus(drawn) if mfu < LIMITS.mfus]


@st.composite
def operation(draw: st.DrawFn, opcode: Opcode, width: int, windows: int) -> Instruction:
    if opcode not in OPERAND:
        return Instruction(opcode)
    each = bool(windows) and draw(st.booleans())
    entries = width * windows if each else width
    return Instruction(opcode, index=draw(st.integers(0, ENTRIES - entries)), each=each)


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
        [s_wr(COLS, ENTRIES + 1), v_rd, v_wr, END],
        [Instruction(Opcode.V_RD, Memory.NETQ), v_wr, END],
    )[how - 1]
    return replace(program, body=(*program.body, s_wr(WINDOW, 0), *chain))


WAYS_TO_BREAK = 18

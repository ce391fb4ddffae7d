"""A program, its listing and its binary form are the same program; damaged ones are refused."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import OptionError, ProgramError
from deltawave.machines.brainwave.encoding import decode, encode
from deltawave.machines.brainwave.isa import BwProgram, Instruction, Memory, Opcode, Register, Window
from deltawave.machines.brainwave.listing import listing, parse
from machines.brainwave.random_programs import programs


@settings(deadline=None, max_examples=60)
@given(programs())
def test_listing_and_encoding_round_trip(program: BwProgram) -> None:
    assert parse(listing(program)) == program
    assert decode(encode(program)) == program


def test_a_listing_may_have_comments_blank_lines_and_any_indentation() -> None:
    text = (
        "# a program\n\nvectors_per_step 2 # vectors\npreamble\nbody\n\t s_wr  rows 3\nv_wr AddSubVrf.1 7\n"
    )
    write = Instruction(Opcode.V_WR, Memory.ADD_SUB_VRF, 1, 7)
    assert parse(text) == BwProgram((), (Instruction(Opcode.S_WR, register=Register.ROWS, value=3), write), 2)


def test_windows_and_operands_for_each() -> None:
    window = Window(4, 28, 27, 3, kernel_height=2, row_stride=3, top=-1, left=2, rows=5, lowest=1)
    text = (
        "dram_vectors 3\n"
        "window native=4 height=28 width=27 channels=3 kernel_height=2 row_stride=3 top=-1 left=2 rows=5 lowest=1\n"
        "window native=4 height=1 width=1 channels=1\n"
        "preamble\n"
        "body\n"
        "  s_wr window 2\n"
        "  vv_max 12 each\n"
    )
    code = (
        Instruction(Opcode.S_WR, register=Register.WINDOW, value=2),
        Instruction(Opcode.VV_MAX, index=12, each=True),
    )
    program = BwProgram((), code, dram_vectors=3, windows=(window, Window(4, 1, 1, 1)))
    assert parse(text) == program
    assert listing(program) == text


def test_sizes_of_a_window_come_in_any_order() -> None:
    text = "window channels=3 top=-2 width=2 kernel_width=1 height=1 native=4\npreamble\nbody"
    assert parse(text).windows == (Window(4, 1, 2, 3, top=-2),)


WINDOW_FIELDS = (
    "native, height, width, channels, kernel_height, kernel_width, row_stride, column_stride, row_dilation, "
    "column_dilation, top, left, rows, columns, lowest"
)
MEMORIES = "InitialVrf, AddSubVrf, MultiplyVrf, MatrixRf, NetQ, DRAM"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the listing has no preamble; a program is a preamble and a body"),
        ("preamble\n", "the listing has no body; a program is a preamble and a body"),
        ("body\n", "line 1 (body): a count, a window or the preamble comes here"),
        ("preamble\npreamble\n", "line 2 (preamble): there is no instruction preamble"),
        ("preamble\n vv_div 3", "line 2 (vv_div 3): there is no instruction vv_div"),
        ("preamble\n mv_mul", "line 2 (mv_mul): mv_mul takes one number here, not nothing"),
        ("preamble\n mv_mul x", "line 2 (mv_mul x): mv_mul takes one number here, not x"),
        ("preamble\n mv_mul -1", "line 2 (mv_mul -1): mv_mul takes one number here, not -1"),
        ("preamble\n v_relu 1", "line 2 (v_relu 1): v_relu takes no more operands here, not 1"),
        ("preamble\n v_rd", "line 2 (v_rd): v_rd takes a memory"),
        ("preamble\n v_rd NetQ 1", "line 2 (v_rd NetQ 1): v_rd NetQ takes no more operands here, not 1"),
        ("preamble\n v_rd Vrf 1", f"line 2 (v_rd Vrf 1): there is no memory Vrf; there are {MEMORIES}"),
        ("preamble\n v_wr AddSubVrf 1", "line 2 (v_wr AddSubVrf 1): AddSubVrf is written AddSubVrf.MFU"),
        ("preamble\n v_rd DRAM.0 1", "line 2 (v_rd DRAM.0 1): DRAM is written DRAM"),
        ("preamble\n s_wr lanes 1", "line 2 (s_wr lanes 1): s_wr takes rows or cols or window, and a value"),
        ("preamble\n mv_mul 3 each", "line 2 (mv_mul 3 each): mv_mul takes no each here; it was given True"),
        ("preamble\n vv_add each", "line 2 (vv_add each): vv_add takes one number here, not nothing"),
        ("preamble\n vv_add 1 all", "line 2 (vv_add 1 all): vv_add takes one number here, not 1 all"),
        ("preamble\n v_tanh each", "line 2 (v_tanh each): v_tanh takes no more operands here, not each"),
        ("window depth=3", f"line 1 (window depth=3): a window has no depth; it has {WINDOW_FIELDS}"),
        ("window top=1 top=1", "line 1 (window top=1 top=1): top is given twice"),
        ("window top", "line 1 (window top): top takes one number here, not nothing"),
        ("window top=--1", "line 1 (window top=--1): top takes one number here, not -1"),
        ("window native=1 width=2", "line 1 (window native=1 width=2): the window has no height"),
        (
            "\nwindow native=1 height=1 width=-1 channels=1",
            "line 2 (window native=1 height=1 width=-1 channels=1): "
            "window: width = -1 is out of range; it goes from 1 to 16777215",
        ),
        ("preamble\nwindow top=1", "line 2 (window top=1): there is no instruction window"),
        ("dram_tiles 1\ndram_tiles 2", "line 2 (dram_tiles 2): dram_tiles is given twice"),
    ],
)
def test_listings_that_are_none(text: str, message: str) -> None:
    with pytest.raises(ProgramError) as error:
        parse(text)
    assert str(error.value) == message


@settings(deadline=None, max_examples=100)
@given(programs(), st.data())
def test_altered_bytes_are_another_program_or_refused(program: BwProgram, data: st.DataObject) -> None:
    code = bytearray(encode(program))
    position = data.draw(st.integers(0, len(code) - 1))
    code[position] ^= data.draw(st.integers(1, 255))
    try:
        altered = decode(bytes(code))
    except ProgramError:
        return
    assert altered != program
    assert encode(altered) == bytes(code)


@settings(deadline=None, max_examples=30)
@given(programs(), st.data())
def test_truncated_bytes_are_refused(program: BwProgram, data: st.DataObject) -> None:
    code = encode(program)
    with pytest.raises(ProgramError):
        decode(code[: data.draw(st.integers(0, len(code) - 1))])


EMPTY = encode(BwProgram((), ()))
ONE_WINDOW = encode(BwProgram((), (), windows=(Window(4, 1, 2, 3, top=-1),)))


def test_a_window_is_fifteen_words_in_the_order_of_its_fields() -> None:
    assert struct.unpack("<15q", ONE_WINDOW[len(EMPTY) :]) == (4, 1, 2, 3, 1, 1, 1, 1, 1, 1, -1, 0, 1, 1, 0)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"", "0 bytes make no program; it has 64-bit words, at least 8"),
        (EMPTY + b"\0", "65 bytes make no program; it has 64-bit words, at least 8"),
        (
            b"\1" + EMPTY[1:],
            "the first word is 0x02000055504e5701, not 0x02000055504e5742: this is no Brainwave program",
        ),
        (
            EMPTY + bytes(8),
            "a program of 0 + 0 instructions and 0 windows has 1 words of them; the file is truncated or altered",
        ),
        (
            ONE_WINDOW[:-8],
            "a program of 0 + 0 instructions and 1 windows has 14 words of them; the file is truncated or altered",
        ),
        (
            ONE_WINDOW[:72] + struct.pack("<q", -5) + ONE_WINDOW[80:],
            "words 8 to 22 are no window: window: height = -5 is out of range; it goes from 1 to 16777215",
        ),
        (
            EMPTY[:8] + struct.pack("<QQ", 0, 1) + EMPTY[24:] + struct.pack("<Q", 99 << 56),
            "word 8 (0x6300000000000000) is no instruction: there is no code 99; codes go from 1 to 15",
        ),
        (
            EMPTY[:8] + struct.pack("<QQ", 0, 1) + EMPTY[24:] + struct.pack("<Q", 6 << 56 | 2 << 32),
            "word 8 (0x0600000200000000) is no instruction: bits 39..33 are not zero",
        ),
        (
            EMPTY[:8] + struct.pack("<QQ", 0, 1) + EMPTY[24:] + struct.pack("<Q", 15 << 56 | 1 << 32),
            "word 8 (0x0f00000100000000) is no instruction: end_chain takes no each here; it was given True",
        ),
        (
            EMPTY[:8] + struct.pack("<QQ", 1, 0) + EMPTY[24:] + struct.pack("<Q", 1 << 56),
            "word 8 (0x0100000000000000) is no instruction: v_rd takes a memory",
        ),
    ],
)
def test_bytes_that_are_no_program(code: bytes, message: str) -> None:
    with pytest.raises(ProgramError) as error:
        decode(code)
    assert str(error.value) == message


def test_a_number_too_large_for_its_field() -> None:
    with pytest.raises(OptionError) as error:
        encode(BwProgram((), (Instruction(Opcode.MV_MUL, index=1 << 32),)))
    assert (
        str(error.value)
        == "the number of mv_mul 4294967296 is 4294967296; its field goes from 0 to 4294967295"
    )


@pytest.mark.parametrize(
    ("operands", "message"),
    [
        ({"opcode": Opcode.V_RD}, "v_rd takes a memory"),
        ({"opcode": Opcode.VV_ADD, "memory": Memory.DRAM}, "vv_add takes no memory"),
        ({"opcode": Opcode.S_WR, "value": 1}, "s_wr takes a register"),
        (
            {"opcode": Opcode.V_RD, "memory": Memory.NETQ, "index": 4},
            "v_rd takes no index here; it was given 4",
        ),
        ({"opcode": Opcode.V_RD, "memory": Memory.DRAM, "mfu": 1}, "v_rd takes no mfu here; it was given 1"),
        ({"opcode": Opcode.MV_MUL, "each": True}, "mv_mul takes no each here; it was given True"),
        ({"opcode": Opcode.V_RELU, "each": True}, "v_relu takes no each here; it was given True"),
        ({"opcode": Opcode.V_TANH, "value": 1}, "v_tanh takes no value here; it was given 1"),
    ],
)
def test_operands_that_do_not_belong(operands: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as error:
        Instruction(**operands)  # type: ignore[arg-type]
    assert str(error.value) == message

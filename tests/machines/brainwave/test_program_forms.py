"""A program, its listing and its binary form are the same program; damaged ones are refused."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import OptionError, ProgramError
from deltawave.machines.brainwave.encoding import decode, encode
from deltawave.machines.brainwave.isa import BwProgram, Instruction, Memory, Opcode, Register
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


MEMORIES = "InitialVrf, AddSubVrf, MultiplyVrf, MatrixRf, NetQ, DRAM"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the listing has no preamble; a program is a preamble and a body"),
        ("preamble\n", "the listing has no body; a program is a preamble and a body"),
        ("body\n", "line 1 (body): a count or the preamble comes here"),
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
        ("preamble\n s_wr lanes 1", "line 2 (s_wr lanes 1): s_wr takes rows or cols and a value"),
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


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (b"", "0 bytes make no program; it has 64-bit words, at least 7"),
        (EMPTY + b"\0", "57 bytes make no program; it has 64-bit words, at least 7"),
        (
            b"\1" + EMPTY[1:],
            "the first word is 0x01000055504e5701, not 0x01000055504e5742: this is no Brainwave program",
        ),
        (
            EMPTY + bytes(8),
            "a program of 0 + 0 instructions has 1 words of them; the file is truncated or altered",
        ),
        (
            EMPTY[:8] + struct.pack("<QQ", 0, 1) + EMPTY[24:] + struct.pack("<Q", 99 << 56),
            "word 7 (0x6300000000000000) is no instruction: there is no code 99; codes go from 1 to 15",
        ),
        (
            EMPTY[:8] + struct.pack("<QQ", 1, 0) + EMPTY[24:] + struct.pack("<Q", 1 << 56),
            "word 7 (0x0100000000000000) is no instruction: v_rd takes a memory",
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
        ({"opcode": Opcode.V_TANH, "value": 1}, "v_tanh takes no value here; it was given 1"),
    ],
)
def test_operands_that_do_not_belong(operands: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError) as error:
        Instruction(**operands)  # type: ignore[arg-type]
    assert str(error.value) == message

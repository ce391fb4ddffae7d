"""Legal programs pass the check and run; each rule's breach is refused, naming the instruction."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deltawave.errors import OptionError, ProgramError
from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.isa import (
    BwProgram,
    Instruction,
    Memory,
    Opcode,
    Register,
    Window,
)
from deltawave.machines.brainwave.listing import parse
from deltawave.machines.brainwave.semantics import Interpreter, Tiles
from deltawave.numerics.block_float import BlockFloat
from machines.brainwave.random_programs import (
    COLS,
    END,
    ENTRIES,
    LIMITS,
    NATIVE,
    ROWS,
    WAYS_TO_BREAK,
    WINDOW,
    broken,
    programs,
    s_wr,
)


@settings(deadline=None, max_examples=50)
@given(programs(), st.integers(0, 2**32 - 1))
def test_legal_programs_pass_and_send_what_they_write(program: BwProgram, seed: int) -> None:
    check(program, LIMITS)
    rng = np.random.default_rng(seed)
    number = BlockFloat(3, NATIVE)
    npu = Interpreter(program, number)
    weights = number.quantise(rng.normal(size=(program.dram_tiles, NATIVE, NATIVE)))
    vectors = rng.normal(size=(program.dram_vectors, NATIVE)).astype(np.float16)
    npu.state.load_dram(vectors, Tiles(weights.mantissas[:, :, 0], weights.exponents[..., 0]))
    npu.run("preamble")
    sent = sum(
        chain.entries_written
        for chain in program.chains("body")
        for write in chain.writes
        if write.memory is Memory.NETQ
    )
    for _ in range(2):
        npu.state.arriving.extend(rng.normal(size=(program.vectors_per_step, NATIVE)).astype(np.float16))
        npu.run("body")
        assert len(npu.state.take_outputs()) == NATIVE * sent
        assert not npu.state.arriving


@settings(deadline=None, max_examples=100)
@given(programs(), st.integers(0, WAYS_TO_BREAK - 1))
def test_broken_programs_are_refused(program: BwProgram, how: int) -> None:
    with pytest.raises(ProgramError):
        check(broken(program, how), LIMITS)


START = "preamble\n s_wr rows 2\n s_wr cols 1\n v_rd DRAM 0\n v_wr InitialVrf 0\n end_chain\nbody\n"
BODY = "s_wr rows 2\n s_wr cols 1\n"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "v_wr InitialVrf 0",
            "instruction 3 of the body (v_wr InitialVrf 0) cannot start a chain; here comes v_rd or m_rd or s_wr",
        ),
        (
            "v_rd InitialVrf 0\n v_tanh\n mv_mul 0",
            "instruction 5 of the body (mv_mul 0) cannot follow a point-wise operation; "
            "here comes a point-wise operation or v_wr",
        ),
        (
            "m_rd DRAM 0\n v_wr InitialVrf 0",
            "instruction 4 of the body (v_wr InitialVrf 0) cannot follow m_rd; here comes m_wr",
        ),
        (
            "v_rd InitialVrf 0\n v_wr NetQ",
            "instruction 4 of the body (v_wr NetQ) leaves its chain open; an end_chain is missing",
        ),
        (
            "v_rd InitialVrf 0\n v_relu\n v_tanh\n v_tanh\n v_wr NetQ\n end_chain",
            "instruction 6 of the body (v_tanh) needs an MFU 2; there are 2, counted from 0: split the chain",
        ),
        ("s_wr cols 0", "instruction 3 of the body (s_wr cols 0): cols is at least 1, not 0"),
        (
            "v_rd MultiplyVrf.0 0\n v_wr NetQ\n end_chain",
            "instruction 3 of the body (v_rd MultiplyVrf.0 0): v_rd takes InitialVrf, NetQ, DRAM, not MultiplyVrf",
        ),
        (
            "v_rd InitialVrf 0\n v_wr AddSubVrf.2 0\n end_chain",
            "instruction 4 of the body (v_wr AddSubVrf.2 0): there is no MFU 2; they go from 0 to 1",
        ),
        (
            "s_wr cols 4\n v_rd InitialVrf 51\n v_wr NetQ\n end_chain",
            "instruction 4 of the body (v_rd InitialVrf 51) reaches from entry 51 to 54; InitialVrf has 0 to 53",
        ),
        (
            "v_rd InitialVrf 1\n v_wr NetQ\n end_chain",
            "instruction 3 of the body (v_rd InitialVrf 1) reads entry 1 of InitialVrf, which was never written",
        ),
        (
            "v_rd InitialVrf 0\n mv_mul 4\n v_wr NetQ\n end_chain",
            "instruction 4 of the body (mv_mul 4) reads entry 4 of MatrixRf, which was never written",
        ),
        (
            "v_rd NetQ\n v_wr NetQ\n end_chain\n v_rd NetQ\n v_wr NetQ\n end_chain",
            "instruction 6 of the body (v_rd NetQ) takes 1 vectors from NetQ, where 0 wait",
        ),
        (
            "m_rd NetQ\n m_wr MatrixRf 0\n end_chain",
            "instruction 3 of the body (m_rd NetQ) takes 2 tiles from NetQ, where 0 wait",
        ),
        ("", "the body leaves 1 of 1 vectors in NetQ in every step; read all that arrives"),
    ],
)
def test_rules(body: str, message: str) -> None:
    with pytest.raises(ProgramError) as error:
        check(parse("vectors_per_step 1\ndram_vectors 1\ndram_tiles 2\n" + START + BODY + body), LIMITS)
    assert str(error.value) == message


READ, WRITE = Instruction(Opcode.V_RD, Memory.INITIAL_VRF), Instruction(Opcode.V_WR, Memory.NETQ)
ADD_EACH, TANH = Instruction(Opcode.VV_ADD, index=1, each=True), Instruction(Opcode.V_TANH)
MOVE = [Instruction(Opcode.M_RD, Memory.DRAM), Instruction(Opcode.M_WR, Memory.MATRIX_RF)]
PIXELS = Window(NATIVE, 2, 2, 4, kernel_width=2, rows=2)
HUGE = Window(NATIVE, 10, 10, 1)
EVERYWHERE = Window(NATIVE, 1, 1, 1, rows=1 << 11, columns=1 << 10)


@settings(deadline=None, max_examples=60)
@given(
    programs(),
    st.sampled_from(
        [
            (PIXELS, [s_wr(WINDOW, 99)], 0, "there is no window 99; they go from 1 to {last}, and 0 is none"),
            (PIXELS, [s_wr(WINDOW, -1)], 0, "there is no window -1; they go from 1 to {last}, and 0 is none"),
            (
                PIXELS,
                [s_wr(WINDOW, 0), s_wr(COLS, 1), READ, TANH, ADD_EACH, WRITE, END],
                4,
                "takes another operand for each window, and there is none; s_wr window comes before",
            ),
            (
                PIXELS,
                [s_wr(COLS, 4), READ, WRITE, END],
                1,
                "reads 4 vectors, where a window has 3; s_wr cols 3 comes before",
            ),
            (
                PIXELS,
                [s_wr(COLS, 3), replace(READ, index=ENTRIES - 7), WRITE, END],
                1,
                "reaches from entry 47 to 54; InitialVrf has 0 to 53",
            ),
            (
                PIXELS,
                [s_wr(COLS, 3), READ, replace(ADD_EACH, index=ENTRIES - 5), WRITE, END],
                2,
                "reaches from entry 49 to 54; AddSubVrf has 0 to 53",
            ),
            (
                PIXELS,
                [s_wr(COLS, 3), READ, replace(WRITE, memory=Memory.INITIAL_VRF, index=ENTRIES - 5), END],
                2,
                "reaches from entry 49 to 54; InitialVrf has 0 to 53",
            ),
            (
                PIXELS,
                [s_wr(COLS, 3), replace(READ, memory=Memory.NETQ), WRITE, END],
                1,
                "takes 6 vectors from NetQ, where 0 wait",
            ),
            (
                HUGE,
                [s_wr(COLS, 1), READ, WRITE, END],
                1,
                "reaches from entry 0 to 99; InitialVrf has 0 to 53",
            ),
            (
                EVERYWHERE,
                [s_wr(COLS, 1), READ, WRITE, END],
                1,
                "starts a chain of 1 vectors for each of 2097152 windows; a chain writes at most 1048576 vectors",
            ),
            (PIXELS, [*MOVE, END], 0, "moves a matrix under a window; s_wr window 0 comes before"),
        ]
    ),
)
def test_rules_of_windows(program: BwProgram, breach: tuple[Window, list[Instruction], int, str]) -> None:
    window, code, at, rule = breach
    windows = (*program.windows, window)
    start = [s_wr(ROWS, 1), s_wr(COLS, 1), s_wr(WINDOW, len(windows))]
    wrong = replace(program, windows=windows, body=(*program.body, *start, *code))
    with pytest.raises(ProgramError) as error:
        check(wrong, LIMITS)
    position, colon = len(program.body) + len(start) + at + 1, ":" if rule.startswith("there") else ""
    where = f"instruction {position} of the body ({code[at]}){colon}"
    assert str(error.value) == f"{where} {rule.format(last=len(windows))}"


def test_a_window_of_another_machine() -> None:
    program = BwProgram((), (), windows=(PIXELS, replace(PIXELS, native=400)))
    with pytest.raises(ProgramError) as error:
        check(program, LIMITS)
    assert str(error.value) == (
        "window 2 has native vectors of 400 elements, the machine of 3; compile the network for this machine"
    )


def test_a_program_without_windows_has_none_to_set() -> None:
    check(BwProgram((), (s_wr(Register.WINDOW, 0),)), LIMITS)
    with pytest.raises(ProgramError) as error:
        check(BwProgram((), (s_wr(Register.WINDOW, 1),)), LIMITS)
    assert str(error.value) == (
        "instruction 1 of the body (s_wr window 1): there is no window 1; the program has none"
    )


def test_all_of_a_map_must_have_been_written() -> None:
    text = "s_wr window 1\n v_rd InitialVrf 0\n v_wr NetQ\n end_chain"
    windows = "window native=3 height=1 width=2 channels=3\n"
    with pytest.raises(ProgramError) as error:
        check(parse("dram_vectors 1\n" + windows + START + BODY + text), LIMITS)
    assert str(error.value) == (
        "instruction 4 of the body (v_rd InitialVrf 0) reads entry 1 of InitialVrf, which was never written"
    )


def test_registers_are_set_in_each_section() -> None:
    with pytest.raises(ProgramError) as error:
        check(
            parse("dram_vectors 1\n" + START + "s_wr rows 1\n v_rd InitialVrf 0\n v_wr NetQ\n end_chain"),
            LIMITS,
        )
    assert str(error.value) == (
        "instruction 2 of the body (v_rd InitialVrf 0) comes before cols is set; the body starts with s_wr cols"
    )


def test_impossible_counts() -> None:
    with pytest.raises(OptionError) as error:
        check(BwProgram((), (), vectors_per_step=-1), LIMITS)
    assert str(error.value) == "vectors_per_step = -1 is out of range; it goes from 0 to 1048576"


def test_a_write_in_the_body_is_no_write_before_its_first_read() -> None:
    text = "v_rd InitialVrf 0\n v_wr AddSubVrf.0 2\n end_chain\n v_rd InitialVrf 0\n vv_add 2\n v_wr NetQ\n end_chain"
    program = parse("dram_vectors 1\n" + START + BODY + text)
    check(program, LIMITS)
    swapped = (*program.body[:2], *program.body[5:], *program.body[2:5])
    with pytest.raises(ProgramError) as error:
        check(replace(program, body=swapped), LIMITS)
    assert str(error.value) == (
        "instruction 4 of the body (vv_add 2) reads entry 2 of AddSubVrf, which was never written"
    )

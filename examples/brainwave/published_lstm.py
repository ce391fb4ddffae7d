"""The LSTM of the Brainwave paper (ISCA 2018), typed as published; prints the program's listing.

python examples/brainwave/published_lstm.py [native vectors of the input and of the state, 5]
"""

import sys

from deltawave.machines.brainwave.assembler import (
    ADD_SUB_VRF,
    COLS,
    DRAM,
    INITIAL_VRF,
    MATRIX_RF,
    MULTIPLY_VRF,
    NETQ,
    ROWS,
    Assembled,
    Assembler,
)
from deltawave.machines.brainwave.check import check
from deltawave.machines.brainwave.listing import listing
from deltawave.machines.brainwave.machine import BW_S10


def published_lstm(tiles: int) -> Assembled:
    """One program for input and state of the same size, `tiles` native vectors (ISCA 2018)."""
    npu = Assembler()
    with npu.preamble():
        npu.s_wr(ROWS, tiles)
        npu.s_wr(COLS, tiles)
        for name in ("Wf", "Wi", "Wo", "Wc", "Uf", "Ui", "Uo", "Uc"):
            npu.m_rd(DRAM, name)
            npu.m_wr(MATRIX_RF, name)
        for name in ("bf", "bi", "bo", "bc"):
            npu.v_rd(DRAM, name)
            npu.v_wr(ADD_SUB_VRF, name)
        npu.v_rd(DRAM, "zero")
        npu.v_wr(INITIAL_VRF, "h_prev")
        npu.v_wr(MULTIPLY_VRF, "c_prev")
    with npu.body():
        npu.s_wr(ROWS, tiles)
        npu.s_wr(COLS, tiles)
        npu.v_rd(NETQ)
        npu.v_wr(INITIAL_VRF, "xt")
        # xWf = xt * Wf + bf
        npu.v_rd(INITIAL_VRF, "xt")
        npu.mv_mul("Wf")
        npu.vv_add("bf")
        npu.v_wr(ADD_SUB_VRF, "xWf")
        # xWi = xt * Wi + bi
        npu.v_rd(INITIAL_VRF, "xt")
        npu.mv_mul("Wi")
        npu.vv_add("bi")
        npu.v_wr(ADD_SUB_VRF, "xWi")
        # xWo = xt * Wo + bo
        npu.v_rd(INITIAL_VRF, "xt")
        npu.mv_mul("Wo")
        npu.vv_add("bo")
        npu.v_wr(ADD_SUB_VRF, "xWo")
        # xWc = xt * Wc + bc
        npu.v_rd(INITIAL_VRF, "xt")
        npu.mv_mul("Wc")
        npu.vv_add("bc")
        npu.v_wr(ADD_SUB_VRF, "xWc")
        # f gate -> multiply by c_prev
        npu.v_rd(INITIAL_VRF, "h_prev")
        npu.mv_mul("Uf")
        npu.vv_add("xWf")
        npu.v_sigm()
        npu.vv_mul("c_prev")
        npu.v_wr(ADD_SUB_VRF, "ft_mod")
        # i gate
        npu.v_rd(INITIAL_VRF, "h_prev")
        npu.mv_mul("Ui")
        npu.vv_add("xWi")
        npu.v_sigm()
        npu.v_wr(MULTIPLY_VRF, "it")
        # o gate
        npu.v_rd(INITIAL_VRF, "h_prev")
        npu.mv_mul("Uo")
        npu.vv_add("xWo")
        npu.v_sigm()
        npu.v_wr(MULTIPLY_VRF, "ot")
        # c gate -> store ct and c_prev
        npu.v_rd(INITIAL_VRF, "h_prev")
        npu.mv_mul("Uc")
        npu.vv_add("xWc")
        npu.v_tanh()
        npu.vv_mul("it")
        npu.vv_add("ft_mod")
        npu.v_wr(MULTIPLY_VRF, "c_prev")
        npu.v_wr(INITIAL_VRF, "ct")
        # produce ht, store and send to network
        npu.v_rd(INITIAL_VRF, "ct")
        npu.v_tanh()
        npu.vv_mul("ot")
        npu.v_wr(INITIAL_VRF, "h_prev")
        npu.v_wr(NETQ)
    return npu.assemble(vectors_per_step=tiles)


if __name__ == "__main__":
    program = published_lstm(int(sys.argv[1]) if len(sys.argv) > 1 else 5).program
    check(program, BW_S10.limits)
    print(listing(program), end="")

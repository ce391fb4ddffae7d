"""From a recurrent cell to a Brainwave program: the published LSTM program, and the other cells in its manner.

The arithmetic of every cell, operation by operation. `f16(...)` rounds to the nearest float16, ties to even; x, h and c
are float16. mv(M, v) = f16(product(M, v)): M in block floating point, one exponent for each native vector of a row; v
likewise, after infinities became +-65504 and NaN 0; the sums over native vectors in float32, in column order from zero
(`numerics.block_float.product`). gate, candidate and output are tables (`numerics.half_tables`). W, U: weights of x
and h; b_k = f16(bias_x + bias_h), summed in float64. For every gate k:

    t_k = f16(mv(W_k, x) + b_k)

LSTM, gates i, f, g, o; with peepholes p_i, p_f, p_o (else without the lines marked *):

    t_i = f16(f16(c * p_i) + t_i); t_f = f16(f16(c * p_f) + t_f)     *
    f = gate(f16(mv(U_f, h) + t_f)); i = gate(f16(mv(U_i, h) + t_i))
    g = candidate(f16(mv(U_g, h) + t_g))
    c = f16(f16(g * i) + f16(f * c))
    t_o = f16(f16(c * p_o) + t_o), with the new c                    *
    o = gate(f16(mv(U_o, h) + t_o)), with the old h
    h = f16(output(c) * o)

GRU, gates r, u, c; reset after the product: b_c = f16(bias_x), d = f16(bias_h) of that gate:

    r = gate(f16(mv(U_r, h) + t_r)); u = gate(f16(mv(U_u, h) + t_u))
    n = candidate(f16(f16(f16(mv(U_c, h) + d) * r) + t_c))
    h = f16(f16(f16(h - n) * u) + n)

GRU, reset before the product: as above, but n = candidate(f16(mv(U_c, f16(r * h)) + t_c)).

RNN: h = candidate(f16(mv(U, h) + t)).
"""

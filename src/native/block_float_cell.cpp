#include "block_float_cell.hpp"

#include <algorithm>
#include <cstring>

namespace deltawave {

namespace {

constexpr int gates_of[] = {3, 3, 4, 1}, memories_of[] = {4, 3, 4, 1}, table_entries = 1 << 16;

}  // namespace

BlockCell::BlockCell(const BlockKernels& kernels, Kind kind, int hidden, const BlockShape& x, const BlockShape& h,
                     const BlockCellWeights& weights)
    : kernels(kernels), kind(kind), units(hidden), gates(gates_of[int(kind)]), memories(memories_of[int(kind)]) {
    const bool resets_first = kind == Kind::gru_before;
    from_x = BlockMatrix(kernels, x, weights.x, 0, gates, hidden);
    from_h = BlockMatrix(kernels, h, weights.h, 0, resets_first ? 2 : gates, hidden);
    if (resets_first) from_rh = BlockMatrix(kernels, h, weights.h, 2, 1, hidden);
    x_blocks = BlockVectors(x, steps_ahead);
    h_blocks = BlockVectors(h, 1);
    own(gate, weights.tables.gate);
    own(candidate, weights.tables.candidate);
    own(output, weights.tables.output);
    bias = tiled(weights.bias, memories);
    if (weights.peepholes) peepholes = tiled(weights.peepholes, 3);
    x_now = Buffer<uint16_t>(size_t(inputs()));
    for (auto* state : {&h_now, &c_now, &rh_now}) *state = Buffer<uint16_t>(size_t(tiles() * lanes));
    input_parts = Buffer<uint16_t>(size_t(steps_ahead * from_x.rows()));
    recurrent_part = Buffer<uint16_t>(size_t(from_h.rows()));
    reset_part = Buffer<uint16_t>(size_t(from_rh.rows()));
}

// [count, hidden] as [tile][count][16]
Buffer<uint16_t> BlockCell::tiled(const uint16_t* rows, int count) const {
    Buffer<uint16_t> result(size_t(tiles() * count * lanes));
    for (int row = 0; row < count; ++row)
        for (int unit = 0; unit < units; ++unit)
            result[size_t((unit / lanes * count + row) * lanes + unit % lanes)] = rows[row * units + unit];
    return result;
}

void BlockCell::own(Buffer<uint16_t>& table, const uint16_t* from) {
    table = Buffer<uint16_t>(table_entries + 1);
    std::memcpy(table.data(), from, table_entries * sizeof(uint16_t));
}

void BlockCell::step() {
    BlockVector x = x_blocks[0];
    kernels.quantise(from_x.shape(), x_now.data(), x);
    from_x.multiply(x, input_parts.data());
    advance(input_parts.data());
}

void BlockCell::run(const uint16_t* xs, int64_t steps, uint16_t* hs) {
    for (int64_t t = 0; t < steps; t += steps_ahead)
        run_chunk(xs + t * inputs(), int(std::min<int64_t>(steps_ahead, steps - t)), hs + t * units);
}

void BlockCell::run_chunk(const uint16_t* xs, int steps, uint16_t* hs) {
    for (int step = 0; step < steps; ++step)
        kernels.quantise(from_x.shape(), xs + int64_t(step) * inputs(), x_blocks[step]);
    from_x.multiply(x_blocks, steps, input_parts.data());
    for (int step = 0; step < steps; ++step, hs += units) {
        advance(input_parts.data() + step * from_x.rows());
        std::memcpy(hs, h_now.data(), size_t(units) * sizeof(uint16_t));
    }
}

void BlockCell::advance(const uint16_t* input_part) {
    BlockVector state = h_blocks[0];
    kernels.quantise(from_h.shape(), h_now.data(), state);
    from_h.multiply(state, recurrent_part.data());
    const HalfTables tables{gate.data(), candidate.data(), output.data()};
    if (kind == Kind::gru_before) {
        for (int tile = 0; tile < tiles(); ++tile) kernels.reset(tables, units_of(tile, input_part));
        kernels.quantise(from_rh.shape(), rh_now.data(), state);
        from_rh.multiply(state, reset_part.data());
    }
    for (int tile = 0; tile < tiles(); ++tile) kernels.update(kind, tables, units_of(tile, input_part));
}

BlockUnits BlockCell::units_of(int tile, const uint16_t* input_part) {
    const int at = tile * lanes, recurrent_gates = kind == Kind::gru_before ? 2 : gates;
    return {input_part + gates * at,
            recurrent_part.data() + recurrent_gates * at,
            kind == Kind::gru_before ? reset_part.data() + at : nullptr,
            bias.data() + memories * at,
            peepholes.size() ? peepholes.data() + 3 * at : nullptr,
            h_now.data() + at,
            c_now.data() + at,
            rh_now.data() + at};
}

void BlockCell::load(const uint16_t* h, const uint16_t* c) {
    std::memcpy(h_now.data(), h, size_t(units) * sizeof(uint16_t));
    std::memcpy(c_now.data(), c, size_t(units) * sizeof(uint16_t));
}

const BlockKernels& block_kernels_like(const Kernels& others) {
#if defined(DELTAWAVE_X86)
    if (&others == &avx512_kernels) return avx512_block_kernels;
    if (&others == &avx2_kernels) return avx2_block_kernels;
#endif
    return portable_block_kernels;
}

}  // namespace deltawave

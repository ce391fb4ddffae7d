#include "block_float_cell.hpp"

#include <algorithm>
#include <cstring>

namespace deltawave {

namespace {

constexpr int gates_of[] = {3, 3, 4, 1}, memories_of[] = {4, 3, 4, 1}, table_entries = 1 << 16;

}  // namespace

BlockCell::BlockCell(const BlockKernels& kernels, Kind kind, int hidden, const BlockShape& x, const BlockShape& h,
                     const BlockCellWeights& weights, int threads)
    : kernels(kernels), kind(kind), units(hidden), gates(gates_of[int(kind)]), memories(memories_of[int(kind)]) {
    const bool resets_first = kind == Kind::gru_before;
    from_x = BlockMatrix(kernels, x, weights.x, 0, gates, hidden);
    from_h = BlockMatrix(kernels, h, weights.h, 0, resets_first ? 2 : gates, hidden);
    if (resets_first) from_rh = BlockMatrix(kernels, h, weights.h, 2, 1, hidden);
    for (int thread = 0; thread < threads; ++thread)
        blocks.push_back({BlockVectors(x, steps_ahead), BlockVectors(h, 1)});
    own(gate, weights.tables.gate);
    own(candidate, weights.tables.candidate);
    own(output, weights.tables.output);
    bias = tiled(weights.bias, memories);
    if (weights.peepholes) peepholes = tiled(weights.peepholes, 3);
    x_now = Buffer<uint16_t>(size_t(inputs()));
    for (auto* state : {&h_now, &c_now, &rh_now, &states[0], &states[1]})
        *state = Buffer<uint16_t>(size_t(tiles() * lanes));
    input_parts = Buffer<uint16_t>(size_t(steps_ahead * from_x.rows()));
    recurrent_part = Buffer<uint16_t>(size_t(from_h.rows()));
    reset_part = Buffer<uint16_t>(size_t(from_rh.rows()));
    team = std::make_unique<Team>(threads);
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
    team->run([&](int thread) {
        const BlockVectors& x = blocks[size_t(thread)].x;
        kernels.quantise(x.shape(), x_now.data(), x[0]);
        from_x.multiply(units_of(thread), x, 1, input_parts.data());
        advance(thread, input_parts.data(), set);
    });
    set ^= 1;
    publish();
}

void BlockCell::run(const uint16_t* xs, int64_t steps, uint16_t* hs) {
    team->run([&](int thread) {
        for (int64_t t = 0; t < steps; t += steps_ahead)
            run_chunk(thread, xs + t * inputs(), int(std::min<int64_t>(steps_ahead, steps - t)), set, hs + t * units);
    });
    set ^= steps & 1;
    publish();
}

// A chunk before has an even number of steps.
void BlockCell::run_chunk(int thread, const uint16_t* xs, int steps, int now, uint16_t* hs) {
    const Span mine = units_of(thread);
    const BlockVectors& x = blocks[size_t(thread)].x;
    for (int step = 0; step < steps; ++step) kernels.quantise(x.shape(), xs + int64_t(step) * inputs(), x[step]);
    from_x.multiply(mine, x, steps, input_parts.data());
    for (int step = 0; step < steps; ++step, now ^= 1, hs += units) {
        advance(thread, input_parts.data() + step * from_x.rows(), now);
        std::memcpy(hs + mine.first, states[now ^ 1].data() + mine.first,
                    size_t(mine.last - mine.first) * sizeof(uint16_t));
    }
}

void BlockCell::advance(int thread, const uint16_t* input_part, int now) {
    const Span mine = units_of(thread);
    const BlockVectors& state = blocks[size_t(thread)].h;
    kernels.quantise(state.shape(), states[now].data(), state[0]);
    from_h.multiply(mine, state, 1, recurrent_part.data());
    if (kind == Kind::gru_before) multiply_reset(thread, input_part, now);
    const HalfTables tables{gate.data(), candidate.data(), output.data()};
    for (int unit = mine.first; unit < mine.last; unit += lanes)
        kernels.update(kind, tables, tile_at(unit, input_part, now));
    team->barrier();
}

void BlockCell::multiply_reset(int thread, const uint16_t* input_part, int now) {
    const Span mine = units_of(thread);
    const HalfTables tables{gate.data(), candidate.data(), output.data()};
    for (int unit = mine.first; unit < mine.last; unit += lanes) kernels.reset(tables, tile_at(unit, input_part, now));
    team->barrier();
    const BlockVectors& state = blocks[size_t(thread)].h;
    kernels.quantise(state.shape(), rh_now.data(), state[0]);
    from_rh.multiply(mine, state, 1, reset_part.data());
}

// 16 units from a multiple of 16 on.
BlockUnits BlockCell::tile_at(int unit, const uint16_t* input_part, int now) {
    const bool resets_first = kind == Kind::gru_before;
    return {input_part + gates * unit,
            recurrent_part.data() + (resets_first ? 2 : gates) * unit,
            resets_first ? reset_part.data() + unit : nullptr,
            bias.data() + memories * unit,
            peepholes.size() ? peepholes.data() + 3 * unit : nullptr,
            states[now].data() + unit,
            states[now ^ 1].data() + unit,
            c_now.data() + unit,
            rh_now.data() + unit};
}

// What Python sees.
void BlockCell::publish() { std::memcpy(h_now.data(), states[set].data(), size_t(units) * sizeof(uint16_t)); }

void BlockCell::load(const uint16_t* h, const uint16_t* c) {
    std::memcpy(states[set].data(), h, size_t(units) * sizeof(uint16_t));
    std::memcpy(c_now.data(), c, size_t(units) * sizeof(uint16_t));
    publish();
}

const BlockKernels& block_kernels_like(const Kernels& others) {
#if defined(DELTAWAVE_X86)
    if (&others == &avx512_kernels) return avx512_block_kernels;
    if (&others == &avx2_kernels) return avx2_block_kernels;
#endif
    return portable_block_kernels;
}

}  // namespace deltawave

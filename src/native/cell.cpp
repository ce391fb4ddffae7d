#include "cell.hpp"

#include <algorithm>
#include <cstring>

namespace deltawave {

namespace {

// The gates of each stream in the order of their blocks in memory, and the block of each of Python's memories.
struct Layout {
    int blocks;
    std::vector<int> x_gates, h_gates, rh_gates;
    int h_block, rh_block;
    std::vector<int> block_of_memory;
};

Layout layout_of(Kind kind) {
    switch (kind) {
        case Kind::gru: return {4, {2, 0, 1}, {0, 1, 2}, {}, 1, 0, {1, 2, 0, 3}};
        case Kind::gru_before: return {3, {0, 1, 2}, {0, 1}, {2}, 0, 2, {0, 1, 2}};
        case Kind::lstm: return {4, {0, 1, 2, 3}, {0, 1, 2, 3}, {}, 0, 0, {0, 1, 2, 3}};
        default: return {1, {0}, {0}, {}, 0, 0, {0}};
    }
}

// Columns to fetch before they are needed: more from farther memory, fewer where they would crowd the first cache.
constexpr int fetch_ahead_in_l3 = 24;

int fetch_ahead(int64_t weight_bytes) {
    if (weight_bytes < 4 << 20) return 16;
    return weight_bytes < 20 << 20 ? fetch_ahead_in_l3 : most_ahead;
}

bool is_small(const int16_t* weights, int64_t count) {
    return std::all_of(weights, weights + count, [](int16_t w) { return w >= -128 && w <= 127; });
}

}  // namespace

Cell::Cell(const Kernels& kernels, const Arithmetic& arithmetic, Shape shape, const int16_t* weights_x,
           const int16_t* weights_h, Options options)
    : kernels(kernels), arithmetic(arithmetic), shape(shape), product(options.product), threads(options.threads) {
    const Layout layout = layout_of(arithmetic.kind);
    tiles = padded(shape.hidden) / tile_units;
    blocks = layout.blocks;
    block_of_memory = layout.block_of_memory;
    narrow_pointwise = fits_32_bits(arithmetic);
    ahead = !arithmetic.accumulator_saturates;
    const int64_t rows = int64_t(layout.x_gates.size()) * shape.hidden;
    const bool small = is_small(weights_x, rows * shape.inputs) && is_small(weights_h, rows * shape.hidden);
    const int width = small ? 1 : 2;
    add_stream(layout.x_gates, weights_x, width, shape.inputs, 0, options.theta_x);
    add_stream(layout.h_gates, weights_h, width, shape.hidden, layout.h_block, options.theta_h);
    if (!layout.rh_gates.empty())
        add_stream(layout.rh_gates, weights_h, width, shape.hidden, layout.rh_block, options.theta_h);
    allocate();
    team = std::make_unique<Team>(threads);
}

void Cell::add_stream(const std::vector<int>& gates, const int16_t* weights, int weight_bytes, int columns, int block,
                      int theta) {
    Rows rows{{}, shape.hidden, columns};
    for (int gate : gates) rows.gates.push_back(weights + gate * int64_t(shape.hidden) * columns);
    const bool chunked = streams.empty() && ahead;
    const int flag = streams.empty() ? 0 : this->columns(), sets = chunked ? steps_ahead : 2;
    const int saturating_bits = arithmetic.accumulator_saturates ? arithmetic.accumulator_bits : 0;
    streams.emplace_back(kernels, weight_bytes, rows,
                         StreamOptions{product, block, flag, theta, threads, sets, saturating_bits});
    bytes += int64_t(gates.size()) * shape.hidden * columns * weight_bytes;
}

void Cell::allocate() {
    const size_t hidden = size_t(padded(shape.hidden)), inputs = size_t(padded(shape.inputs));
    x_now = Buffer<int16_t>(inputs);
    h_now = Buffer<int16_t>(hidden);
    c_now = Buffer<int16_t>(hidden);
    rh_now = Buffer<int16_t>(hidden);
    last_flags = Buffer<uint8_t>(size_t(columns()));
    memory = Buffer<int32_t>(size_t(tiles * tile_size()));
    counts = Buffer<int64_t>(size_t(threads) * counts_apart);
    if (is_dense()) work = Buffer<int32_t>(memory.size());
    if (!ahead) return;
    rows = Buffer<int16_t>(steps_ahead * inputs);
    input_parts = Buffer<int32_t>(steps_ahead * memory.size());
}

int64_t Cell::sent_count(int stream) const {
    int64_t total = 0;
    for (int thread = 0; thread < threads; ++thread) total += count_of(thread, stream);
    return total;
}

void Cell::step() {
    const Step next{set, x(), flags(), nullptr, nullptr};
    if (threads == 1)
        advance(0, next);
    else
        team->run([&](int thread) { advance(thread, next); });
    set ^= 1;
}

void Cell::run(const int16_t* xs, int64_t steps, int32_t* hs, uint8_t* flags) {
    team->run([&](int thread) {
        for (int64_t first = 0; first < steps; first += steps_ahead) {
            const int count = int(std::min<int64_t>(steps_ahead, steps - first));
            run_chunk(thread, xs + first * shape.inputs, count, int(set + first) & 1, hs + first * shape.hidden,
                      flags ? flags + first * columns() : nullptr);
        }
    });
    set = int(set + steps) & 1;
}

void Cell::run_chunk(int thread, const int16_t* xs, int steps, int first_set, int32_t* hs, uint8_t* flags) {
    if (ahead) {
        prepare_inputs(thread, xs, steps, first_set, flags);
        team->barrier();
        multiply_inputs(thread, steps, first_set);
    }
    for (int64_t t = 0; t < steps; ++t) {
        Step next{int(first_set + t) & 1, nullptr, flags ? flags + t * columns() : nullptr, hs + t * shape.hidden,
                  nullptr};
        if (ahead)
            next.input_part = input_parts.data() + t * tiles * tile_size();
        else
            next.x = copy_share(thread, xs + t * shape.inputs, x());
        advance(thread, next);
    }
}

const int16_t* Cell::copy_share(int thread, const int16_t* x, int16_t* to) const {
    const Span mine = share(shape.inputs, thread, threads);
    std::copy(x + mine.first, x + mine.last, to + mine.first);
    return to;
}

// This thread's share of the inputs of some steps: copied, and what they send.
void Cell::prepare_inputs(int thread, const int16_t* xs, int steps, int first_set, uint8_t* flags) {
    const int64_t stride = padded(shape.inputs);
    for (int64_t t = 0; t < steps; ++t) {
        int16_t* row = rows.data() + t * stride;
        uint8_t* row_flags = flags ? flags + t * columns() : nullptr;
        const int16_t* before = t ? row - stride : streams[0].sent(first_set ^ 1);
        copy_share(thread, xs + t * shape.inputs, row);
        count_of(thread, 0) += is_dense() ? streams[0].publish(thread, row, before, row, row_flags)
                                          : streams[0].detect(thread, int(t), row, row_flags, fetch_ahead_in_l3);
    }
}

// The input part of some steps, for this thread's tiles: the weights are read once for all of them.
void Cell::multiply_inputs(int thread, int steps, int first_set) {
    const Span units = units_of(thread);
    const int64_t stride = padded(shape.inputs), part = tiles * tile_size();
    for (int unit = units.first; unit < units.last; unit += tile_units) {
        const int tile = unit / tile_units;
        int32_t* out = input_parts.data() + tile * tile_size();
        if (is_dense())
            streams[0].matrix.dense_steps(tile, rows.data(), stride, steps, memory_of(tile), out, part);
        else
            streams[0].moves_of_steps(tile, steps, out, part);
    }
    if (is_dense())
        copy_share(thread, rows.data() + (steps - 1) * stride, streams[0].sent((first_set + steps - 1) & 1));
}

void Cell::advance(int thread, const Step& step) {
    if (step.x) publish(0, thread, step.set, step.x, step.flags);
    publish(1, thread, step.set, h(), step.flags);
    team->barrier();
    multiply_and_update(thread, step);
    if (arithmetic.kind == Kind::gru_before) {
        publish(2, thread, step.set, rh_now.data(), step.flags);
        team->barrier();
        multiply_reset_and_update(thread, step);
    }
    const Span units = units_of(thread);
    if (step.h) std::copy(h() + units.first, h() + units.last, step.h + units.first);
}

void Cell::publish(int stream, int thread, int set, const int16_t* now, uint8_t* flags) {
    count_of(thread, stream) += is_dense()
                                    ? streams[size_t(stream)].publish(thread, set, now, flags)
                                    : streams[size_t(stream)].detect(thread, set, now, flags, fetch_ahead(bytes));
}

// For gru_before only up to r * h: the update waits until everyone has it.
void Cell::multiply_and_update(int thread, const Step& step) {
    const Span units = units_of(thread);
    for (int unit = units.first; unit < units.last; unit += tile_units) {
        const int tile = unit / tile_units;
        int32_t* sums = start_sums(step, tile);
        if (step.x) accumulate(0, tile, step.set, sums);
        accumulate(1, tile, step.set, sums);
        if (arithmetic.kind == Kind::gru_before)
            (narrow_pointwise ? kernels.reset : reset_exactly)(arithmetic, sums, h() + unit, rh_now.data() + unit);
        else
            (narrow_pointwise ? kernels.update : update_exactly)(arithmetic, sums, h() + unit, c_now.data() + unit);
    }
}

void Cell::multiply_reset_and_update(int thread, const Step& step) {
    const Span units = units_of(thread);
    for (int unit = units.first; unit < units.last; unit += tile_units) {
        int32_t* sums = sums_of(unit / tile_units);
        accumulate(2, unit / tile_units, step.set, sums);
        (narrow_pointwise ? kernels.update : update_exactly)(arithmetic, sums, h() + unit, c_now.data() + unit);
    }
}

// Delta goes on from the last sums; dense starts anew. Inputs that were multiplied ahead are taken in.
int32_t* Cell::start_sums(const Step& step, int tile) const {
    int32_t* sums = sums_of(tile);
    const int32_t* part = step.input_part ? step.input_part + tile * tile_size() : nullptr;
    const int part_size = streams[0].blocks() * tile_units;
    if (!is_dense()) {
        if (part) kernels.add(part, part_size, sums);
        return sums;
    }
    std::memcpy(sums, memory_of(tile), size_t(tile_size()) * sizeof(int32_t));
    if (part) std::memcpy(sums, part, size_t(part_size) * sizeof(int32_t));
    return sums;
}

void Cell::accumulate(int stream, int tile, int set, int32_t* sums) const {
    if (is_dense())
        streams[size_t(stream)].add_values(tile, set, sums);
    else
        streams[size_t(stream)].add_moves(tile, set, sums);
}

int32_t& Cell::remembered(int m, int i) const {
    return memory_of(i / tile_units)[block_of_memory[size_t(m)] * tile_units + i % tile_units];
}

void Cell::load(const State<const int16_t, const int32_t>& state) {
    const int16_t* sent[] = {state.x_sent, state.h_sent, state.rh_sent};
    std::copy(state.h, state.h + shape.hidden, h());
    std::copy(state.c, state.c + shape.hidden, c_now.data());
    for (size_t s = 0; s < streams.size(); ++s)
        for (int each : {0, 1}) std::copy(sent[s], sent[s] + streams[s].columns(), streams[s].sent(each));
    for (int m = 0; m < blocks; ++m)
        for (int i = 0; i < shape.hidden; ++i) remembered(m, i) = state.memory[m * shape.hidden + i];
    if (is_dense()) add_products(-1);
    std::fill(counts.data(), counts.data() + counts.size(), 0);
}

void Cell::save(const State<int32_t, int32_t>& state) {
    int32_t* sent[] = {state.x_sent, state.h_sent, state.rh_sent};
    std::copy(h(), h() + shape.hidden, state.h);
    std::copy(c_now.data(), c_now.data() + shape.hidden, state.c);
    for (size_t s = 0; s < streams.size(); ++s)
        std::copy(streams[s].sent(set ^ 1), streams[s].sent(set ^ 1) + streams[s].columns(), sent[s]);
    if (is_dense()) add_products(1);
    const int spare = 32 - arithmetic.accumulator_bits;
    for (int m = 0; m < blocks; ++m)
        for (int i = 0; i < shape.hidden; ++i)
            state.memory[m * shape.hidden + i] = int32_t(uint32_t(remembered(m, i)) << spare) >> spare;
    if (is_dense()) add_products(-1);
}

// Dense: memory += sign * W sent, to go between the sums and what is left of them without the products.
void Cell::add_products(int sign) {
    const size_t size = size_t(tile_size());
    const Buffer<int32_t> products(size), zeros(size);
    for (const Stream& stream : streams)
        for (int tile = 0; tile < tiles; ++tile) {
            stream.matrix.dense(tile, stream.sent(set ^ 1), zeros.data(), products.data());
            auto* sums = reinterpret_cast<uint32_t*>(memory_of(tile) + stream.block() * tile_units);
            for (int i = 0; i < stream.blocks() * tile_units; ++i)
                sums[i] += uint32_t(sign) * uint32_t(products[size_t(i)]);
        }
}

}  // namespace deltawave

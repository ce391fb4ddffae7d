#include "cell.hpp"

#include <algorithm>
#include <cstring>

namespace deltawave {

namespace {

struct Layout {
    int blocks;
    std::vector<int> x_gates, h_gates, rh_gates;  // in the order of their blocks
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

int padded(int count) { return (count + tile_units - 1) / tile_units * tile_units; }

bool is_small(const int16_t* weights, int64_t count) {
    return std::all_of(weights, weights + count, [](int16_t w) { return w >= -128 && w <= 127; });
}

}  // namespace

Cell::Cell(const Kernels& kernels, const Arithmetic& arithmetic, Shape shape, const int16_t* weights_x,
           const int16_t* weights_h, Options options)
    : kernels(kernels), arithmetic(arithmetic), shape(shape), product(options.product), threads(options.threads) {
    Layout layout = layout_of(arithmetic.kind);
    tiles = padded(shape.hidden) / tile_units;
    blocks = layout.blocks;
    narrow_pointwise = fits_32_bits(arithmetic);
    ahead = !arithmetic.accumulator_saturates || product == Product::dense;
    int64_t rows = int64_t(layout.x_gates.size()) * shape.hidden;
    int weight_bytes = is_small(weights_x, rows * shape.inputs) && is_small(weights_h, rows * shape.hidden) ? 1 : 2;
    add_stream(layout.x_gates, weights_x, weight_bytes, shape.inputs, 0, options.theta_x);
    add_stream(layout.h_gates, weights_h, weight_bytes, shape.hidden, layout.h_block, options.theta_h);
    if (!layout.rh_gates.empty())
        add_stream(layout.rh_gates, weights_h, weight_bytes, shape.hidden, layout.rh_block, options.theta_h);
    x_now = Buffer<int16_t>(size_t(padded(shape.inputs)));
    h_now = Buffer<int16_t>(size_t(padded(shape.hidden)));
    c_now = Buffer<int16_t>(size_t(padded(shape.hidden)));
    rh_now = Buffer<int16_t>(size_t(padded(shape.hidden)));
    last_flags = Buffer<uint8_t>(size_t(columns()));
    memory = Buffer<int32_t>(size_t(tiles * blocks * tile_units));
    if (product == Product::dense) work = Buffer<int32_t>(memory.size());
    counts = Buffer<int64_t>(size_t(threads) * counts_apart);
    if (ahead) {
        this->rows = Buffer<int16_t>(size_t(steps_ahead) * size_t(padded(shape.inputs)));
        input_parts = Buffer<int32_t>(size_t(steps_ahead) * memory.size());
    }
    team = std::make_unique<Team>(threads);
}

void Cell::add_stream(const std::vector<int>& gates, const int16_t* weights, int weight_bytes, int columns, int block,
                      int theta) {
    Rows rows{{}, shape.hidden, columns};
    Stream stream;
    int64_t gate_size = int64_t(shape.hidden) * columns;
    for (int gate : gates) rows.gates.push_back(weights + gate * gate_size);
    stream.matrix = Matrix(kernels, product, weight_bytes, rows);
    stream.columns = columns;
    stream.block = block;
    stream.flag = streams.empty() ? 0 : this->columns();
    stream.theta = theta;
    for (auto& values : stream.sent) values = Buffer<int16_t>(size_t(padded(columns)));
    if (product == Product::delta) make_lists(stream, streams.empty() && ahead ? steps_ahead : 2);
    if (arithmetic.accumulator_saturates)
        for (const int16_t* gate : rows.gates) {
            stream.plain.gates.emplace_back(gate, gate + gate_size);
            for (int64_t i = 0; i < gate_size; ++i) stream.plain.largest = std::max<int64_t>(stream.plain.largest, std::abs(int(gate[i])));
        }
    bytes += gate_size * int64_t(gates.size()) * weight_bytes;
    streams.push_back(std::move(stream));
}

// A 17-bit move takes up to three pieces; after the list come the columns to fetch ahead, and room for a whole vector.
void Cell::make_lists(Stream& stream, int sets) {
    size_t room = size_t(3 * (padded(stream.columns) / threads + tile_units) + most_ahead + tile_units), lists = size_t(sets * threads);
    stream.list_columns = Buffer<int32_t>(room * lists);
    stream.list_moves = Buffer<int16_t>(room * lists);
    for (size_t i = 0; i < lists; ++i)
        stream.lists.push_back({stream.list_columns.data() + i * room, stream.list_moves.data() + i * room, 0, 0, 0, 0, 0});
}

Cell::Span Cell::share(int columns, int thread) const {
    int parts = padded(columns) / tile_units;
    return {parts * thread / threads * tile_units, std::min(columns, parts * (thread + 1) / threads * tile_units)};
}

void Cell::step() {
    Step next{set, x(), flags(), nullptr, nullptr};
    if (threads == 1) advance(0, next);
    else team->run([&](int thread) { advance(thread, next); });
    set ^= 1;
}

void Cell::run(const int16_t* xs, int64_t steps, int32_t* hs, uint8_t* flags) {
    team->run([&](int thread) {
        for (int64_t first = 0; first < steps; first += steps_ahead) {
            int count = int(std::min<int64_t>(steps_ahead, steps - first));
            run_chunk(thread, xs + first * shape.inputs, count, int(set + first) & 1, hs + first * shape.hidden,
                      flags ? flags + first * columns() : nullptr);
        }
    });
    set = int(set + steps) & 1;
}

void Cell::run_chunk(int thread, const int16_t* xs, int steps, int first_set, int32_t* hs, uint8_t* flags) {
    if (ahead) run_ahead(thread, xs, steps, first_set, flags);
    for (int t = 0; t < steps; ++t) {
        Step next{(first_set + t) & 1, nullptr, flags ? flags + int64_t(t) * columns() : nullptr, hs + int64_t(t) * shape.hidden,
                  ahead ? input_parts.data() + int64_t(t) * int64_t(memory.size()) : nullptr};
        if (!ahead) {
            Span mine = share(shape.inputs, thread);
            std::copy(xs + t * int64_t(shape.inputs) + mine.first, xs + t * int64_t(shape.inputs) + mine.last, x() + mine.first);
            next.x = x();
        }
        advance(thread, next);
    }
}

// The input part of some steps, for this thread's tiles: the weights are read once for all of them.
void Cell::run_ahead(int thread, const int16_t* xs, int steps, int first_set, uint8_t* flags) {
    Stream& stream = streams[0];
    Span mine = share(shape.inputs, thread), units = share(shape.hidden, thread);
    int64_t stride = padded(shape.inputs), part = int64_t(memory.size());
    for (int t = 0; t < steps; ++t) {
        int16_t* row = rows.data() + t * stride;
        std::copy(xs + t * int64_t(shape.inputs) + mine.first, xs + t * int64_t(shape.inputs) + mine.last, row + mine.first);
        uint8_t* row_flags = flags ? flags + int64_t(t) * columns() : nullptr;
        if (product == Product::delta) {
            detect(stream, thread, t, row, row_flags, fetch_ahead_in_l3);
        } else {
            const int16_t* before = t ? row - stride : stream.sent[first_set ^ 1].data();
            count_of(thread, stream) += publish_values(mine, row, before, row, row_flags);
        }
    }
    team->barrier();
    for (int tile = units.first / tile_units; tile * tile_units < units.last; ++tile) {
        int64_t at = int64_t(tile) * blocks * tile_units;
        if (product == Product::delta)
            stream.matrix.delta_steps(tile, stream.lists.data(), steps, threads, input_parts.data() + at, part);
        else
            stream.matrix.dense_steps(tile, rows.data(), stride, steps, memory_of(tile), input_parts.data() + at, part);
    }
    if (product == Product::dense) {
        const int16_t* last = rows.data() + (steps - 1) * stride;
        std::copy(last + mine.first, last + mine.last, stream.sent[(first_set + steps - 1) & 1].data() + mine.first);
    }
}

void Cell::advance(int thread, const Step& step) {
    if (step.x) publish(streams[0], thread, step.set, step.x, step.flags);
    publish(streams[1], thread, step.set, h(), step.flags);
    team->barrier();
    multiply_and_update(thread, step);
    if (arithmetic.kind == Kind::gru_before) {
        publish(streams[2], thread, step.set, rh_now.data(), step.flags);
        team->barrier();
        reset_and_update(thread, step);
    }
    Span units = share(shape.hidden, thread);
    if (step.h) std::copy(h() + units.first, h() + units.last, step.h + units.first);
}

// For gru_before, the update waits until everyone has r * h.
void Cell::multiply_and_update(int thread, const Step& step) {
    Span units = share(shape.hidden, thread);
    for (int unit = units.first; unit < units.last; unit += tile_units) {
        int tile = unit / tile_units;
        int32_t* m = start_memory(step, tile);
        if (step.x) accumulate(streams[0], tile, step.set, m);
        accumulate(streams[1], tile, step.set, m);
        if (arithmetic.kind == Kind::gru_before)
            (narrow_pointwise ? kernels.reset : reset_exactly)(arithmetic, m, h() + unit, rh_now.data() + unit);
        else
            (narrow_pointwise ? kernels.update : update_exactly)(arithmetic, m, h() + unit, c_now.data() + unit);
    }
}

void Cell::reset_and_update(int thread, const Step& step) {
    Span units = share(shape.hidden, thread);
    for (int unit = units.first; unit < units.last; unit += tile_units) {
        int32_t* m = sums_of(unit / tile_units);
        accumulate(streams[2], unit / tile_units, step.set, m);
        (narrow_pointwise ? kernels.update : update_exactly)(arithmetic, m, h() + unit, c_now.data() + unit);
    }
}

// Delta: the sums so far and perhaps the inputs' moves; dense: the start of the sums, perhaps with the inputs' products.
int32_t* Cell::start_memory(const Step& step, int tile) const {
    int32_t* m = sums_of(tile);
    int count = streams[0].matrix.gates() * tile_units;
    const int32_t* part = step.input_part ? step.input_part + int64_t(tile) * blocks * tile_units : nullptr;
    if (product == Product::delta) {
        if (part) kernels.add(part, count, m);
        return m;
    }
    std::memcpy(m, memory_of(tile), size_t(blocks * tile_units) * sizeof(int32_t));
    if (part) std::memcpy(m, part, size_t(count) * sizeof(int32_t));
    return m;
}

void Cell::publish(Stream& stream, int thread, int set, const int16_t* now, uint8_t* flags) {
    if (product == Product::delta) return detect(stream, thread, set, now, flags, fetch_ahead(bytes));
    int16_t* after = stream.sent[set].data();
    const int16_t* before = stream.sent[set ^ 1].data();
    int sent = publish_values(share(stream.columns, thread), now, before, after, flags ? flags + stream.flag : nullptr);
    count_of(thread, stream) += sent;
}

int Cell::publish_values(const Span& mine, const int16_t* now, const int16_t* before, int16_t* after, uint8_t* flags) const {
    int sent = 0;
    for (int i = mine.first; i < mine.last; ++i) {
        bool moved = now[i] != before[i];
        after[i] = now[i];
        sent += moved;
        if (flags) flags[i] = moved;
    }
    return sent;
}

void Cell::detect(Stream& stream, int thread, int list_set, const int16_t* now, uint8_t* flags, int ahead) {
    Span mine = share(stream.columns, thread);
    Sends& sends = list(stream, list_set, thread);
    sends.count = sends.sum = sends.sent = 0;
    sends.distance = 0;
    Moving values{now, stream.sent[0].data(), flags ? flags + stream.flag : nullptr, stream.theta};
    kernels.detect(values, mine.first, mine.last, sends);
    count_of(thread, stream) += sends.sent;
    if (arithmetic.accumulator_saturates)
        for (int i = 0; i < sends.count; ++i) sends.distance += std::abs(int(sends.moves[i]));
    if (sends.count % 2) {
        sends.columns[sends.count] = 0;
        sends.moves[sends.count++] = 0;
    }
    int next_panel = (stream.columns + 1) / 2 * 2;
    sends.ahead = ahead;
    for (int i = 0; i < ahead; ++i)
        sends.columns[sends.count + i] = (sends.count ? sends.columns[i] : 0) + next_panel;
}

void Cell::accumulate(Stream& stream, int tile, int set, int32_t* m) {
    int32_t* sums = m + stream.block * tile_units;
    if (product == Product::dense) return stream.matrix.dense(tile, stream.sent[set].data(), sums, sums);
    for (int thread = 0; thread < threads; ++thread) accumulate_moves(stream, tile, list(stream, set, thread), sums);
}

// A saturating accumulator is safe if even the largest weights could not carry any sum over its end.
void Cell::accumulate_moves(const Stream& stream, int tile, const Sends& sends, int32_t* sums) const {
    if (arithmetic.accumulator_saturates) {
        int64_t limit = (int64_t(1) << (arithmetic.accumulator_bits - 1)) - 1, peak = 0;
        for (int i = 0; i < stream.matrix.gates() * tile_units; ++i) peak = std::max<int64_t>(peak, std::abs(int64_t(sums[i])));
        if (peak + stream.plain.largest * sends.distance > limit) return accumulate_saturating(stream, tile, sends, sums);
    }
    stream.matrix.delta(tile, sends, sums, sums);
}

void Cell::accumulate_saturating(const Stream& stream, int tile, const Sends& sends, int32_t* sums) const {
    int64_t highest = (int64_t(1) << (arithmetic.accumulator_bits - 1)) - 1;
    int units = std::min(tile_units, shape.hidden - tile * tile_units);
    for (const auto& gate : stream.plain.gates) {
        for (int unit = 0; unit < units; ++unit) {
            const int16_t* row = gate.data() + int64_t(tile * tile_units + unit) * stream.columns;
            int64_t sum = sums[unit];
            for (int i = 0; i < sends.count; ++i)
                sum = std::clamp<int64_t>(sum + int64_t(row[sends.columns[i]]) * sends.moves[i], -highest - 1, highest);
            sums[unit] = int32_t(sum);
        }
        sums += tile_units;
    }
}

void Cell::load(const State<const int16_t, const int32_t>& state) {
    const int16_t* sent[] = {state.x_sent, state.h_sent, state.rh_sent};
    std::copy(state.h, state.h + shape.hidden, h());
    std::copy(state.c, state.c + shape.hidden, c_now.data());
    for (size_t s = 0; s < streams.size(); ++s)
        for (auto& values : streams[s].sent) std::copy(sent[s], sent[s] + streams[s].columns, values.data());
    Layout layout = layout_of(arithmetic.kind);
    for (int m = 0; m < blocks; ++m)
        for (int i = 0; i < shape.hidden; ++i)
            memory_of(i / tile_units)[layout.block_of_memory[size_t(m)] * tile_units + i % tile_units] = state.memory[m * shape.hidden + i];
    if (product == Product::dense) take_sent(-1);
    std::fill(counts.data(), counts.data() + counts.size(), 0);
}

void Cell::save(const State<int32_t, int32_t>& state) {
    int32_t* sent[] = {state.x_sent, state.h_sent, state.rh_sent};
    int last = product == Product::dense ? set ^ 1 : 0, spare = 32 - arithmetic.accumulator_bits;
    std::copy(h(), h() + shape.hidden, state.h);
    std::copy(c_now.data(), c_now.data() + shape.hidden, state.c);
    for (size_t s = 0; s < streams.size(); ++s)
        std::copy(streams[s].sent[last].data(), streams[s].sent[last].data() + streams[s].columns, sent[s]);
    if (product == Product::dense) take_sent(1);
    Layout layout = layout_of(arithmetic.kind);
    for (int m = 0; m < blocks; ++m)
        for (int i = 0; i < shape.hidden; ++i) {
            int32_t value = memory_of(i / tile_units)[layout.block_of_memory[size_t(m)] * tile_units + i % tile_units];
            state.memory[m * shape.hidden + i] = int32_t(uint32_t(value) << spare) >> spare;
        }
    if (product == Product::dense) take_sent(-1);
}

// Dense: memory += sign * W sent, to go between the sums and their start.
void Cell::take_sent(int sign) {
    Buffer<int32_t> products(size_t(blocks * tile_units)), zeros(products.size());
    for (const Stream& stream : streams)
        for (int tile = 0; tile < tiles; ++tile) {
            stream.matrix.dense(tile, stream.sent[set ^ 1].data(), zeros.data(), products.data());
            uint32_t* sums = reinterpret_cast<uint32_t*>(memory_of(tile) + stream.block * tile_units);
            for (int i = 0; i < stream.matrix.gates() * tile_units; ++i) sums[i] += uint32_t(sign) * uint32_t(products[size_t(i)]);
        }
}

}  // namespace deltawave

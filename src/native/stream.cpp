#include "stream.hpp"

#include <algorithm>

namespace deltawave {

Span share(int count, int thread, int threads) {
    int parts = padded(count) / tile_units;
    return {parts * thread / threads * tile_units, std::min(count, parts * (thread + 1) / threads * tile_units)};
}

Stream::Stream(const Kernels& kernels, int weight_bytes, const Rows& rows, const StreamOptions& options)
    : matrix(kernels, options.product, weight_bytes, rows),
      kernels(kernels),
      options(options),
      column_count(rows.columns) {
    for (auto& set : values) set = Buffer<int16_t>(size_t(padded(column_count)));
    if (options.saturating_bits) saturating = SaturatingRows(rows, options.saturating_bits);
    if (options.product == Product::delta) make_lists();
}

// A move of 17 bits takes up to three pieces; after a list come the columns to fetch ahead, and room for a whole
// vector.
void Stream::make_lists() {
    const size_t count = size_t(options.sets * options.threads);
    const size_t room = size_t(3 * (padded(column_count) / options.threads + tile_units) + most_ahead + tile_units);
    list_columns = Buffer<int32_t>(room * count);
    list_moves = Buffer<int16_t>(room * count);
    lists.resize(count);
    for (size_t i = 0; i < count; ++i) {
        lists[i].columns = list_columns.data() + i * room;
        lists[i].moves = list_moves.data() + i * room;
    }
}

int Stream::detect(int thread, int set, const int16_t* now, uint8_t* flags, int ahead) {
    const Span mine = share(column_count, thread, options.threads);
    Sends& sends = lists[size_t(set * options.threads + thread)];
    sends.count = sends.sum = sends.sent = 0;
    kernels.detect({now, sent(0), flags ? flags + options.flag : nullptr, options.theta}, mine.first, mine.last, sends);
    if (sends.count % 2) {
        sends.columns[sends.count] = 0;
        sends.moves[sends.count++] = 0;
    }
    const int next_panel = (column_count + 1) / 2 * 2;
    sends.ahead = ahead;
    for (int i = 0; i < ahead; ++i) sends.columns[sends.count + i] = (sends.count ? sends.columns[i] : 0) + next_panel;
    return sends.sent;
}

void Stream::add_moves(int tile, int set, int32_t* memory) const {
    int32_t* sums = memory + options.block * tile_units;
    for (int thread = 0; thread < options.threads; ++thread) {
        const Sends& sends = lists[size_t(set * options.threads + thread)];
        if (options.saturating_bits && !saturating.safe(sends, sums))
            saturating.accumulate(tile, sends, sums);
        else
            matrix.delta(tile, sends, sums, sums);
    }
}

void Stream::moves_of_steps(int tile, int steps, int32_t* out, int64_t out_stride) const {
    static const int32_t zeros[4 * tile_units] = {};
    const Sends* sends = lists.data();
    for (int step = 0; step < steps; ++step, out += out_stride)
        for (int thread = 0; thread < options.threads; ++thread, ++sends)
            matrix.delta(tile, *sends, thread ? out : zeros, out);
}

int Stream::publish(int thread, int set, const int16_t* now, uint8_t* flags) {
    return publish(thread, now, sent(set ^ 1), sent(set), flags);
}

int Stream::publish(int thread, const int16_t* now, const int16_t* before, int16_t* after, uint8_t* flags) const {
    const Span mine = share(column_count, thread, options.threads);
    int moved = 0;
    for (int i = mine.first; i < mine.last; ++i) {
        const bool differs = now[i] != before[i];
        after[i] = now[i];
        moved += differs;
        if (flags) flags[options.flag + i] = differs;
    }
    return moved;
}

void Stream::add_values(int tile, int set, int32_t* memory) const {
    int32_t* sums = memory + options.block * tile_units;
    matrix.dense(tile, sent(set), sums, sums);
}

}  // namespace deltawave

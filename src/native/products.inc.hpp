// Matrix-vector products, for values that moved (delta) and for all values (dense).
//
// 8-bit weights are read as 16-bit words holding two rows: v = 256 * w_high + (w_low + 128). Then sum(v * x) and
// sum((v >> 8) * x) give both rows with 16-bit multiply-adds, without unpacking bytes:
// low = sum(v * x) - 256 * high - 128 * sum(x).
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

// The sums of a panel must stay in registers, so these loops may not remain loops.
#define EVERY(i, count) _Pragma("GCC unroll 16") for (int i = 0; i < (count); ++i)

namespace {

using namespace deltawave;

constexpr int dense_ahead = 4096;  // bytes fetched before they are needed: a fifth faster from the third cache

template <class V>
Place delta_place(int weight_bytes, int row) {
    int n = V::count, rows_per_vector = V::bytes / weight_bytes, sums = 4 / weight_bytes;
    int sum = row / n % sums, word = row % n / 4 * 8 + row % 4 + 4 * (sum * weight_bytes / 2);
    int at = row / rows_per_vector * V::bytes + 2 * word;
    return weight_bytes == 1 ? Place{at + sum % 2, sum % 2 == 0} : Place{at, false};
}

template <class V>
Place dense_place(int weight_bytes, int row) {
    int n = V::count, rows_per_vector = 2 * n / weight_bytes, half = row % rows_per_vector / n;
    int at = row / rows_per_vector * V::bytes + row % n * 4 + half;
    return {at, weight_bytes == 1 && half == 0};
}

template <class V>
typename V::Vector pair_of(const int16_t* values) {
    int32_t both;
    std::memcpy(&both, values, 4);
    return V::set(both);
}

// Vector number v of what will be read, once for each cache line.
template <class V>
void fetch(const uint8_t* from, int v) {
    if (v * V::bytes % 64 == 0) __builtin_prefetch(from + v * V::bytes);
}

// Adds two sums that hold a low and a high row (see above) to 2 * count memories.
template <class V>
void add_two_rows(typename V::Vector both, typename V::Vector high, typename V::Vector raised, const int32_t* in,
                  int32_t* out) {
    auto low = V::sub(V::sub(both, V::shift_left(high, 8)), raised);
    V::store(out, V::add(V::load(in), low));
    V::store(out + V::count, V::add(V::load(in + V::count), high));
}

template <class V, int Blocks>
void delta_bytes(const uint8_t* panel, const Sends& sends, const int32_t* in, int32_t* out) {
    constexpr int vectors = Blocks * tile_units / V::bytes, stride = Blocks * tile_units;
    typename V::Vector sums[vectors][4];
    for (auto& four : sums)
        for (auto& sum : four) sum = V::set(0);
    for (int i = 0; i < sends.count; i += 2) {
        const uint8_t* a = panel + int64_t(sends.columns[i]) * stride;
        const uint8_t* b = panel + int64_t(sends.columns[i + 1]) * stride;
        const uint8_t* a_ahead = panel + int64_t(sends.columns[i + sends.ahead]) * stride;
        const uint8_t* b_ahead = panel + int64_t(sends.columns[i + 1 + sends.ahead]) * stride;
        auto moves = pair_of<V>(sends.moves + i);
        EVERY (v, vectors) {
            fetch<V>(a_ahead, v);
            fetch<V>(b_ahead, v);
            auto va = V::load(a + v * V::bytes), vb = V::load(b + v * V::bytes);
            auto low = V::pair_low(va, vb), high = V::pair_high(va, vb);
            sums[v][0] = V::dot(sums[v][0], low, moves);
            sums[v][1] = V::dot(sums[v][1], V::high_bytes(low), moves);
            sums[v][2] = V::dot(sums[v][2], high, moves);
            sums[v][3] = V::dot(sums[v][3], V::high_bytes(high), moves);
        }
    }
    auto raised = V::set(int32_t(uint32_t(sends.sum) * 128));
    EVERY (v, vectors)
        EVERY (half, 2) {
            int at = (4 * v + 2 * half) * V::count;
            add_two_rows<V>(sums[v][2 * half], sums[v][2 * half + 1], raised, in + at, out + at);
        }
}

template <class V, int Blocks>
void delta_words(const uint8_t* panel, const Sends& sends, const int32_t* in, int32_t* out) {
    constexpr int vectors = Blocks * tile_units * 2 / V::bytes, stride = Blocks * tile_units * 2;
    typename V::Vector sums[vectors][2];
    for (auto& two : sums)
        for (auto& sum : two) sum = V::set(0);
    for (int i = 0; i < sends.count; i += 2) {
        const uint8_t* a = panel + int64_t(sends.columns[i]) * stride;
        const uint8_t* b = panel + int64_t(sends.columns[i + 1]) * stride;
        const uint8_t* a_ahead = panel + int64_t(sends.columns[i + sends.ahead]) * stride;
        const uint8_t* b_ahead = panel + int64_t(sends.columns[i + 1 + sends.ahead]) * stride;
        auto moves = pair_of<V>(sends.moves + i);
        EVERY (v, vectors) {
            fetch<V>(a_ahead, v);
            fetch<V>(b_ahead, v);
            auto va = V::load(a + v * V::bytes), vb = V::load(b + v * V::bytes);
            sums[v][0] = V::dot(sums[v][0], V::pair_low(va, vb), moves);
            sums[v][1] = V::dot(sums[v][1], V::pair_high(va, vb), moves);
        }
    }
    EVERY (v, 2 * vectors) V::store(out + v * V::count, V::add(V::load(in + v * V::count), sums[v / 2][v % 2]));
}

template <class V, int Blocks>
void dense_bytes(const uint8_t* panel, const int16_t* values, int32_t sum, int pairs, const int32_t* in, int32_t* out) {
    constexpr int vectors = Blocks * tile_units * 2 / V::bytes;
    typename V::Vector both[vectors], high[vectors];
    EVERY (v, vectors) both[v] = high[v] = V::set(0);
    for (int k = 0; k < pairs; ++k, panel += Blocks * tile_units * 2) {
        auto pair = pair_of<V>(values + 2 * k);
        EVERY (v, vectors) {
            fetch<V>(panel + dense_ahead, v);
            auto weights = V::load(panel + v * V::bytes);
            both[v] = V::dot(both[v], weights, pair);
            high[v] = V::dot(high[v], V::high_bytes(weights), pair);
        }
    }
    auto raised = V::set(int32_t(uint32_t(sum) * 128));
    EVERY (v, vectors) add_two_rows<V>(both[v], high[v], raised, in + 2 * v * V::count, out + 2 * v * V::count);
}

template <class V, int Blocks>
void dense_words(const uint8_t* panel, const int16_t* values, int pairs, const int32_t* in, int32_t* out) {
    constexpr int vectors = Blocks * tile_units * 4 / V::bytes;
    typename V::Vector sums[vectors];
    for (auto& sum : sums) sum = V::set(0);
    for (int k = 0; k < pairs; ++k, panel += Blocks * tile_units * 4) {
        auto pair = pair_of<V>(values + 2 * k);
        EVERY (v, vectors) {
            fetch<V>(panel + dense_ahead, v);
            sums[v] = V::dot(sums[v], V::load(panel + v * V::bytes), pair);
        }
    }
    EVERY (v, vectors) V::store(out + v * V::count, V::add(V::load(in + v * V::count), sums[v]));
}

// One vector of rows of one block against four vectors of values.
template <class V>
void dense_bytes_four(const uint8_t* panel, int64_t panel_stride, const int16_t* values, int64_t stride,
                      const int32_t* sums, int pairs, const int32_t* in, int64_t in_stride, int32_t* out,
                      int64_t out_stride) {
    constexpr int steps = 4, vectors = V::bytes == 64 ? 2 : 1;
    typename V::Vector both[steps][vectors], high[steps][vectors];
    EVERY (s, steps)
        EVERY (v, vectors) both[s][v] = high[s][v] = V::set(0);
    for (int k = 0; k < pairs; ++k, panel += panel_stride)
        EVERY (v, vectors) {
            auto weights = V::load(panel + v * V::bytes), highs = V::high_bytes(weights);
            EVERY (s, steps) {
                auto pair = pair_of<V>(values + s * stride + 2 * k);
                both[s][v] = V::dot(both[s][v], weights, pair);
                high[s][v] = V::dot(high[s][v], highs, pair);
            }
        }
    EVERY (s, steps)
        EVERY (v, vectors) {
            int at = 2 * v * V::count;
            auto raised = V::set(int32_t(uint32_t(sums[s]) * 128));
            add_two_rows<V>(both[s][v], high[s][v], raised, in + s * in_stride + at, out + s * out_stride + at);
        }
}

template <class V>
void dense_words_four(const uint8_t* panel, int64_t panel_stride, const int16_t* values, int64_t stride, int pairs,
                      const int32_t* in, int64_t in_stride, int32_t* out, int64_t out_stride) {
    typename V::Vector sums[4][2];
    for (auto& two : sums) two[0] = two[1] = V::set(0);
    for (int k = 0; k < pairs; ++k, panel += panel_stride)
        EVERY (s, 4) {
            auto pair = pair_of<V>(values + s * stride + 2 * k);
            EVERY (v, 2) sums[s][v] = V::dot(sums[s][v], V::load(panel + v * V::bytes), pair);
        }
    EVERY (s, 4)
        EVERY (v, 2)
            V::store(out + s * out_stride + v * V::count,
                     V::add(V::load(in + s * in_stride + v * V::count), sums[s][v]));
}

// A block of rows and columns that fits the first cache, for all steps. `sums` of whole rows go with their first block.
template <class V>
void dense_block(const uint8_t* weights, int weight_bytes, int64_t panel_stride, const int16_t* values, int64_t stride,
                 int steps, const int32_t* sums, int pairs, const int32_t* in, int64_t in_stride, int32_t* out,
                 int64_t out_stride) {
    static const int32_t zeros[4] = {};
    for (int s = 0; s < steps; s += 4) {
        const int16_t* four = values + s * stride;
        const int32_t *from = in + s * in_stride, *four_sums = sums ? sums + s : zeros;
        int32_t* to = out + s * out_stride;
        if (weight_bytes == 1)
            dense_bytes_four<V>(weights, panel_stride, four, stride, four_sums, pairs, from, in_stride, to, out_stride);
        else
            dense_words_four<V>(weights, panel_stride, four, stride, pairs, from, in_stride, to, out_stride);
    }
}

template <class V>
void dense_steps(const void* panel, int weight_bytes, int blocks, const int16_t* values, int64_t stride, int steps,
                 const int32_t* sums, int pairs, const int32_t* in, int32_t* out, int64_t out_stride) {
    constexpr int pairs_at_once = 256;
    const int64_t panel_stride = int64_t(blocks) * tile_units * 2 * weight_bytes;
    const int rows_at_once = weight_bytes == 2 ? 2 * V::count : (V::bytes == 64 ? 4 : 2) * V::count;
    for (int row = 0; row < blocks * tile_units; row += rows_at_once)
        for (int pair = 0; pair < pairs; pair += pairs_at_once) {
            const uint8_t* weights = static_cast<const uint8_t*>(panel) + row * 2 * weight_bytes + pair * panel_stride;
            const int count = pairs - pair < pairs_at_once ? pairs - pair : pairs_at_once;
            dense_block<V>(weights, weight_bytes, panel_stride, values + 2 * pair, stride, steps, pair ? nullptr : sums,
                           count, (pair ? out : in) + row, pair ? out_stride : 0, out + row, out_stride);
        }
}

template <class V, int Blocks>
void delta_blocks(const void* panel, int weight_bytes, const Sends& sends, const int32_t* in, int32_t* out) {
    const auto* bytes = static_cast<const uint8_t*>(panel);
    weight_bytes == 1 ? delta_bytes<V, Blocks>(bytes, sends, in, out) : delta_words<V, Blocks>(bytes, sends, in, out);
}

template <class V>
void delta(const void* panel, int weight_bytes, int blocks, const Sends& sends, const int32_t* in, int32_t* out) {
    if (blocks == 1) return delta_blocks<V, 1>(panel, weight_bytes, sends, in, out);
    if constexpr (V::blocks_at_once == 4) {
        if (blocks == 2) return delta_blocks<V, 2>(panel, weight_bytes, sends, in, out);
        if (blocks == 3) return delta_blocks<V, 3>(panel, weight_bytes, sends, in, out);
        return delta_blocks<V, 4>(panel, weight_bytes, sends, in, out);
    }
}

template <class V, int Blocks>
void dense_blocks(const void* panel, int weight_bytes, const int16_t* values, int32_t sum, int pairs, const int32_t* in,
                  int32_t* out) {
    const auto* bytes = static_cast<const uint8_t*>(panel);
    weight_bytes == 1 ? dense_bytes<V, Blocks>(bytes, values, sum, pairs, in, out)
                      : dense_words<V, Blocks>(bytes, values, pairs, in, out);
}

template <class V>
void dense(const void* panel, int weight_bytes, int blocks, const int16_t* values, int32_t sum, int pairs,
           const int32_t* in, int32_t* out) {
    if (blocks == 1) return dense_blocks<V, 1>(panel, weight_bytes, values, sum, pairs, in, out);
    if constexpr (V::blocks_at_once == 4) {
        if (blocks == 2) return dense_blocks<V, 2>(panel, weight_bytes, values, sum, pairs, in, out);
        if (blocks == 3) return dense_blocks<V, 3>(panel, weight_bytes, values, sum, pairs, in, out);
        return dense_blocks<V, 4>(panel, weight_bytes, values, sum, pairs, in, out);
    }
}

template <class V>
void add(const int32_t* from, int count, int32_t* to) {
    for (int i = 0; i < count; i += V::count) V::store(to + i, V::add(V::load(to + i), V::load(from + i)));
}

template <class V>
int32_t sum_of_lanes(typename V::Vector v) {
    int32_t lanes[V::count];
    V::store(lanes, v);
    uint32_t total = 0;
    for (int32_t lane : lanes) total += uint32_t(lane);
    return int32_t(total);
}

template <class V>
int32_t sum(const int16_t* values, int count) {
    auto total = V::set(0), ones = V::set(0x00010001);
    for (int i = 0; i < count; i += 2 * V::count) total = V::dot(total, V::load(values + i), ones);
    return sum_of_lanes<V>(total);
}

}  // namespace

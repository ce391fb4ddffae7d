// Block floating point, written once over sixteen lanes: vectors into blocks, products, the point-wise part of cells.
#pragma once

#include "block_float_simd.hpp"

// The sums of a panel must stay in registers, so these loops may not remain loops.
#define EVERY(i, count) _Pragma("GCC unroll 16") for (int i = 0; i < (count); ++i)

namespace {

using namespace deltawave;

constexpr int fetched_ahead = 4096;  // bytes
constexpr int infinity = 0x7c00;     // as bits, beside which all numbers are lower

template <class V, bool Finite>
typename V::Halves load_halves(const uint16_t* halves, int count) {
    return Finite ? V::load(halves, count) : V::finite(V::load(halves, count));
}

template <class V, bool Finite>
int highest_magnitude(const uint16_t* halves, int count) {
    auto highest = V::load(halves, 0);
    for (int i = 0; i < count; i += lanes)
        highest = V::larger_magnitude(highest, load_halves<V, Finite>(halves + i, count - i));
    return V::highest(highest);
}

// Returns the sum of the mantissas.
template <class V, bool Finite>
int32_t nearest_mantissas(const uint16_t* halves, int count, float scale, int highest, int8_t* mantissas) {
    auto scales = V::set(scale);
    auto sum = V::set(int32_t(0));
    for (int i = 0; i < count; i += lanes) {
        auto values = V::widen(load_halves<V, Finite>(halves + i, count - i));
        auto nearest = V::nearest(V::mul(values, scales), highest);
        sum = V::add(sum, nearest);
        V::store_bytes(mantissas + i, nearest);
    }
    return V::sum(sum);
}

// Most vectors are finite, so that is assumed until it turns out otherwise.
template <class V>
void quantise(const BlockShape& shape, const uint16_t* halves, const BlockVector& to) {
    for (int b = 0; b < shape.blocks(); ++b, halves += shape.block) {
        const int count = shape.length(b);
        int highest = highest_magnitude<V, true>(halves, count);
        const bool finite = highest < infinity;
        if (!finite) highest = highest_magnitude<V, false>(halves, count);
        const int exponent = (highest >> 10) - 15;  // -15 for denormals and zeros
        const auto nearest = finite ? nearest_mantissas<V, true> : nearest_mantissas<V, false>;
        const float scale = power_of_two(shape.mantissa_bits - 1 - exponent);
        int32_t sum = nearest(halves, count, scale, shape.highest(), to.mantissas + b * shape.stride());
        to.scales[b] = power_of_two(exponent + 1 - shape.mantissa_bits);
        to.starts[b] = -shape.bias() * sum;
    }
}

// How the weights of a group are packed: two times four columns of a tile at once.
template <class V>
struct Nibbles {
    typedef typename V::Weights Weights;
    static constexpr int pairs = 1, lines = 1;

    template <int>
    static void unpack(const uint8_t* tile, Weights& first, Weights& second) {
        Weights line = V::load(tile);
        first = V::bits(line, 0x0f);
        second = V::bits(V::template right<4>(line), 0x0f);
    }
};

template <class V>
struct Sixes {
    typedef typename V::Weights Weights;
    static constexpr int pairs = 2, lines = 3;

    template <int Pair>
    static void unpack(const uint8_t* tile, Weights& first, Weights& second) {
        first = V::bits(V::load(tile + 2 * Pair * line_bytes), 0x3f);
        second = Pair ? last(tile) : V::bits(V::load(tile + line_bytes), 0x3f);
    }
    static Weights last(const uint8_t* tile) {
        Weights tops = V::template right<2>(V::bits(V::load(tile), 0xc0));
        tops = V::template right<2>(V::with_bits(tops, V::load(tile + line_bytes), 0xc0));
        return V::template right<2>(V::with_bits(tops, V::load(tile + 2 * line_bytes), 0xc0));
    }
};

// Dot products of one block of a panel with the same block of some vectors.
template <class V, int Steps>
struct BlockSums {
    static constexpr int chains = Steps == 1 ? V::chains : 1;
    typename V::Ints sums[Steps][panel_tiles][chains];

    void start(const BlockVector* vectors, int b) {
        EVERY (s, Steps)
            EVERY (t, panel_tiles)
                EVERY (chain, chains) sums[s][t][chain] = V::set(chain ? int32_t(0) : vectors[s].starts[b]);
    }

    template <class Packing>
    void add_group(const uint8_t* weights, const int8_t* const* x, int column) {
        EVERY (line, panel_tiles * Packing::lines) __builtin_prefetch(weights + line * line_bytes + fetched_ahead);
        add_pair<Packing, 0>(weights, x, column);
        if constexpr (Packing::pairs == 2) add_pair<Packing, 1>(weights, x, column + 8);
    }

    template <class Packing, int Pair>
    void add_pair(const uint8_t* weights, const int8_t* const* x, int column) {
        typename V::Four fours[Steps][2];
        EVERY (s, Steps)
            EVERY (half, 2) fours[s][half] = V::four(x[s] + column + 4 * half);
        EVERY (t, panel_tiles) {
            typename V::Weights first, second;
            Packing::template unpack<Pair>(weights + t * Packing::lines * line_bytes, first, second);
            EVERY (s, Steps) V::add_dots(sums[s][t], first, fours[s][0], second, fours[s][1]);
        }
    }

    typename V::Floats floats(int s, int t) const {
        auto sum = sums[s][t][0];
        if (chains == 2) sum = V::add(sum, sums[s][t][chains - 1]);
        return V::to_floats(sum);
    }
};

template <class V, int Steps, class Packing>
void multiply_panel(const BlockShape& shape, BlockPanel panel, const BlockVector* vectors, uint16_t* const* out) {
    constexpr int group_columns = 8 * Packing::pairs, group_bytes = panel_tiles * Packing::lines * line_bytes;
    typename V::Floats totals[Steps][panel_tiles];
    EVERY (s, Steps)
        EVERY (t, panel_tiles) totals[s][t] = V::set(0.0f);
    for (int b = 0; b < shape.blocks(); ++b, panel.scales += panel_rows) {
        BlockSums<V, Steps> block;
        block.start(vectors, b);
        const int8_t* x[Steps];
        EVERY (s, Steps) x[s] = vectors[s].mantissas + b * shape.stride();
        const int columns = shape.groups(b) * group_columns;
        for (int column = 0; column < columns; column += group_columns, panel.weights += group_bytes)
            block.template add_group<Packing>(panel.weights, x, column);
        EVERY (s, Steps)
            EVERY (t, panel_tiles) {
                auto scales = V::mul(V::load(panel.scales + t * lanes), V::set(vectors[s].scales[b]));
                totals[s][t] = V::add(totals[s][t], V::mul(block.floats(s, t), scales));
            }
    }
    EVERY (s, Steps)
        EVERY (t, panel_tiles) V::store(out[s] + t * lanes, V::narrow(totals[s][t]));
}

template <class V, int Steps>
void multiply(const BlockShape& shape, const BlockPanel& panel, const BlockVector* vectors, uint16_t* const* out) {
    shape.nibbles() ? multiply_panel<V, Steps, Nibbles<V>>(shape, panel, vectors, out)
                    : multiply_panel<V, Steps, Sixes<V>>(shape, panel, vectors, out);
}

// float16 arithmetic: in float32, then rounded, which gives the same as rounding once.
template <class V>
struct HalfCell {
    typedef typename V::Halves Halves;
    const HalfTables& tables;
    const BlockUnits& units;

    static Halves load(const uint16_t* values, int row) { return V::load(values + row * lanes, lanes); }
    static Halves add(Halves a, Halves b) { return V::narrow(V::add(V::widen(a), V::widen(b))); }
    static Halves sub(Halves a, Halves b) { return V::narrow(V::sub(V::widen(a), V::widen(b))); }
    static Halves mul(Halves a, Halves b) { return V::narrow(V::mul(V::widen(a), V::widen(b))); }

    Halves gate(Halves h) const { return V::look_up(tables.gate, h); }
    Halves candidate(Halves h) const { return V::look_up(tables.candidate, h); }
    Halves output(Halves h) const { return V::look_up(tables.output, h); }

    Halves input(int k) const { return add(load(units.from_x, k), load(units.bias, k)); }
    Halves recurrent(int k) const { return load(units.from_h, k); }
    Halves sum(int k) const { return add(recurrent(k), input(k)); }

    Halves peeping_input(int k, int peephole, Halves c) const {
        return units.peepholes ? add(mul(c, load(units.peepholes, peephole)), input(k)) : input(k);
    }

    void lstm() const {
        Halves old = load(units.c, 0);
        Halves f = gate(add(recurrent(1), peeping_input(1, 1, old)));
        Halves i = gate(add(recurrent(0), peeping_input(0, 0, old)));
        Halves c = add(mul(candidate(sum(2)), i), mul(f, old));
        Halves o = gate(add(recurrent(3), peeping_input(3, 2, c)));
        V::store(units.c, c);
        V::store(units.next_h, mul(output(c), o));
    }

    void blend(Halves n) const {
        Halves h = load(units.h, 0);
        V::store(units.next_h, add(mul(sub(h, n), gate(sum(1))), n));
    }

    void gru() const {
        Halves product = add(recurrent(2), load(units.bias, 3));
        blend(candidate(add(mul(product, gate(sum(0))), input(2))));
    }

    void gru_before() const { blend(candidate(add(load(units.from_rh, 0), input(2)))); }
    void rnn() const { V::store(units.next_h, candidate(sum(0))); }
};

template <class V>
void reset(const HalfTables& tables, const BlockUnits& units) {
    const HalfCell<V> cell{tables, units};
    V::store(units.rh, cell.mul(cell.gate(cell.sum(0)), cell.load(units.h, 0)));
}

template <class V>
void update(Kind kind, const HalfTables& tables, const BlockUnits& units) {
    const HalfCell<V> cell{tables, units};
    switch (kind) {
        case Kind::lstm: return cell.lstm();
        case Kind::gru: return cell.gru();
        case Kind::gru_before: return cell.gru_before();
        case Kind::rnn: return cell.rnn();
    }
}

template <class V>
constexpr BlockKernels block_kernels_of(const char* name) {
    return {name, V::steps_at_once, quantise<V>, multiply<V, 1>, multiply<V, V::steps_at_once>, reset<V>, update<V>};
}

}  // namespace

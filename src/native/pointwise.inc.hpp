// The pointwise part of a cell: rounding, tables and the formulas of each kind, many units at a time in 32 bits.
#pragma once

#include "kernels.hpp"
#include "simd.hpp"

namespace {

using namespace deltawave;

// integers / 2^shift to nearest, ties to even, without leaving 32 bits; shift 0 to 30
template <class V>
struct Rounding {
    int shift;
    typename V::Vector below, half_less_one, one;

    explicit Rounding(int bits)
        : shift(bits),
          below(V::set(bits ? (1 << bits) - 1 : 0)),
          half_less_one(V::set(bits ? (1 << (bits - 1)) - 1 : 0)),
          one(V::set(bits ? 1 : 0)) {}

    typename V::Vector operator()(typename V::Vector x) const {
        auto quotient = V::shift_right(x, shift);
        auto rest = V::add(V::bits_and(x, below), V::add(half_less_one, V::bits_and(quotient, one)));
        return V::add(quotient, V::shift_right(rest, shift));
    }
};

template <class V>
struct Lookup {
    const Table& table;
    typename V::Vector first, last;

    explicit Lookup(const Table& table) : table(table), first(V::set(table.first)), last(V::set(table.last)) {}

    typename V::Vector operator()(typename V::Vector x) const {
        auto entry = V::sub(V::max(V::min(x, last), first), first);
        if constexpr (V::has_cubics)
            if (table.cubics) return V::cubic(*table.cubics, entry);
        return V::look_up(table.values, entry);
    }
};

template <class V>
void look_up(const Table& table, const int32_t* in, int32_t* out) {
    const Lookup<V> find(table);
    for (int i = 0; i < look_up_count; i += V::count) V::store(out + i, find(V::load(in + i)));
}

template <class V>
struct Narrow {
    bool saturates;
    int spare;
    typename V::Vector lowest, highest;

    Narrow(int bits, bool saturate)
        : saturates(saturate),
          spare(32 - bits),
          lowest(V::set(int32_t(-(int64_t(1) << (bits - 1))))),
          highest(V::set(int32_t((int64_t(1) << (bits - 1)) - 1))) {}

    typename V::Vector operator()(typename V::Vector x) const {
        if (saturates) return V::max(V::min(x, highest), lowest);
        return V::shift_right(V::shift_left(x, spare), spare);
    }
};

// The pointwise formulas on `count` units: memory holds the tile's blocks of pre-activations in the order of the kind.
template <class V>
struct Pointwise {
    typedef typename V::Vector Vector;
    Kind kind;
    int reset_shift;
    Rounding<V> to_activation, product;
    Narrow<V> accumulator, activation;
    Lookup<V> gate, candidate, output;
    Vector one;

    explicit Pointwise(const Arithmetic& a)
        : kind(a.kind),
          reset_shift(a.fraction - a.weight_fraction),
          to_activation(a.weight_fraction),
          product(a.fraction),
          accumulator(a.accumulator_bits, a.accumulator_saturates),
          activation(a.activation_bits, a.activation_saturates),
          gate(a.gate),
          candidate(a.candidate),
          output(a.output),
          one(V::set(1 << a.fraction)) {}

    Vector preactivation(const int32_t* memory, int block) const {
        return to_activation(accumulator(V::load(memory + block * tile_units)));
    }

    Vector blend(Vector u, Vector c, Vector h) const {
        Vector fresh = product(V::multiply(V::sub(one, u), c));
        return activation(V::add(fresh, product(V::multiply(u, h))));
    }

    Vector gru(const int32_t* m, Vector h) const {
        Vector r = gate(preactivation(m, 1)), u = gate(preactivation(m, 2)), ch = preactivation(m, 3);
        Vector cx = accumulator(V::load(m));
        cx = reset_shift >= 0 ? V::shift_left(cx, reset_shift) : Rounding<V>(-reset_shift)(cx);
        Vector c = candidate(product(accumulator(V::add(V::multiply(r, ch), cx))));
        return blend(u, c, h);
    }

    Vector gru_before(const int32_t* m, Vector h) const {
        return blend(gate(preactivation(m, 1)), candidate(preactivation(m, 2)), h);
    }

    Vector reset(const int32_t* m, Vector h) const {
        return activation(product(V::multiply(gate(preactivation(m, 0)), h)));
    }

    Vector cell_state(const int32_t* m, Vector c) const {
        Vector i = gate(preactivation(m, 0)), f = gate(preactivation(m, 1)), g = candidate(preactivation(m, 2));
        return activation(product(V::add(V::multiply(f, c), V::multiply(i, g))));
    }

    Vector lstm(const int32_t* m, Vector c) const {
        return activation(product(V::multiply(gate(preactivation(m, 3)), output(c))));
    }

    Vector rnn(const int32_t* m) const { return activation(candidate(preactivation(m, 0))); }
};

template <class V>
void update(const Arithmetic& arithmetic, const int32_t* memory, int16_t* h, int16_t* c) {
    const Pointwise<V> cell(arithmetic);
    for (int i = 0; i < tile_units; i += V::count, memory += V::count) {
        auto now = V::load_words(h + i);
        if (cell.kind == Kind::lstm) {
            auto state = cell.cell_state(memory, V::load_words(c + i));
            V::store_words(c + i, state);
            now = cell.lstm(memory, state);
        } else {
            now = cell.kind == Kind::gru          ? cell.gru(memory, now)
                  : cell.kind == Kind::gru_before ? cell.gru_before(memory, now)
                                                  : cell.rnn(memory);
        }
        V::store_words(h + i, now);
    }
}

template <class V>
void reset(const Arithmetic& arithmetic, const int32_t* memory, const int16_t* h, int16_t* rh) {
    const Pointwise<V> cell(arithmetic);
    for (int i = 0; i < tile_units; i += V::count) V::store_words(rh + i, cell.reset(memory + i, V::load_words(h + i)));
}

}  // namespace

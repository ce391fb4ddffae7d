// The pointwise part of a cell in 64 bits, one unit at a time: for formats where 32 bits are not provably enough.
#include <algorithm>
#include <cstdlib>

#include "kernels.hpp"

namespace deltawave {

namespace {

int64_t round_shift(int64_t x, int shift) {
    if (shift <= 0) return x * (int64_t(1) << -shift);
    int64_t half_less_one = (int64_t(1) << (shift - 1)) - 1;
    return (x + half_less_one + ((x >> shift) & 1)) >> shift;
}

int64_t narrow(int64_t x, int bits, bool saturates) {
    int64_t lowest = -(int64_t(1) << (bits - 1)), highest = -lowest - 1;
    if (saturates) return std::clamp(x, lowest, highest);
    return ((x - lowest) & ((int64_t(1) << bits) - 1)) + lowest;
}

int64_t look_up(const Table& table, int64_t x) {
    return table.values[std::clamp<int64_t>(x, table.first, table.last) - table.first];
}

int64_t largest(const Table& table) {
    int64_t most = 0;
    for (int64_t i = 0; i <= int64_t(table.last) - table.first; ++i)
        most = std::max<int64_t>(most, std::abs(int(table.values[i])));
    return most;
}

struct Unit {
    const Arithmetic& a;
    const int32_t* memory;

    int64_t accumulator(int64_t x) const { return narrow(x, a.accumulator_bits, a.accumulator_saturates); }
    int64_t activation(int64_t x) const { return narrow(x, a.activation_bits, a.activation_saturates); }
    int64_t memory_at(int block) const { return accumulator(memory[block * tile_units]); }
    int64_t preactivation(int block) const { return round_shift(memory_at(block), a.weight_fraction); }
    int64_t gate(int block) const { return look_up(a.gate, preactivation(block)); }

    int64_t candidate_of_gru() const {
        int64_t cx = round_shift(memory_at(0), a.weight_fraction - a.fraction);
        return look_up(a.candidate, round_shift(accumulator(gate(1) * preactivation(3) + cx), a.fraction));
    }

    int64_t blend(int64_t u, int64_t c, int64_t h) const {
        int64_t one = int64_t(1) << a.fraction;
        return activation(round_shift((one - u) * c, a.fraction) + round_shift(u * h, a.fraction));
    }

    int64_t cell_state(int64_t c) const {
        int64_t g = look_up(a.candidate, preactivation(2));
        return activation(round_shift(gate(1) * c + gate(0) * g, a.fraction));
    }

    int64_t state(int64_t h, int64_t c) const {
        switch (a.kind) {
            case Kind::gru: return blend(gate(2), candidate_of_gru(), h);
            case Kind::gru_before: return blend(gate(1), look_up(a.candidate, preactivation(2)), h);
            case Kind::lstm: return activation(round_shift(gate(3) * look_up(a.output, c), a.fraction));
            default: return activation(look_up(a.candidate, preactivation(0)));
        }
    }
};

}  // namespace

void update_exactly(const Arithmetic& arithmetic, const int32_t* memory, int16_t* h, int16_t* c) {
    for (int i = 0; i < tile_units; ++i) {
        Unit unit{arithmetic, memory + i};
        if (arithmetic.kind == Kind::lstm) c[i] = int16_t(unit.cell_state(c[i]));
        h[i] = int16_t(unit.state(h[i], c[i]));
    }
}

void reset_exactly(const Arithmetic& arithmetic, const int32_t* memory, const int16_t* h, int16_t* rh) {
    for (int i = 0; i < tile_units; ++i) {
        Unit unit{arithmetic, memory + i};
        rh[i] = int16_t(unit.activation(round_shift(unit.gate(0) * h[i], arithmetic.fraction)));
    }
}

// Every product and sum of the pointwise part stays within 32 bits, or may wrap there because the accumulator does.
bool fits_32_bits(const Arithmetic& a) {
    const int64_t limit = int64_t(1) << 30, one = int64_t(1) << a.fraction;
    const int64_t state = int64_t(1) << (a.activation_bits - 1);
    const int64_t gate = largest(a.gate), candidate = largest(a.candidate), output = largest(a.output);
    if (a.weight_fraction > 30 || a.fraction > 15) return false;
    if ((one + gate) * candidate >= limit || gate * std::max(state, output) >= limit) return false;
    if (a.kind != Kind::gru || !a.accumulator_saturates) return true;
    int64_t most = int64_t(1) << (a.accumulator_bits - 1);
    int64_t product = gate * (round_shift(most, a.weight_fraction) + 1);
    return product + round_shift(most, a.weight_fraction - a.fraction) + 1 < 2 * limit;
}

}  // namespace deltawave

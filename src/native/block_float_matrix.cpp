#include "block_float_matrix.hpp"

#include <cmath>

namespace deltawave {

BlockVectors::BlockVectors(const BlockShape& shape, int steps)
    : form(shape),
      bytes(shape.blocks() * shape.stride() + lanes),
      mantissas(size_t(steps) * size_t(bytes)),
      scales(size_t(steps * shape.blocks())),
      starts(size_t(steps * shape.blocks())) {}

BlockVector BlockVectors::operator[](int step) const {
    const int first = step * form.blocks();
    return {mantissas.data() + int64_t(step) * bytes, scales.data() + first, starts.data() + first};
}

BlockMatrix::BlockMatrix(const BlockKernels& kernels, const BlockShape& shape, const BlockWeights& weights,
                         int first_gate, int gates, int hidden)
    : kernels(&kernels), form(shape), gates(gates) {
    panels = panels_of({0, hidden}).last;
    panel_bytes = int64_t(form.all_groups()) * panel_tiles * form.tile_bytes();
    packed = Buffer<uint8_t>(size_t(panels * panel_bytes));
    scales = Buffer<float>(size_t(panels) * size_t(form.blocks() * panel_rows));
    for (int gate = 0; gate < gates; ++gate)
        for (int unit = 0; unit < hidden; ++unit)
            pack(weights, (first_gate + gate) * hidden + unit, (unit / lanes * gates + gate) * lanes + unit % lanes);
}

// Columns and rows that only fill up stay zero: they meet zero mantissas, or their results are never read.
void BlockMatrix::pack(const BlockWeights& weights, int from, int to) {
    const int row = to % panel_rows, at = row / lanes * form.tile_bytes() + row % lanes * 4;
    const int group_bytes = panel_tiles * form.tile_bytes();
    for (int b = 0; b < form.blocks(); ++b) {
        int64_t block = int64_t(from) * form.blocks() + b;
        scales[size_t((to / panel_rows * form.blocks() + b) * panel_rows + row)] =
            std::ldexp(1.0f, weights.exponents[block] + 1 - form.mantissa_bits);
        uint8_t* place =
            packed.data() + to / panel_rows * panel_bytes + at + int64_t(b) * form.groups_of(form.block) * group_bytes;
        for (int k = 0; k < form.length(b); ++k) {
            uint8_t* byte = place + k / form.group_columns() * group_bytes + k % 4;
            put(byte, k % form.group_columns() / 4, weights.mantissas[block * form.block + k] + form.bias());
        }
    }
}

// The weight of one of the columns that are 4 apart in a group.
void BlockMatrix::put(uint8_t* byte, int four, int weight) const {
    if (form.nibbles()) {
        *byte |= uint8_t(weight << 4 * four);
    } else if (four < 3) {
        byte[four * line_bytes] |= uint8_t(weight);
    } else {
        for (int line = 0; line < 3; ++line) byte[line * line_bytes] |= uint8_t((weight >> 2 * line & 3) << 6);
    }
}

BlockPanel BlockMatrix::panel(int number) const {
    return {packed.data() + number * panel_bytes, scales.data() + int64_t(number) * form.blocks() * panel_rows};
}

// 64 units of every gate fill whole panels.
Span BlockMatrix::panels_of(Span units) const {
    int tiles = (units.last + lanes - 1) / lanes * gates;
    return {units.first / panel_rows * gates, (tiles + panel_tiles - 1) / panel_tiles};
}

void BlockMatrix::multiply(Span units, const BlockVectors& vectors, int steps, uint16_t* out) const {
    constexpr int most = 8;
    const int at_once = steps == 1 ? 1 : kernels->steps_at_once;
    const auto multiply_panel = steps == 1 ? kernels->multiply : kernels->multiply_steps;
    const Span mine = panels_of(units);
    for (int number = mine.first; number < mine.last; ++number)
        for (int step = 0; step < steps; step += at_once) {
            BlockVector chosen[most];
            uint16_t* to[most];
            for (int s = 0; s < at_once; ++s) {
                chosen[s] = vectors[step + s];
                to[s] = out + int64_t(step + s) * rows() + number * panel_rows;
            }
            multiply_panel(vectors.shape(), panel(number), chosen, to);
        }
}

}  // namespace deltawave

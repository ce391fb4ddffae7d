#include "matrix.hpp"

#include <algorithm>

namespace deltawave {

Matrix::Matrix(const Kernels& kernels, Product product, int weight_bytes, const Rows& rows)
    : kernels(&kernels), weight_bytes(weight_bytes), gate_count(int(rows.gates.size())), column_count(rows.columns) {
    int64_t tiles = (rows.hidden + tile_units - 1) / tile_units, padded_columns = (column_count + 1) / 2 * 2;
    panel_count = (gate_count + kernels.blocks_at_once - 1) / kernels.blocks_at_once;
    packed = Buffer<uint8_t>(size_t(tiles * gate_count * tile_units * padded_columns * weight_bytes));
    for (int gate = 0; gate < gate_count; ++gate)
        for (int unit = 0; unit < tiles * tile_units; ++unit)
            pack(product, gate, unit,
                 unit < rows.hidden ? rows.gates[size_t(gate)] + int64_t(unit) * column_count : nullptr);
}

// Rows that only fill up a tile have zero weights.
void Matrix::pack(Product product, int gate, int unit, const int16_t* row) {
    Panel home = panel(unit / tile_units, gate / kernels->blocks_at_once);
    auto place = product == Product::delta ? kernels->delta_place : kernels->dense_place;
    Place at = place(weight_bytes, unit % tile_units);
    int per_column = tile_units * weight_bytes, step = product == Product::delta ? 1 : 2;
    auto* bytes = const_cast<uint8_t*>(home.weights) + (gate - home.first) * step * per_column + at.offset;
    for (int column = 0; column < column_count; ++column) {
        auto* weight = bytes + int64_t(column / step) * step * home.blocks * per_column + column % step * 2;
        int16_t value = int16_t((row ? row[column] : 0) + (at.raised ? 128 : 0));
        std::memcpy(weight, &value, size_t(weight_bytes));
    }
}

Matrix::Panel Matrix::panel(int tile, int number) const {
    int first = number * kernels->blocks_at_once, blocks = std::min(kernels->blocks_at_once, gate_count - first);
    int64_t block_bytes = int64_t(column_count + 1) / 2 * 2 * tile_units * weight_bytes;
    return {first, blocks, packed.data() + (int64_t(tile) * gate_count + first) * block_bytes};
}

void Matrix::delta(int tile, const Sends& sends, const int32_t* in, int32_t* out) const {
    for (int number = 0; number < panel_count; ++number) {
        Panel p = panel(tile, number);
        int at = p.first * tile_units;
        kernels->delta(p.weights, weight_bytes, p.blocks, sends, in + at, out + at);
    }
}

void Matrix::dense(int tile, const int16_t* values, const int32_t* in, int32_t* out) const {
    int pairs = (column_count + 1) / 2;
    int32_t sum = kernels->sum(values, column_count);
    for (int number = 0; number < panel_count; ++number) {
        Panel p = panel(tile, number);
        int at = p.first * tile_units;
        kernels->dense(p.weights, weight_bytes, p.blocks, values, sum, pairs, in + at, out + at);
    }
}

void Matrix::dense_steps(int tile, const int16_t* values, int64_t stride, int steps, const int32_t* in, int32_t* out,
                         int64_t out_stride) const {
    int fours = steps / 4 * 4;
    int32_t sums[steps_ahead];
    for (int step = 0; step < fours; ++step) sums[step] = kernels->sum(values + step * stride, column_count);
    for (int number = 0; number < panel_count; ++number) {
        Panel p = panel(tile, number);
        int at = p.first * tile_units;
        kernels->dense_steps(p.weights, weight_bytes, p.blocks, values, stride, fours, sums, (column_count + 1) / 2,
                             in + at, out + at, out_stride);
    }
    for (int step = fours; step < steps; ++step) dense(tile, values + step * stride, in, out + step * out_stride);
}

}  // namespace deltawave

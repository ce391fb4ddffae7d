#include "saturating.hpp"

#include <algorithm>

namespace deltawave {

SaturatingRows::SaturatingRows(const Rows& rows, int accumulator_bits)
    : hidden(rows.hidden), columns(rows.columns), highest((int64_t(1) << (accumulator_bits - 1)) - 1) {
    for (const int16_t* gate : rows.gates) {
        gates.emplace_back(gate, gate + int64_t(hidden) * columns);
        for (int16_t weight : gates.back()) largest_weight = std::max<int64_t>(largest_weight, std::abs(int(weight)));
    }
}

bool SaturatingRows::safe(const Sends& sends, const int32_t* sums) const {
    int64_t farthest = 0, distance = 0;
    for (size_t i = 0; i < gates.size() * tile_units; ++i)
        farthest = std::max<int64_t>(farthest, std::abs(int64_t(sums[i])));
    for (int i = 0; i < sends.count; ++i) distance += std::abs(int(sends.moves[i]));
    return farthest + largest_weight * distance <= highest;
}

void SaturatingRows::accumulate(int tile, const Sends& sends, int32_t* sums) const {
    const int first = tile * tile_units, units = std::min(tile_units, hidden - first);
    for (const auto& gate : gates) {
        for (int unit = 0; unit < units; ++unit) {
            const int16_t* row = gate.data() + int64_t(first + unit) * columns;
            sums[unit] = int32_t(accumulate_row(row, sends, sums[unit]));
        }
        sums += tile_units;
    }
}

// The pieces of a wide move have one sign, so saturating after each is saturating after all.
int64_t SaturatingRows::accumulate_row(const int16_t* row, const Sends& sends, int64_t sum) const {
    for (int i = 0; i < sends.count; ++i)
        sum = std::clamp(sum + int64_t(row[sends.columns[i]]) * sends.moves[i], -highest - 1, highest);
    return sum;
}

}  // namespace deltawave

// A saturating accumulator, which depends on the order of its sums: the products of a tile, column after column.
#pragma once

#include <cstdlib>
#include <vector>

#include "matrix.hpp"

namespace deltawave {

class SaturatingRows {
public:
    SaturatingRows() = default;
    SaturatingRows(const Rows& rows, int accumulator_bits);

    // Whether even the largest weights could not carry any of these sums [gates][64] over an end of the accumulator;
    // then their order does not matter.
    bool safe(const Sends&, const int32_t* sums) const;

    // sums[gates][64] += W moves, saturated after each column
    void accumulate(int tile, const Sends&, int32_t* sums) const;

private:
    int64_t accumulate_row(const int16_t* row, const Sends&, int64_t sum) const;

    std::vector<std::vector<int16_t>> gates;
    int hidden = 0, columns = 0;
    int64_t largest_weight = 0, highest = 0;
};

}  // namespace deltawave

// Rounded sums, written once: the compiler turns the inner loop into the vector instructions of each file.
#pragma once

#include <utility>

#include "stationary_lstm.hpp"

namespace {

// Words throughout, in which a product of bytes fits with its rounding, so that a vector holds twice as many. The shift
// is a constant, or the compiler would widen them.
template <int Shift>
int16_t rounded_product(int16_t weight, int16_t value) {
    const int16_t product = int16_t(weight * value);
    if constexpr (Shift == 0) return product;
    constexpr uint16_t half_less_one = (1 << Shift >> 1) - 1;
    const uint16_t odd = uint16_t(product >> Shift) & 1;
    return int16_t(int16_t(uint16_t(product) + odd + half_less_one) >> Shift);
}

template <int Shift>
void sums_of(const int16_t* weights, int rows, int stride, const int16_t* values, int64_t* out) {
    for (int row = 0; row < rows; ++row, weights += stride) {
        int32_t sum = 0;
        for (int j = 0; j < stride; ++j) sum += rounded_product<Shift>(weights[j], values[j]);
        out[row] += sum;
    }
}

template <int... Shifts>
void rounded_sums(std::integer_sequence<int, Shifts...>, const int16_t* weights, int rows, int stride,
                  const int16_t* values, int shift, int64_t* out) {
    static constexpr decltype(&sums_of<0>) by_shift[] = {sums_of<Shifts>...};
    by_shift[shift](weights, rows, stride, values, out);
}

}  // namespace

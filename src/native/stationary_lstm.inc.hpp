// Rounded sums, written once in the compiler's own vectors: it has the instructions of each file for them.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include "stationary_lstm.hpp"

namespace {

#if defined(__AVX2__)
constexpr int vector_bytes = 32;
#else
constexpr int vector_bytes = 16;
#endif
constexpr int words = vector_bytes / 2, pairs = vector_bytes / 4;
typedef int16_t Words __attribute__((vector_size(vector_bytes)));
typedef int32_t Sums __attribute__((vector_size(vector_bytes)));
typedef uint32_t Bits __attribute__((vector_size(vector_bytes)));

inline Words load(const int16_t* from) {
    Words vector;
    std::memcpy(&vector, from, sizeof vector);
    return vector;
}

// Two words each, as sums of 32 bits.
inline Sums sums_of_pairs(Words part) { return (Sums(Bits(part) << 16) >> 16) + (Sums(part) >> 16); }

// A product of bytes fits in a word, and so does its rounding. The shift is a constant, or it would be slow.
template <int Shift>
Words rounded_products(Words weights, Words values) {
    const Words products = weights * values;
    if constexpr (Shift == 0) return products;
    constexpr int16_t half_less_one = (1 << Shift >> 1) - 1;
    return (products + ((products >> Shift) & 1) + half_less_one) >> Shift;
}

// Rounded products are at most 2^(14 - Shift), so a few of them fit in a word before it must be widened.
template <int Shift>
void sums_of(const int16_t* weights, int rows, int stride, const int16_t* values, int64_t* out) {
    constexpr int fitting = ((1 << (Shift + 1)) - 1) * words;
    for (int row = 0; row < rows; ++row, weights += stride) {
        Sums sums{};
        for (int first = 0; first < stride; first += fitting) {
            Words part{};
            const int last = std::min(stride, first + fitting);
            for (int j = first; j < last; j += words)
                part += rounded_products<Shift>(load(weights + j), load(values + j));
            sums += sums_of_pairs(part);
        }
        for (int lane = 0; lane < pairs; ++lane) out[row] += sums[lane];
    }
}

template <int... Shifts>
void rounded_sums(std::integer_sequence<int, Shifts...>, const int16_t* weights, int rows, int stride,
                  const int16_t* values, int shift, int64_t* out) {
    static constexpr decltype(&sums_of<0>) by_shift[] = {sums_of<Shifts>...};
    by_shift[shift](weights, rows, stride, values, out);
}

}  // namespace

// An LSTM of narrow integers whose products are rounded one by one before they are summed.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels.hpp"

namespace deltawave {

constexpr int widest_shift = 14;  // beyond it every product of bytes rounds to zero

// Rounded products, summed: out[row] += sum of round(weights[row][j] * values[j] / 2^shift), ties to even, for bytes in
// words. `stride`: of the rows, a multiple of 32; what is there beyond the columns is zero. shift: 0 to
// widest_shift.
typedef void (*RoundedSums)(const int16_t* weights, int rows, int stride, const int16_t* values, int shift,
                            int64_t* out);

void portable_rounded_sums(const int16_t*, int, int, const int16_t*, int, int64_t*);
void avx2_rounded_sums(const int16_t*, int, int, const int16_t*, int, int64_t*);

struct LstmFormats {
    int shift_x, shift_h, shift_peephole;  // of products on their way into the accumulators
    int accumulator_bits, accumulator_fraction, table_fraction, c_bits, c_fraction, h_bits, h_fraction;
};

struct LookUpTable {
    std::vector<int16_t> values;
    int64_t first;

    int64_t operator()(int64_t x) const {
        const int64_t last = first + int64_t(values.size()) - 1;
        return values[size_t((x < first ? first : x > last ? last : x) - first)];
    }
};

class StationaryLstm {
public:
    // weights int8 [4 * hidden][inputs], [4 * hidden][hidden]; bias [4 * hidden]; peepholes [3 * hidden] or none
    StationaryLstm(const Kernels&, const LstmFormats&, int inputs, int hidden, const int8_t* weights_x,
                   const int8_t* weights_h, const int32_t* bias, const int8_t* peepholes, LookUpTable gate,
                   LookUpTable candidate, LookUpTable output);

    // xs [steps][inputs]; hs [steps][hidden]; flags [steps][6 * hidden]: accumulators that wrapped, c, h that saturated
    void run(const int16_t* xs, int64_t steps, int32_t* hs, uint8_t* flags);

    int inputs() const { return input_count; }
    int hidden() const { return hidden_count; }
    int64_t weight_bytes() const { return int64_t(weights_x.size() + weights_h.size()) * 2; }

    std::vector<int32_t> h, c;

private:
    void step(const int16_t* x, uint8_t* flags);
    void multiply(const std::vector<int16_t>& weights, const std::vector<int16_t>& values, int shift);
    int64_t look_up(const LookUpTable&, int64_t sum, uint8_t* flag) const;
    int64_t from_peephole(int gate, int k, int64_t state) const;

    const RoundedSums rounded_sums;
    const LstmFormats formats;
    const int input_count, hidden_count;
    std::vector<int16_t> weights_x, weights_h, values_x, values_h;
    std::vector<int64_t> bias, sums;
    std::vector<int8_t> peepholes;
    const LookUpTable gate, candidate, output;
};

}  // namespace deltawave

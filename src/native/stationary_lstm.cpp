#include "stationary_lstm.hpp"

#include <algorithm>
#include <utility>

namespace deltawave {

namespace {

int padded(int columns) { return (columns + 31) / 32 * 32; }

std::vector<int16_t> in_words(const int8_t* weights, int rows, int columns) {
    std::vector<int16_t> words(size_t(rows) * size_t(padded(columns)));
    for (int row = 0; row < rows; ++row)
        std::copy_n(weights + int64_t(row) * columns, columns, words.data() + int64_t(row) * padded(columns));
    return words;
}

RoundedSums rounded_sums_like([[maybe_unused]] const Kernels& kernels) {
#if defined(DELTAWAVE_X86)
    if (&kernels != &portable_kernels) return avx2_rounded_sums;
#endif
    return portable_rounded_sums;
}

// integer / 2^shift to nearest, ties to even; a negative shift multiplies
int64_t round_shift(int64_t integer, int shift) {
    if (shift <= 0) return int64_t(uint64_t(integer) << -shift);
    const int64_t half_less_one = (int64_t(1) << (shift - 1)) - 1;
    return (integer + half_less_one + ((integer >> shift) & 1)) >> shift;
}

int64_t wrap(int64_t integer, int bits) { return int64_t(uint64_t(integer) << (64 - bits)) >> (64 - bits); }

int64_t saturate(int64_t integer, int bits) {
    const int64_t highest = (int64_t(1) << (bits - 1)) - 1;
    return std::min(std::max(integer, -highest - 1), highest);
}

}  // namespace

StationaryLstm::StationaryLstm(const Kernels& kernels, const LstmFormats& formats, int inputs, int hidden,
                               const int8_t* weights_x, const int8_t* weights_h, const int32_t* bias,
                               const int8_t* peepholes, LookUpTable gate, LookUpTable candidate, LookUpTable output)
    : h(size_t(hidden)),
      c(size_t(hidden)),
      rounded_sums(rounded_sums_like(kernels)),
      formats(formats),
      input_count(inputs),
      hidden_count(hidden),
      weights_x(in_words(weights_x, 4 * hidden, inputs)),
      weights_h(in_words(weights_h, 4 * hidden, hidden)),
      values_x(size_t(padded(inputs))),
      values_h(size_t(padded(hidden))),
      bias(bias, bias + 4 * hidden),
      sums(size_t(4 * hidden)),
      peepholes(peepholes, peepholes ? peepholes + 3 * hidden : nullptr),
      gate(std::move(gate)),
      candidate(std::move(candidate)),
      output(std::move(output)) {}

void StationaryLstm::run(const int16_t* xs, int64_t steps, int32_t* hs, uint8_t* flags) {
    for (int64_t t = 0; t < steps; ++t, xs += input_count, hs += hidden_count, flags += 6 * hidden_count) {
        step(xs, flags);
        std::copy(h.begin(), h.end(), hs);
    }
}

void StationaryLstm::multiply(const std::vector<int16_t>& weights, const std::vector<int16_t>& values, int shift) {
    if (shift <= widest_shift)
        rounded_sums(weights.data(), 4 * hidden_count, int(values.size()), values.data(), shift, sums.data());
}

// Sums that wrapped are flagged.
int64_t StationaryLstm::look_up(const LookUpTable& table, int64_t sum, uint8_t* flag) const {
    const int64_t held = wrap(sum, formats.accumulator_bits);
    *flag = held != sum;
    return table(round_shift(held, formats.accumulator_fraction - formats.table_fraction));
}

int64_t StationaryLstm::from_peephole(int gate, int k, int64_t state) const {
    if (peepholes.empty()) return 0;
    return round_shift(peepholes[size_t(gate * hidden_count + k)] * state, formats.shift_peephole);
}

void StationaryLstm::step(const int16_t* x, uint8_t* flags) {
    const int n = hidden_count, f = formats.table_fraction;
    std::copy_n(x, input_count, values_x.begin());
    std::copy(h.begin(), h.end(), values_h.begin());
    sums = bias;
    multiply(weights_x, values_x, formats.shift_x);
    multiply(weights_h, values_h, formats.shift_h);
    for (int k = 0; k < n; ++k) {
        const int64_t i = look_up(gate, sums[k] + from_peephole(0, k, c[k]), flags + k);
        const int64_t kept = look_up(gate, sums[n + k] + from_peephole(1, k, c[k]), flags + n + k);
        const int64_t g = look_up(candidate, sums[2 * n + k], flags + 2 * n + k);
        const int64_t wide_c = round_shift(kept * c[k], f) + round_shift(i * g, 2 * f - formats.c_fraction);
        c[k] = int32_t(saturate(wide_c, formats.c_bits));
        const int64_t o = look_up(gate, sums[3 * n + k] + from_peephole(2, k, c[k]), flags + 3 * n + k);
        const int64_t squashed = output(round_shift(c[k], formats.c_fraction - f));
        const int64_t wide_h = round_shift(o * squashed, 2 * f - formats.h_fraction);
        h[k] = int32_t(saturate(wide_h, formats.h_bits));
        flags[4 * n + k] = c[k] != wide_c;
        flags[5 * n + k] = h[k] != wide_h;
    }
}

}  // namespace deltawave

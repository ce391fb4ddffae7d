#include "stationary_lstm.inc.hpp"

void deltawave::portable_rounded_sums(const int16_t* weights, int rows, int stride, const int16_t* values, int shift,
                                      int64_t* out) {
    rounded_sums(std::make_integer_sequence<int, widest_shift + 1>(), weights, rows, stride, values, shift, out);
}

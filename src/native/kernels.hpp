// What a recurrent cell is made of, and the table of functions that one instruction set offers for it.
//
// Hidden units come in tiles of 64. In a tile every gate has a block of 64 rows; blocks that are worked on at once form
// a panel: all columns of those rows, laid out as the instruction set wants them. All sums are exact modulo 2^32.
#pragma once

#include <cstdint>
#include <string>

namespace deltawave {

constexpr int tile_units = 64;
constexpr int most_ahead = 56;

enum class Kind { gru, gru_before, lstm, rnn };

constexpr int cubic_pieces = 32, look_up_count = 16;

// One cubic for every 2^bits entries of a table: terms[0] + terms[1] t + terms[2] t^2 + terms[3] t^3
struct Cubics {
    float terms[4][cubic_pieces];
    int bits;
};

// values[clip(x, first, last) - first], with one spare entry at the end; `cubics`: a faster way to the same, or null
struct Table {
    const int16_t* values;
    int32_t first, last;
    const Cubics* cubics;
};

// Formats and activation functions: everything about a cell but its weights and thresholds.
struct Arithmetic {
    Kind kind;
    int weight_fraction, fraction;
    int accumulator_bits, activation_bits;
    bool accumulator_saturates, activation_saturates;
    Table gate, candidate, output;
};

// What one thread sends in one step: columns and how far each moved, padded to an even number with moves by zero.
// `ahead` more columns follow: the first ones again in the next panel. The delta kernel fetches that far ahead.
struct Sends {
    int32_t* columns;
    int16_t* moves;
    int32_t count, ahead;
    int32_t sum;   // of all moves, modulo 2^32
    int32_t sent;  // values, some of which take more than one move
};

// Values of one step and what is remembered of them.
struct Moving {
    const int16_t* now;
    int16_t* sent;
    uint8_t* flags;  // which were sent, or null
    int32_t theta;
};

// Where the weights of one row lie within one column of its block of 64 rows, in bytes.
struct Place {
    int offset;
    bool raised;  // stored 128 higher: the low byte of a 16-bit word
};

struct Kernels {
    const char* name;
    int blocks_at_once;

    Place (*delta_place)(int weight_bytes, int row);  // in a panel of columns
    Place (*dense_place)(int weight_bytes, int row);  // in a panel of pairs of columns, words of the second 2 bytes on

    // out[blocks][64] = in + W moves; the next panel is fetched ahead
    void (*delta)(const void* panel, int weight_bytes, int blocks, const Sends&, const int32_t* in, int32_t* out);
    // out[blocks][64] = in + W values for `pairs` pairs of columns; `sum` is that of all values
    void (*dense)(const void* panel, int weight_bytes, int blocks, const int16_t* values, int32_t sum, int pairs,
                  const int32_t* in, int32_t* out);
    // the same for `steps` vectors of values, a multiple of 4, `stride` apart; results are `out_stride` apart
    void (*dense_steps)(const void* panel, int weight_bytes, int blocks, const int16_t* values, int64_t stride,
                        int steps, const int32_t* sums, int pairs, const int32_t* in, int32_t* out, int64_t out_stride);
    void (*add)(const int32_t* from, int count, int32_t* to);
    int32_t (*sum)(const int16_t* values, int count);

    // appends columns [first, last) that moved by at least theta and notes them as sent
    void (*detect)(const Moving&, int first, int last, Sends& sends);

    // out[look_up_count] = entries of the table
    void (*look_up)(const Table&, const int32_t* in, int32_t* out);
    // The pointwise part of one tile; only for cells where `fits_32_bits`.
    void (*update)(const Arithmetic&, const int32_t* memory, int16_t* h, int16_t* c);
    void (*reset)(const Arithmetic&, const int32_t* memory, const int16_t* h, int16_t* rh);
};

extern const Kernels portable_kernels;
extern const Kernels avx2_kernels;
extern const Kernels avx512_kernels;

// The fastest kernels of this processor (""), or those named. Throws std::invalid_argument, whose message goes on after
// "the vector instructions".
const Kernels& choose_kernels(const std::string& name);

// The pointwise part in 64 bits, for any cell.
void update_exactly(const Arithmetic&, const int32_t* memory, int16_t* h, int16_t* c);
void reset_exactly(const Arithmetic&, const int32_t* memory, const int16_t* h, int16_t* rh);
bool fits_32_bits(const Arithmetic&);

}  // namespace deltawave

// One vector that is sent, x, h or r * h: its weights, what is remembered of it, and the lists of what moved.
#pragma once

#include <vector>

#include "saturating.hpp"

namespace deltawave {

struct Span {
    int first, last;
};

// A thread's share of some values: whole tiles.
Span share(int count, int thread, int threads);

inline int padded(int count) { return (count + tile_units - 1) / tile_units * tile_units; }

// How a stream is multiplied and where its results go.
struct StreamOptions {
    Product product;
    int block;  // the first of the memory's blocks it adds to
    int flag;   // the first of the flags that tell what was sent
    int32_t theta;
    int threads, sets;    // lists for so many threads, and so many steps at once
    int saturating_bits;  // of a saturating accumulator, else 0
};

class Stream {
public:
    Stream(const Kernels& kernels, int weight_bytes, const Rows& rows, const StreamOptions& options);

    int columns() const { return column_count; }
    int blocks() const { return matrix.gates(); }
    int block() const { return options.block; }
    int end_of_flags() const { return options.flag + column_count; }

    // Delta: makes a thread's list of what moved since it was last sent and returns how much did. `flags` of a step, or
    // null; `ahead`: columns to fetch ahead.
    int detect(int thread, int set, const int16_t* now, uint8_t* flags, int ahead);
    // Delta: memory += W moves, for one tile
    void add_moves(int tile, int set, int32_t* memory) const;
    // Delta: the products of `steps` sets, starting from zero
    void moves_of_steps(int tile, int steps, int32_t* out, int64_t out_stride) const;

    // Dense: publishes a thread's share of the values, and returns how many differ from those before
    int publish(int thread, int set, const int16_t* now, uint8_t* flags);
    int publish(int thread, const int16_t* now, const int16_t* before, int16_t* after, uint8_t* flags) const;
    // Dense: memory += W published values, for one tile
    void add_values(int tile, int set, int32_t* memory) const;

    // Delta: what was sent, the same for both sets; dense: what was published in an even or odd step
    int16_t* sent(int set) const { return values[options.product == Product::delta ? 0 : set].data(); }

    Matrix matrix;

private:
    void make_lists();

    const Kernels& kernels;
    StreamOptions options;
    int column_count;
    Buffer<int16_t> values[2];
    SaturatingRows saturating;
    std::vector<Sends> lists;
    Buffer<int32_t> list_columns;
    Buffer<int16_t> list_moves;
};

}  // namespace deltawave

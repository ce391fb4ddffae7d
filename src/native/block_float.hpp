// Block floating point for recurrent cells: what the kernels work on, and the table of them for one instruction set.
//
// A vector is cut into blocks of `block` columns. Columns are padded to groups of 8, rows to tiles of 16 and tiles to
// panels of 4. Weights lie panel after panel, block after block, group after group, tile after tile: 16 rows x 4
// columns in 64 bytes, raised by `bias` to be unsigned; the next 4 columns are in the upper halves of the same bytes,
// where 4 bits are enough, or in the 64 bytes that follow.
#pragma once

#include <cstdint>

#include "kernels.hpp"

namespace deltawave {

constexpr int lanes = 16, group_columns = 8, panel_tiles = 4, panel_rows = lanes * panel_tiles;

struct BlockShape {
    int columns, block, mantissa_bits;

    int blocks() const { return (columns + block - 1) / block; }
    int length(int b) const { return b + 1 < blocks() ? block : columns - b * block; }
    int groups(int b) const { return (length(b) + group_columns - 1) / group_columns; }
    int stride() const { return (block + group_columns - 1) / group_columns * group_columns; }
    int all_groups() const { return (blocks() - 1) * (stride() / group_columns) + groups(blocks() - 1); }
    int highest() const { return (1 << mantissa_bits) - 1; }
    bool nibbles() const { return mantissa_bits <= 3; }
    int bias() const { return highest() + 1; }
};

// A vector in blocks. mantissas [blocks][stride], 16 more at the end; the value of a mantissa: scales [blocks];
// what a dot product with raised weights starts from: starts [blocks].
struct BlockVector {
    int8_t* mantissas;
    float* scales;
    int32_t* starts;
};

// 64 rows. scales [blocks][64]: the values of the mantissas.
struct BlockPanel {
    const uint8_t* weights;
    const float* scales;
};

// Functions of float16, by its bits: 65,536 entries and a spare one.
struct HalfTables {
    const uint16_t *gate, *candidate, *output;
};

// float16 for 16 hidden units. Products from_x, from_h [gates][16] and from_rh [16], the candidate of a cell which
// resets before it multiplies; bias [memories][16], peepholes [3][16] or null.
struct BlockUnits {
    const uint16_t *from_x, *from_h, *from_rh, *bias, *peepholes;
    const uint16_t* h;
    uint16_t *next_h, *c, *rh;
};

struct BlockKernels {
    const char* name;
    int steps_at_once;  // multiply_steps takes as many vectors

    // Infinities count as the largest float16, NaN as zero.
    void (*quantise)(const BlockShape&, const uint16_t* halves, const BlockVector&);
    // out float16 [64]
    void (*multiply)(const BlockShape&, const BlockPanel&, const BlockVector*, uint16_t* const* out);
    void (*multiply_steps)(const BlockShape&, const BlockPanel&, const BlockVector*, uint16_t* const* out);
    // the reset gate and its product with the state, of a cell which resets before it multiplies
    void (*reset)(const HalfTables&, const BlockUnits&);
    void (*update)(Kind, const HalfTables&, const BlockUnits&);
};

extern const BlockKernels portable_block_kernels;
extern const BlockKernels avx2_block_kernels;
extern const BlockKernels avx512_block_kernels;

// Those of the same instruction set.
const BlockKernels& block_kernels_like(const Kernels&);

}  // namespace deltawave

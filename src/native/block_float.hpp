// Block floating point: what the kernels work on, and the table of them for one instruction set.
//
// A vector is cut into blocks of `block` columns. Columns are padded to groups of 8 or 16, rows to tiles of 16 and
// tiles to panels of 4. Weights lie panel after panel, block after block, group after group, tile after tile, raised by
// `bias` to be unsigned, in lines of 64 bytes: 16 rows x 4 columns. Where 4 bits are enough, a group is one line; the
// lower halves of its bytes are 4 columns, the upper halves the next 4. Else a group is three lines; the lower 6 bits
// of each are 4 columns, and the upper 2 bits of all three, the lowest first, the last 4.
#pragma once

#include <cstdint>

#include "kernels.hpp"

namespace deltawave {

constexpr int lanes = 16, panel_tiles = 4, panel_rows = lanes * panel_tiles, line_bytes = 64;

struct BlockShape {
    int columns, block, mantissa_bits;

    int blocks() const { return (columns + block - 1) / block; }
    int length(int b) const { return b + 1 < blocks() ? block : columns - b * block; }
    int groups(int b) const { return groups_of(length(b)); }
    int stride() const { return groups_of(block) * group_columns(); }
    int all_groups() const { return (blocks() - 1) * groups_of(block) + groups(blocks() - 1); }
    int groups_of(int count) const { return (count + group_columns() - 1) / group_columns(); }
    int highest() const { return (1 << mantissa_bits) - 1; }
    bool nibbles() const { return mantissa_bits <= 3; }
    int group_columns() const { return nibbles() ? 8 : 16; }
    int tile_bytes() const { return (nibbles() ? 1 : 3) * line_bytes; }  // of a group
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

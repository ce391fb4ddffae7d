// A recurrent cell whose products are in block floating point and all else in float16: the meaning of
// deltawave.machines.brainwave, bit for bit.
#pragma once

#include "block_float_matrix.hpp"

namespace deltawave {

// bias float16 [memories, hidden], peepholes float16 [3, hidden] or null; tables float16 [65536]
struct BlockCellWeights {
    BlockWeights x, h;
    const uint16_t *bias, *peepholes;
    HalfTables tables;
};

class BlockCell {
public:
    BlockCell(const BlockKernels&, Kind, int hidden, const BlockShape& x, const BlockShape& h, const BlockCellWeights&);

    // The next step from x(); h() then holds its result.
    void step();
    // xs float16 [steps, inputs], hs float16 [steps, hidden]
    void run(const uint16_t* xs, int64_t steps, uint16_t* hs);
    void load(const uint16_t* h, const uint16_t* c);

    uint16_t* x() { return x_now.data(); }
    uint16_t* h() { return h_now.data(); }
    uint16_t* c() { return c_now.data(); }
    int inputs() const { return from_x.shape().columns; }
    int hidden() const { return units; }
    int64_t weight_bytes() const { return from_x.bytes() + from_h.bytes() + from_rh.bytes(); }
    const char* simd() const { return kernels.name; }

private:
    static constexpr int steps_ahead = 32;  // whose input products are made together

    int tiles() const { return (units + lanes - 1) / lanes; }
    Buffer<uint16_t> tiled(const uint16_t* rows, int count) const;
    void own(Buffer<uint16_t>& table, const uint16_t* from);
    void run_chunk(const uint16_t* xs, int steps, uint16_t* hs);
    void advance(const uint16_t* input_part);
    BlockUnits units_of(int tile, const uint16_t* input_part);

    const BlockKernels& kernels;
    const Kind kind;
    const int units, gates, memories;
    BlockMatrix from_x, from_h, from_rh;  // the last: a candidate that hears r * h
    BlockVectors x_blocks, h_blocks;
    Buffer<uint16_t> gate, candidate, output, bias, peepholes;
    Buffer<uint16_t> x_now, h_now, c_now, rh_now;
    Buffer<uint16_t> input_parts, recurrent_part, reset_part;
};

}  // namespace deltawave

// A recurrent cell whose products are in block floating point and all else in float16: the meaning of
// deltawave.machines.brainwave, bit for bit.
//
// Every thread owns some hidden units, 64 at a time. It brings the whole state into blocks by itself, multiplies and
// updates its own units, then waits for the others; the state is kept twice, for even and odd steps.
#pragma once

#include <memory>
#include <vector>

#include "block_float_matrix.hpp"
#include "team.hpp"

namespace deltawave {

// bias float16 [memories, hidden], peepholes float16 [3, hidden] or null; tables float16 [65536]
struct BlockCellWeights {
    BlockWeights x, h;
    const uint16_t *bias, *peepholes;
    HalfTables tables;
};

class BlockCell {
public:
    BlockCell(const BlockKernels&, Kind, int hidden, const BlockShape& x, const BlockShape& h, const BlockCellWeights&,
              int threads);

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

    // What a thread needs for itself.
    struct Blocks {
        BlockVectors x, h;
    };

    int tiles() const { return (units + lanes - 1) / lanes; }
    Span units_of(int thread) const { return share(units, thread, team->size()); }
    Buffer<uint16_t> tiled(const uint16_t* rows, int count) const;
    void own(Buffer<uint16_t>& table, const uint16_t* from);

    // `now`: which of the states the step starts from
    void run_chunk(int thread, const uint16_t* xs, int steps, int now, uint16_t* hs);
    void advance(int thread, const uint16_t* input_part, int now);
    void multiply_reset(int thread, const uint16_t* input_part, int now);
    BlockUnits tile_at(int unit, const uint16_t* input_part, int now);
    void publish();

    const BlockKernels& kernels;
    const Kind kind;
    const int units, gates, memories;
    int set = 0;                          // that of the next step
    BlockMatrix from_x, from_h, from_rh;  // the last: a candidate that hears r * h
    std::vector<Blocks> blocks;
    Buffer<uint16_t> gate, candidate, output, bias, peepholes;
    Buffer<uint16_t> x_now, h_now, c_now, rh_now, states[2];
    Buffer<uint16_t> input_parts, recurrent_part, reset_part;
    std::unique_ptr<Team> team;
};

}  // namespace deltawave

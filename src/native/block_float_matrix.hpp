// A matrix in block floating point, packed for the kernels.
#pragma once

#include "block_float.hpp"
#include "memory.hpp"
#include "stream.hpp"

namespace deltawave {

// What Python hands over. mantissas int8 [rows, blocks, block], exponents int8 [rows, blocks].
struct BlockWeights {
    const int8_t *mantissas, *exponents;
};

// Memory for the vectors of as many steps as are multiplied together.
class BlockVectors {
public:
    BlockVectors() = default;
    BlockVectors(const BlockShape&, int steps);

    BlockVector operator[](int step) const;
    const BlockShape& shape() const { return form; }

private:
    BlockShape form{};
    int bytes = 0;
    Buffer<int8_t> mantissas;
    Buffer<float> scales;
    Buffer<int32_t> starts;
};

// Some gates of a cell: 16 units of the first gate, the same units of the next ..., the next 16 units.
class BlockMatrix {
public:
    BlockMatrix() = default;
    BlockMatrix(const BlockKernels&, const BlockShape&, const BlockWeights&, int first_gate, int gates, int hidden);

    // out float16 [steps][rows()]: the rows of some units, from a multiple of 64 on. Vectors may be shorter than the
    // matrix is wide, whose last columns are then left out. Writes as many steps as the kernels take at once.
    void multiply(Span units, const BlockVectors&, int steps, uint16_t* out) const;

    const BlockShape& shape() const { return form; }
    int rows() const { return panels * panel_rows; }
    int64_t bytes() const { return int64_t(packed.size()); }

private:
    BlockPanel panel(int number) const;
    Span panels_of(Span units) const;
    void pack(const BlockWeights&, int from, int to);
    void put(uint8_t* byte, int four, int weight) const;

    const BlockKernels* kernels = nullptr;
    BlockShape form{};
    int gates = 0, panels = 0;
    int64_t panel_bytes = 0;
    Buffer<uint8_t> packed;
    Buffer<float> scales;
};

}  // namespace deltawave

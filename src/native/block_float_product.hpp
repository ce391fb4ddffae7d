// A matrix in block floating point times many vectors: dense layers, and convolutions whose windows are unrolled.
//
// A thread brings some vectors into blocks and multiplies 64 rows by all of them before it goes on to the next 64 rows.
// Threads share the vectors, or the rows where there are few vectors.
#pragma once

#include <memory>
#include <vector>

#include "block_float_matrix.hpp"
#include "team.hpp"

namespace deltawave {

class BlockProduct {
public:
    BlockProduct(const BlockKernels&, int rows, const BlockShape&, const BlockWeights&, int threads);

    // xs float16 [count, columns], no more columns than the matrix has; out float16 [count, rows]
    void run(const uint16_t* xs, int64_t count, int columns, uint16_t* out);

    int rows() const { return row_count; }
    int columns() const { return matrix.shape().columns; }
    int64_t weight_bytes() const { return matrix.bytes(); }
    const char* simd() const { return kernels.name; }

private:
    static constexpr int vectors_at_once = 32;

    // What a thread needs for itself.
    struct Workspace {
        BlockVectors vectors;
        Buffer<uint16_t> products;
    };

    void prepare(int columns);
    void run_share(int thread, Span rows, const uint16_t* xs, int64_t count, uint16_t* out);
    void run_chunk(const Workspace&, Span rows, const uint16_t* xs, int count, uint16_t* out) const;

    const BlockKernels& kernels;
    const int row_count;
    BlockMatrix matrix;
    std::vector<Workspace> workspaces;
    std::unique_ptr<Team> team;
};

}  // namespace deltawave

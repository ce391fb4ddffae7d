// Weights packed for the kernels: tiles of 64 hidden units, panels of the gates worked on at once.
#pragma once

#include <vector>

#include "kernels.hpp"
#include "memory.hpp"

namespace deltawave {

constexpr int steps_ahead = 32;  // at most, whose input products are made together

enum class Product { delta, dense };

// Where the rows of each gate begin: int16 [hidden, columns] each, row after row.
struct Rows {
    std::vector<const int16_t*> gates;
    int hidden, columns;
};

class Matrix {
public:
    Matrix() = default;
    Matrix(const Kernels& kernels, Product product, int weight_bytes, const Rows& rows);

    // out[gates][64] = in + W moves, or in + W values, for one tile
    void delta(int tile, const Sends& sends, const int32_t* in, int32_t* out) const;
    void dense(int tile, const int16_t* values, const int32_t* in, int32_t* out) const;
    // the same for `steps` vectors, at most steps_ahead
    void dense_steps(int tile, const int16_t* values, int64_t stride, int steps, const int32_t* in, int32_t* out,
                     int64_t out_stride) const;

    int gates() const { return gate_count; }

private:
    struct Panel {
        int first, blocks;
        const uint8_t* weights;
    };
    Panel panel(int tile, int number) const;
    void pack(Product product, int gate, int unit, const int16_t* row);

    const Kernels* kernels = nullptr;
    int weight_bytes = 1, gate_count = 0, column_count = 0, panel_count = 0;
    Buffer<uint8_t> packed;
};

}  // namespace deltawave

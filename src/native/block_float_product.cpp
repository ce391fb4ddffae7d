#include "block_float_product.hpp"

#include <algorithm>
#include <cstring>

namespace deltawave {

BlockProduct::BlockProduct(const BlockKernels& kernels, int rows, const BlockShape& shape, const BlockWeights& weights,
                           int threads)
    : kernels(kernels), row_count(rows), matrix(kernels, shape, weights, 0, 1, rows), workspaces(size_t(threads)) {
    for (Workspace& own : workspaces) own.products = Buffer<uint16_t>(size_t(vectors_at_once * matrix.rows()));
    team = std::make_unique<Team>(threads);
}

void BlockProduct::run(const uint16_t* xs, int64_t count, int columns, uint16_t* out) {
    prepare(columns);
    const int threads = team->size();
    team->run([&](int thread) {
        if (count <= vectors_at_once) return run_share(thread, share(row_count, thread, threads), xs, count, out);
        const int64_t first = count * thread / threads, last = count * (thread + 1) / threads;
        run_share(thread, {0, row_count}, xs + first * columns, last - first, out + first * row_count);
    });
}

void BlockProduct::prepare(int columns) {
    BlockShape shape = matrix.shape();
    shape.columns = columns;
    for (Workspace& own : workspaces)
        if (own.vectors.shape().columns != columns) own.vectors = BlockVectors(shape, vectors_at_once);
}

void BlockProduct::run_share(int thread, Span rows, const uint16_t* xs, int64_t count, uint16_t* out) {
    const Workspace& own = workspaces[size_t(thread)];
    const int columns = own.vectors.shape().columns;
    for (int64_t done = 0; done < count; done += vectors_at_once)
        run_chunk(own, rows, xs + done * columns, int(std::min<int64_t>(vectors_at_once, count - done)),
                  out + done * row_count);
}

void BlockProduct::run_chunk(const Workspace& own, Span rows, const uint16_t* xs, int count, uint16_t* out) const {
    const BlockShape& shape = own.vectors.shape();
    for (int i = 0; i < count; ++i) kernels.quantise(shape, xs + int64_t(i) * shape.columns, own.vectors[i]);
    matrix.multiply(rows, own.vectors, count, own.products.data());
    const size_t bytes = size_t(rows.last - rows.first) * sizeof(uint16_t);
    for (int i = 0; i < count; ++i)
        std::memcpy(out + int64_t(i) * row_count + rows.first,
                    own.products.data() + int64_t(i) * matrix.rows() + rows.first, bytes);
}

}  // namespace deltawave

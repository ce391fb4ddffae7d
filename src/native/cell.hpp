// A recurrent cell that runs: the meaning of deltawave.machines.deltarnn.semantics, bit for bit.
//
// Every thread owns some tiles of hidden units: it finds what its units (and its share of the inputs) send, waits for the
// others, then multiplies and updates its own units. Lists and published values are kept twice, so one wait a step is enough.
#pragma once

#include <memory>
#include <vector>

#include "matrix.hpp"
#include "team.hpp"

namespace deltawave {

struct Shape {
    int inputs, hidden;
};

// Arrays of one state as Python has them; memory int32 [memories, hidden] in the order r, u, cx, ch.
template <class Value, class Sum>
struct State {
    Value *h, *c, *x_sent, *h_sent, *rh_sent;
    Sum* memory;
};

// Plain weights of a saturating cell, int16 [gates, hidden, columns].
struct PlainRows {
    std::vector<std::vector<int16_t>> gates;
    int64_t largest = 0;
};

// One vector that is sent: x, h or r * h.
struct Stream {
    Matrix matrix;
    PlainRows plain;
    int columns = 0, block = 0, flag = 0;  // first block of memory, first flag
    int32_t theta = 0;
    Buffer<int16_t> sent[2];  // dense: values published in even and odd steps; delta: the first is what was sent
    std::vector<Sends> lists;
    Buffer<int32_t> list_columns;
    Buffer<int16_t> list_moves;
};

struct Options {
    Product product;
    int theta_x, theta_h, threads;
};

class Cell {
public:
    Cell(const Kernels&, const Arithmetic&, Shape, const int16_t* weights_x, const int16_t* weights_h, Options);

    // The next step from `x()`; h() and flags() then hold its results.
    void step();
    // xs int16 [steps, inputs], hs int32 [steps, hidden], flags uint8 [steps, columns] or null
    void run(const int16_t* xs, int64_t steps, int32_t* hs, uint8_t* flags);
    void load(const State<const int16_t, const int32_t>&);
    void save(const State<int32_t, int32_t>&);

    int16_t* x() { return x_now.data(); }
    int16_t* h() { return h_now.data(); }
    uint8_t* flags() { return last_flags.data(); }
    // How many values of a stream were sent since the last load.
    int64_t sent_count(int stream) const {
        int64_t total = 0;
        for (int thread = 0; thread < threads; ++thread) total += counts[size_t(thread * counts_apart + stream)];
        return total;
    }
    int inputs() const { return shape.inputs; }
    int hidden() const { return shape.hidden; }
    int columns() const { return streams.back().flag + streams.back().columns; }
    int64_t weight_bytes() const { return bytes; }
    const char* simd() const { return kernels.name; }

private:
    static constexpr int counts_apart = 8;
    struct Span {
        int first, last;
    };
    // What a step reads and writes; `input_part`: products made ahead, or null
    struct Step {
        int set;
        const int16_t* x;
        uint8_t* flags;
        int32_t* h;
        const int32_t* input_part;
    };

    void add_stream(const std::vector<int>& gates, const int16_t* weights, int weight_bytes, int columns, int block, int theta);
    void make_lists(Stream&, int sets);
    Sends& list(Stream& stream, int set, int thread) { return stream.lists[size_t(set * threads + thread)]; }
    Span share(int columns, int thread) const;
    int64_t& count_of(int thread, const Stream& stream) const {
        return counts[size_t(thread * counts_apart + int(&stream - streams.data()))];
    }
    int32_t* sums_of(int tile) const {
        return (product == Product::delta ? memory : work).data() + int64_t(tile) * blocks * tile_units;
    }
    int32_t* memory_of(int tile) const { return memory.data() + int64_t(tile) * blocks * tile_units; }

    void advance(int thread, const Step&);
    void multiply_and_update(int thread, const Step&);
    void reset_and_update(int thread, const Step&);
    void publish(Stream&, int thread, int set, const int16_t* now, uint8_t* flags);
    void detect(Stream&, int thread, int list_set, const int16_t* now, uint8_t* flags, int ahead);
    int publish_values(const Span&, const int16_t* now, const int16_t* before, int16_t* after, uint8_t* flags) const;
    void run_ahead(int thread, const int16_t* xs, int steps, int first_set, uint8_t* flags);
    void run_chunk(int thread, const int16_t* xs, int steps, int first_set, int32_t* hs, uint8_t* flags);
    int32_t* start_memory(const Step&, int tile) const;
    void accumulate(Stream&, int tile, int set, int32_t* m);
    void accumulate_moves(const Stream&, int tile, const Sends&, int32_t* m) const;
    void accumulate_saturating(const Stream&, int tile, const Sends&, int32_t* m) const;
    void take_sent(int sign);

    const Kernels& kernels;
    const Arithmetic arithmetic;
    const Shape shape;
    const Product product;
    const int threads;
    int tiles, blocks, set = 0;
    int64_t bytes = 0;
    bool narrow_pointwise, ahead;
    std::vector<Stream> streams;  // x, h and perhaps r * h
    Buffer<int16_t> x_now, h_now, c_now, rh_now, rows;
    Buffer<uint8_t> last_flags;
    Buffer<int32_t> memory;  // delta: the sums; dense: the sums less the products
    Buffer<int32_t> work;    // dense: the sums
    Buffer<int32_t> input_parts;
    Buffer<int64_t> counts;  // of each thread, a cache line apart
    std::unique_ptr<Team> team;
};

}  // namespace deltawave

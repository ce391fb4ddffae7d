// A recurrent cell that runs: the meaning of deltawave.machines.deltarnn.semantics, bit for bit.
//
// Every thread owns some tiles of hidden units: it finds what its units (and its share of the inputs) send, waits for
// the others, then multiplies and updates its own units. Lists and published values are kept twice, in sets for even
// and odd steps, so one wait a step is enough.
#pragma once

#include <memory>
#include <vector>

#include "stream.hpp"
#include "team.hpp"

namespace deltawave {

struct Shape {
    int inputs, hidden;
};

struct Options {
    Product product;
    int theta_x, theta_h, threads;
};

// The arrays of one state; memory [memories, hidden] in the order r, u, cx, ch.
template <class Value, class Sum>
struct State {
    Value *h, *c, *x_sent, *h_sent, *rh_sent;
    Sum* memory;
};

class Cell {
public:
    Cell(const Kernels&, const Arithmetic&, Shape, const int16_t* weights_x, const int16_t* weights_h, Options);

    // The next step from x(); h() and flags() then hold its results.
    void step();
    // xs int16 [steps, inputs], hs int32 [steps, hidden], flags uint8 [steps, columns] or null
    void run(const int16_t* xs, int64_t steps, int32_t* hs, uint8_t* flags);
    void load(const State<const int16_t, const int32_t>&);
    void save(const State<int32_t, int32_t>&);

    int16_t* x() { return x_now.data(); }
    int16_t* h() { return h_now.data(); }
    uint8_t* flags() { return last_flags.data(); }
    // How many values of x, h or r * h were sent since the last load.
    int64_t sent_count(int stream) const;

    int inputs() const { return shape.inputs; }
    int hidden() const { return shape.hidden; }
    int columns() const { return streams.back().end_of_flags(); }
    int64_t weight_bytes() const { return bytes; }
    const char* simd() const { return kernels.name; }

private:
    static constexpr int counts_apart = 8;

    // What a step reads and writes; `input_part`: products made ahead, or null
    struct Step {
        int set;
        const int16_t* x;
        uint8_t* flags;
        int32_t* h;
        const int32_t* input_part;
    };

    void add_stream(const std::vector<int>& gates, const int16_t* weights, int weight_bytes, int columns, int block,
                    int theta);
    void allocate();

    int64_t tile_size() const { return int64_t(blocks) * tile_units; }
    int32_t* memory_of(int tile) const { return memory.data() + tile * tile_size(); }
    int32_t* sums_of(int tile) const { return (is_dense() ? work : memory).data() + tile * tile_size(); }
    // The place of value i of Python's memory number m.
    int32_t& remembered(int m, int i) const;
    int64_t& count_of(int thread, int stream) const { return counts[size_t(thread * counts_apart + stream)]; }
    bool is_dense() const { return product == Product::dense; }
    Span units_of(int thread) const { return share(shape.hidden, thread, threads); }

    void run_chunk(int thread, const int16_t* xs, int steps, int first_set, int32_t* hs, uint8_t* flags);
    void prepare_inputs(int thread, const int16_t* xs, int steps, int first_set, uint8_t* flags);
    void multiply_inputs(int thread, int steps, int first_set);
    const int16_t* copy_share(int thread, const int16_t* x, int16_t* to) const;

    void advance(int thread, const Step&);
    void publish(int stream, int thread, int set, const int16_t* now, uint8_t* flags);
    void multiply_and_update(int thread, const Step&);
    void multiply_reset_and_update(int thread, const Step&);
    int32_t* start_sums(const Step&, int tile) const;
    void accumulate(int stream, int tile, int set, int32_t* sums) const;
    void add_products(int sign);

    const Kernels& kernels;
    const Arithmetic arithmetic;
    const Shape shape;
    const Product product;
    const int threads;
    int tiles, blocks, set = 0;  // `set` is that of the next step
    int64_t bytes = 0;
    std::vector<int> block_of_memory;
    bool narrow_pointwise, ahead;
    std::vector<Stream> streams;  // x, h and perhaps r * h
    Buffer<int16_t> x_now, h_now, c_now, rh_now;
    Buffer<uint8_t> last_flags;
    Buffer<int32_t> memory;       // delta: the sums; dense: the sums less the products
    Buffer<int32_t> work;         // dense: the sums
    Buffer<int16_t> rows;         // the inputs of a chunk of steps
    Buffer<int32_t> input_parts;  // and their products
    Buffer<int64_t> counts;       // of each thread, a cache line apart
    std::unique_ptr<Team> team;
};

}  // namespace deltawave

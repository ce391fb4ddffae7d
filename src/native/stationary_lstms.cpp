// LSTMs with stationary weights for Python.
#include "stationary_lstm.hpp"

#include <algorithm>
#include <memory>

#include "python.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace deltawave {
namespace {

class PythonStationaryLstm {
public:
    typedef Array<const int8_t, 2> Weights;
    typedef Array<const int16_t, 1> TableValues;
    typedef Array<int32_t, 1> State;

    PythonStationaryLstm(Weights weights_x, Weights weights_h, Array<const int32_t, 1> bias,
                         std::optional<Weights> peepholes, nb::tuple formats, TableValues gate, int gate_first,
                         TableValues candidate, int candidate_first, TableValues output, int output_first,
                         const std::optional<std::string>& simd) {
        const size_t hidden = weights_h.shape(1), inputs = weights_x.shape(1);
        require(hidden > 0 && inputs > 0 && hidden < most_columns && inputs < most_columns, "sizes");
        require(weights_x.shape(0) == 4 * hidden && weights_h.shape(0) == 4 * hidden && bias.shape(0) == 4 * hidden,
                "weights and bias have 4 * hidden rows");
        require(!peepholes || (peepholes->shape(0) == 3 && peepholes->shape(1) == hidden),
                "peepholes are int8 [3, hidden]");
        lstm = std::make_unique<StationaryLstm>(
            kernels_for(simd), formats_of(formats), int(inputs), int(hidden), weights_x.data(), weights_h.data(),
            bias.data(), peepholes ? peepholes->data() : nullptr, table_of(gate, gate_first),
            table_of(candidate, candidate_first), table_of(output, output_first));
    }

    void run(Array<const int16_t, 2> xs, Array<int32_t, 2> hs, Array<uint8_t, 2> flags) {
        const size_t steps = xs.shape(0), hidden = size_t(lstm->hidden());
        require(xs.shape(1) == size_t(lstm->inputs()), "xs is int16 [steps, inputs]");
        require(hs.shape(0) == steps && hs.shape(1) == hidden, "hs is int32 [steps, hidden]");
        require(flags.shape(0) == steps && flags.shape(1) == 6 * hidden, "flags are uint8 [steps, 6 * hidden]");
        Turn turn(busy, "NativeStationaryLstm");
        if (lstm->weight_bytes() * int64_t(steps) < short_work)
            return lstm->run(xs.data(), int64_t(steps), hs.data(), flags.data());
        nb::gil_scoped_release released;
        lstm->run(xs.data(), int64_t(steps), hs.data(), flags.data());
    }

    void load(Array<const int32_t, 1> h, Array<const int32_t, 1> c) {
        Turn turn(busy, "NativeStationaryLstm");
        require(h.shape(0) == lstm->h.size() && c.shape(0) == lstm->c.size(), "h and c are int32 [hidden]");
        std::copy_n(h.data(), lstm->h.size(), lstm->h.data());
        std::copy_n(c.data(), lstm->c.size(), lstm->c.data());
    }

    void save(State h, State c) {
        Turn turn(busy, "NativeStationaryLstm");
        require(h.shape(0) == lstm->h.size() && c.shape(0) == lstm->c.size(), "h and c are int32 [hidden]");
        std::copy_n(lstm->h.data(), lstm->h.size(), h.data());
        std::copy_n(lstm->c.data(), lstm->c.size(), c.data());
    }

private:
    static constexpr size_t most_columns = 1 << 16;  // so that no sum of products leaves 32 bits

    static LstmFormats formats_of(const nb::tuple& numbers) {
        require(numbers.size() == 10, "ten formats");
        int n[10];
        for (size_t i = 0; i < 10; ++i) n[i] = nb::cast<int>(numbers[i]);
        require(n[0] >= 0 && n[1] >= 0 && n[3] >= 2 && n[3] <= 32 && n[6] >= 2 && n[6] <= 32 && n[8] >= 2 && n[8] <= 8,
                "formats");
        for (int number : n) require(number > -64 && number < 64, "formats");
        return {n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9]};
    }

    static LookUpTable table_of(const TableValues& values, int first) {
        require(values.shape(0) > 0, "a table has an entry");
        return {std::vector<int16_t>(values.data(), values.data() + values.shape(0)), first};
    }

    std::unique_ptr<StationaryLstm> lstm;
    std::atomic_flag busy = ATOMIC_FLAG_INIT;
};

}  // namespace
}  // namespace deltawave

void bind_stationary_lstms(nb::module_& m) {
    using namespace deltawave;
    typedef PythonStationaryLstm Lstm;
    nb::class_<Lstm>(m, "StationaryLstm")
        .def(nb::init<Lstm::Weights, Lstm::Weights, Array<const int32_t, 1>, std::optional<Lstm::Weights>, nb::tuple,
                      Lstm::TableValues, int, Lstm::TableValues, int, Lstm::TableValues, int,
                      const std::optional<std::string>&>(),
             "weights_x"_a, "weights_h"_a, "bias"_a, "peepholes"_a.none(), "formats"_a, "gate"_a, "gate_first"_a,
             "candidate"_a, "candidate_first"_a, "output"_a, "output_first"_a, "simd"_a.none())
        .def("run", &Lstm::run, "xs"_a, "hs"_a, "flags"_a)
        .def("load", &Lstm::load, "h"_a, "c"_a)
        .def("save", &Lstm::save, "h"_a, "c"_a);
}

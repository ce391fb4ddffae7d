// Recurrent cells for Python: arrays checked, the interpreter released, one caller at a time.
#include <memory>

#include "cell.hpp"
#include "cubics.hpp"
#include "python.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace deltawave {
namespace {

class PythonCell {
public:
    typedef Array<const int16_t, 1> TableValues;

    PythonCell(int kind, Array<const int16_t, 2> weights_x, Array<const int16_t, 2> weights_h, nb::tuple formats,
               TableValues gate, int gate_first, TableValues candidate, int candidate_first, TableValues output,
               int output_first, bool dense, int theta_x, int theta_h, int threads,
               const std::optional<std::string>& simd) {
        const int gates[] = {3, 3, 4, 1};
        require(kind >= 0 && kind < 4 && threads > 0 && weights_x.shape(1) > 0 && weights_h.shape(1) > 0,
                "kind, threads or size");
        size_t rows = size_t(gates[kind]) * weights_h.shape(1);
        require(weights_x.shape(0) == rows && weights_h.shape(0) == rows,
                "weights_x and weights_h have gates * hidden rows");
        arithmetic.kind = Kind(kind);
        arithmetic.weight_fraction = nb::cast<int>(formats[0]);
        arithmetic.fraction = nb::cast<int>(formats[1]);
        arithmetic.accumulator_bits = nb::cast<int>(formats[2]);
        arithmetic.accumulator_saturates = nb::cast<bool>(formats[3]);
        arithmetic.activation_bits = nb::cast<int>(formats[4]);
        arithmetic.activation_saturates = nb::cast<bool>(formats[5]);
        require(arithmetic.weight_fraction >= 0 && arithmetic.weight_fraction < 32 && arithmetic.fraction >= 0 &&
                    arithmetic.fraction < 31 && arithmetic.accumulator_bits >= 2 && arithmetic.accumulator_bits <= 32 &&
                    arithmetic.activation_bits >= 2 && arithmetic.activation_bits <= 16,
                "formats");
        const Kernels& kernels = kernels_for(simd);
        arithmetic.gate = own(kernels, 0, gate, gate_first);
        arithmetic.candidate = own(kernels, 1, candidate, candidate_first);
        arithmetic.output = own(kernels, 2, output, output_first);
        Shape shape{int(weights_x.shape(1)), int(weights_h.shape(1))};
        Options options{dense ? Product::dense : Product::delta, theta_x, theta_h, threads};
        cell = std::make_unique<Cell>(kernels, arithmetic, shape, weights_x.data(), weights_h.data(), options);
    }

    void step() {
        Turn turn(busy, "NativeCell");
        if (cell->weight_bytes() < short_work) return cell->step();
        nb::gil_scoped_release released;
        cell->step();
    }

    void run(Array<const int16_t, 2> xs, Array<int32_t, 2> hs, std::optional<Array<uint8_t, 2>> flags) {
        size_t steps = xs.shape(0);
        require(xs.shape(1) == size_t(cell->inputs()), "xs is int16 [steps, inputs]");
        require(hs.shape(0) == steps && hs.shape(1) == size_t(cell->hidden()), "hs is int32 [steps, hidden]");
        require(!flags || (flags->shape(0) == steps && flags->shape(1) == size_t(cell->columns())),
                "sent is uint8 [steps, columns]");
        Turn turn(busy, "NativeCell");
        nb::gil_scoped_release released;
        cell->run(xs.data(), int64_t(steps), hs.data(), flags ? flags->data() : nullptr);
    }

    void load(Array<const int16_t, 1> h, Array<const int16_t, 1> c, Array<const int16_t, 1> x_sent,
              Array<const int16_t, 1> h_sent, Array<const int16_t, 1> rh_sent, Array<const int32_t, 1> memory) {
        Turn turn(busy, "NativeCell");
        cell->load(checked<const int16_t, const int32_t>(h, c, x_sent, h_sent, rh_sent, memory));
    }

    void save(Array<int32_t, 1> h, Array<int32_t, 1> c, Array<int32_t, 1> x_sent, Array<int32_t, 1> h_sent,
              Array<int32_t, 1> rh_sent, Array<int32_t, 1> memory) {
        Turn turn(busy, "NativeCell");
        cell->save(checked<int32_t, int32_t>(h, c, x_sent, h_sent, rh_sent, memory));
    }

    Cell& inner() { return *cell; }

private:
    Table own(const Kernels& kernels, int which, const TableValues& values, int first) {
        size_t count = values.shape(0);
        require(count > 0 && count < (size_t(1) << 20) && first > -(1 << 30) && first < (1 << 30),
                "an activation table");
        tables[which] = Buffer<int16_t>(count + 1);
        std::memcpy(tables[which].data(), values.data(), count * sizeof(int16_t));
        Table table{tables[which].data(), first, first + int(count) - 1, nullptr};
        cubics[which] = fit_cubics(table);
        table.cubics = &cubics[which];
        if (!reproduces(kernels, table)) table.cubics = nullptr;
        return table;
    }

    template <class Value, class Sum>
    State<Value, Sum> checked(const Array<Value, 1>& h, const Array<Value, 1>& c, const Array<Value, 1>& x_sent,
                              const Array<Value, 1>& h_sent, const Array<Value, 1>& rh_sent,
                              const Array<Sum, 1>& memory) {
        const int memories[] = {4, 3, 4, 1};
        size_t hidden = size_t(cell->hidden());
        require(h.shape(0) == hidden && c.shape(0) == hidden && h_sent.shape(0) == hidden &&
                    rh_sent.shape(0) == hidden && x_sent.shape(0) == size_t(cell->inputs()) &&
                    memory.shape(0) == size_t(memories[int(arithmetic.kind)]) * hidden,
                "the arrays of a state");
        return {h.data(), c.data(), x_sent.data(), h_sent.data(), rh_sent.data(), memory.data()};
    }

    Arithmetic arithmetic;
    Buffer<int16_t> tables[3];
    Cubics cubics[3];
    std::unique_ptr<Cell> cell;
    std::atomic_flag busy = ATOMIC_FLAG_INIT;
};

}  // namespace
}  // namespace deltawave

void bind_cells(nb::module_& m) {
    using namespace deltawave;
    simd_of_environment();
    nb::class_<PythonCell>(m, "Cell")
        .def(nb::init<int, Array<const int16_t, 2>, Array<const int16_t, 2>, nb::tuple, PythonCell::TableValues, int,
                      PythonCell::TableValues, int, PythonCell::TableValues, int, bool, int, int, int,
                      const std::optional<std::string>&>(),
             "kind"_a, "weights_x"_a, "weights_h"_a, "formats"_a, "gate"_a, "gate_first"_a, "candidate"_a,
             "candidate_first"_a, "output"_a, "output_first"_a, "dense"_a, "theta_x"_a, "theta_h"_a, "threads"_a,
             "simd"_a.none())
        .def("step", &PythonCell::step)
        .def("run", &PythonCell::run, "xs"_a, "hs"_a, "sent"_a.none())
        .def("load", &PythonCell::load)
        .def("save", &PythonCell::save)
        .def_prop_ro(
            "x", [](PythonCell& self) { return view<int16_t>(self.inner().x(), self.inner().inputs()); },
            nb::rv_policy::reference_internal)
        .def_prop_ro(
            "h", [](PythonCell& self) { return view<const int16_t>(self.inner().h(), self.inner().hidden()); },
            nb::rv_policy::reference_internal)
        .def_prop_ro(
            "sent",
            [](PythonCell& self) {
                return view<const bool>(reinterpret_cast<bool*>(self.inner().flags()), self.inner().columns());
            },
            nb::rv_policy::reference_internal)
        .def("sent_count", [](PythonCell& self, int stream) { return self.inner().sent_count(stream); })
        .def_prop_ro("simd", [](PythonCell& self) { return self.inner().simd(); });
}

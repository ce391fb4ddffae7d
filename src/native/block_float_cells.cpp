// Block floating point cells for Python. float16 comes and goes as its bits, uint16.
#include <memory>

#include "block_float_cell.hpp"
#include "python.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace deltawave {
namespace {

class PythonBlockCell {
public:
    typedef Array<const uint16_t, 1> Halves;
    typedef Array<const int8_t, 3> Mantissas;
    typedef Array<const int8_t, 2> Exponents;

    PythonBlockCell(int kind, int inputs, int hidden, int mantissa_bits, Mantissas weights_x, Exponents exponents_x,
                    Mantissas weights_h, Exponents exponents_h, Halves bias, std::optional<Halves> peepholes,
                    Halves gate, Halves candidate, Halves output, int threads, const std::optional<std::string>& simd) {
        const int gates[] = {3, 3, 4, 1}, memories[] = {4, 3, 4, 1};
        require(kind >= 0 && kind < 4 && inputs > 0 && hidden > 0 && threads > 0 && mantissa_bits >= 1 &&
                    mantissa_bits <= 5,
                "kind, sizes, mantissa bits or threads");
        size_t rows = size_t(gates[kind]) * size_t(hidden);
        BlockShape x = shape_of(weights_x, exponents_x, rows, inputs, mantissa_bits);
        BlockShape h = shape_of(weights_h, exponents_h, rows, hidden, mantissa_bits);
        require(bias.shape(0) == size_t(memories[kind]) * size_t(hidden), "bias is float16 [memories * hidden]");
        require(!peepholes || peepholes->shape(0) == 3 * size_t(hidden), "peepholes are float16 [3 * hidden]");
        for (const Halves* table : {&gate, &candidate, &output})
            require(table->shape(0) == size_t(1) << 16, "tables have 65536 entries");
        BlockCellWeights weights{{weights_x.data(), exponents_x.data()},
                                 {weights_h.data(), exponents_h.data()},
                                 bias.data(),
                                 peepholes ? peepholes->data() : nullptr,
                                 {gate.data(), candidate.data(), output.data()}};
        cell = std::make_unique<BlockCell>(block_kernels_like(kernels_for(simd)), Kind(kind), hidden, x, h, weights,
                                           threads);
    }

    void step() {
        Turn turn(busy, "NativeBlockFloatCell");
        if (cell->weight_bytes() < short_work) return cell->step();
        nb::gil_scoped_release released;
        cell->step();
    }

    void run(Array<const uint16_t, 2> xs, Array<uint16_t, 2> hs) {
        require(xs.shape(1) == size_t(cell->inputs()), "xs is float16 [steps, inputs]");
        require(hs.shape(0) == xs.shape(0) && hs.shape(1) == size_t(cell->hidden()), "hs is float16 [steps, hidden]");
        Turn turn(busy, "NativeBlockFloatCell");
        nb::gil_scoped_release released;
        cell->run(xs.data(), int64_t(xs.shape(0)), hs.data());
    }

    void load(Halves h, Halves c) {
        require(h.shape(0) == size_t(cell->hidden()) && c.shape(0) == size_t(cell->hidden()), "the arrays of a state");
        Turn turn(busy, "NativeBlockFloatCell");
        cell->load(h.data(), c.data());
    }

    BlockCell& inner() { return *cell; }

private:
    static BlockShape shape_of(const Mantissas& mantissas, const Exponents& exponents, size_t rows, int columns,
                               int mantissa_bits) {
        BlockShape shape{columns, int(mantissas.shape(2)), mantissa_bits};
        require(shape.block > 0 && mantissas.shape(0) == rows && exponents.shape(0) == rows,
                "weights have gates * hidden rows");
        require(mantissas.shape(1) == size_t(shape.blocks()) && exponents.shape(1) == mantissas.shape(1),
                "weights have as many blocks as hold the columns");
        return shape;
    }

    std::unique_ptr<BlockCell> cell;
    std::atomic_flag busy = ATOMIC_FLAG_INIT;
};

}  // namespace
}  // namespace deltawave

void bind_block_float_cells(nb::module_& m) {
    using namespace deltawave;
    typedef PythonBlockCell Cell;
    nb::class_<Cell>(m, "BlockFloatCell")
        .def(nb::init<int, int, int, int, Cell::Mantissas, Cell::Exponents, Cell::Mantissas, Cell::Exponents,
                      Cell::Halves, std::optional<Cell::Halves>, Cell::Halves, Cell::Halves, Cell::Halves, int,
                      const std::optional<std::string>&>(),
             "kind"_a, "inputs"_a, "hidden"_a, "mantissa_bits"_a, "weights_x"_a, "exponents_x"_a, "weights_h"_a,
             "exponents_h"_a, "bias"_a, "peepholes"_a.none(), "gate"_a, "candidate"_a, "output"_a, "threads"_a,
             "simd"_a.none())
        .def("step", &Cell::step)
        .def("run", &Cell::run, "xs"_a, "hs"_a)
        .def("load", &Cell::load, "h"_a, "c"_a)
        .def_prop_ro(
            "x", [](Cell& self) { return view<uint16_t>(self.inner().x(), self.inner().inputs()); },
            nb::rv_policy::reference_internal)
        .def_prop_ro(
            "h", [](Cell& self) { return view<const uint16_t>(self.inner().h(), self.inner().hidden()); },
            nb::rv_policy::reference_internal)
        .def_prop_ro(
            "c", [](Cell& self) { return view<const uint16_t>(self.inner().c(), self.inner().hidden()); },
            nb::rv_policy::reference_internal)
        .def_prop_ro("simd", [](Cell& self) { return self.inner().simd(); });
}

// Block floating point products for Python. float16 comes and goes as its bits, uint16.
#include <climits>
#include <memory>

#include "block_float_product.hpp"
#include "python.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace deltawave {
namespace {

class PythonBlockProduct {
public:
    typedef Array<const int8_t, 3> Mantissas;
    typedef Array<const int8_t, 2> Exponents;

    PythonBlockProduct(int mantissa_bits, Mantissas weights, Exponents exponents, int threads,
                       const std::optional<std::string>& simd) {
        const size_t rows = weights.shape(0), columns = weights.shape(1) * weights.shape(2);
        require(mantissa_bits >= 1 && mantissa_bits <= 5 && threads > 0, "mantissa bits or threads");
        require(rows > 0 && columns > 0 && rows <= INT_MAX / 2 && columns <= INT_MAX / 2, "a matrix of some size");
        require(exponents.shape(0) == rows && exponents.shape(1) == weights.shape(1), "an exponent for every block");
        BlockShape shape{int(columns), int(weights.shape(2)), mantissa_bits};
        product = std::make_unique<BlockProduct>(block_kernels_like(kernels_for(simd)), int(rows), shape,
                                                 BlockWeights{weights.data(), exponents.data()}, threads);
    }

    void run(Array<const uint16_t, 2> xs, Array<uint16_t, 2> out) {
        const size_t columns = xs.shape(1);
        require(columns > 0 && columns <= size_t(product->columns()), "xs is float16 [n, columns]");
        require(out.shape(0) == xs.shape(0) && out.shape(1) == size_t(product->rows()), "out is float16 [n, rows]");
        Turn turn(busy, "NativeBlockFloatProduct", "product");
        auto work = [&] { product->run(xs.data(), int64_t(xs.shape(0)), int(columns), out.data()); };
        if (product->weight_bytes() * int64_t(xs.shape(0)) < short_work) return work();
        nb::gil_scoped_release released;
        work();
    }

    BlockProduct& inner() { return *product; }

private:
    std::unique_ptr<BlockProduct> product;
    std::atomic_flag busy = ATOMIC_FLAG_INIT;
};

}  // namespace
}  // namespace deltawave

void bind_block_float_products(nb::module_& m) {
    using namespace deltawave;
    typedef PythonBlockProduct Product;
    nb::class_<Product>(m, "BlockFloatProduct")
        .def(nb::init<int, Product::Mantissas, Product::Exponents, int, const std::optional<std::string>&>(),
             "mantissa_bits"_a, "weights"_a, "exponents"_a, "threads"_a, "simd"_a.none())
        .def("run", &Product::run, "xs"_a, "out"_a)
        .def_prop_ro("simd", [](Product& self) { return self.inner().simd(); });
}

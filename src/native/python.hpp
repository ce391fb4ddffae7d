// What the bindings share: errors, checked arrays, one caller at a time, the choice of vector instructions.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include <atomic>
#include <cstdlib>
#include <optional>
#include <stdexcept>
#include <string>

#include "kernels.hpp"

namespace deltawave {

template <class T, int Dimensions>
using Array = nanobind::ndarray<T, nanobind::ndim<Dimensions>, nanobind::c_contig, nanobind::device::cpu>;

[[noreturn]] inline void raise(const char* error, const std::string& message) {
    PyErr_SetString(nanobind::module_::import_("deltawave.errors").attr(error).ptr(), message.c_str());
    throw nanobind::python_error();
}

inline const Kernels& kernels_named(const std::string& name, const char* origin) {
    try {
        return choose_kernels(name);
    } catch (const std::invalid_argument& problem) {
        raise("OptionError", std::string("the vector instructions ") + origin + problem.what());
    }
}

// What DELTAWAVE_SIMD asked for when the module was loaded.
inline const std::string& simd_of_environment() {
    static const std::string name = std::getenv("DELTAWAVE_SIMD") ? std::getenv("DELTAWAVE_SIMD") : "";
    return name;
}

inline const Kernels& kernels_for(const std::optional<std::string>& simd) {
    return simd ? kernels_named(*simd, "") : kernels_named(simd_of_environment(), "(DELTAWAVE_SIMD) ");
}

// Held while a cell or a product works; a second caller is refused.
class Turn {
public:
    Turn(std::atomic_flag& busy, const char* type, const char* noun = "cell") : busy(busy) {
        if (!busy.test_and_set(std::memory_order_acquire)) return;
        raise("InputError",
              std::string("this ") + noun + " is at work in another thread; give every thread its own " + type);
    }
    ~Turn() { busy.clear(std::memory_order_release); }

private:
    std::atomic_flag& busy;
};

inline void require(bool holds, const char* what) {
    if (!holds) throw nanobind::value_error(what);
}

template <class T>
nanobind::ndarray<nanobind::numpy, T, nanobind::ndim<1>> view(T* data, int count) {
    return nanobind::ndarray<nanobind::numpy, T, nanobind::ndim<1>>(data, {size_t(count)});
}

constexpr int64_t short_work = 256 << 10;  // bytes of weights: not worth handing over the interpreter

}  // namespace deltawave

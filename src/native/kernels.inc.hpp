// The kernels, written once over the vector layer; each instruction set compiles them with its own flags.
#pragma once

#include "detect.inc.hpp"
#include "pointwise.inc.hpp"
#include "products.inc.hpp"

namespace {

template <class V>
constexpr Kernels kernels_of(const char* name) {
    return {name,   V::blocks_at_once, delta_place<V>, dense_place<V>, delta<V>, dense<V>, dense_steps<V>, add<V>,
            sum<V>, detect<V>,         look_up<V>,     update<V>,      reset<V>};
}

}  // namespace

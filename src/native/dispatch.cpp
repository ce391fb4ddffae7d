// Which kernels run: the best this processor has, or those asked for by name.
#include <stdexcept>
#include <string>

#include "kernels.hpp"

namespace deltawave {

namespace {

bool has_avx2() {
#if defined(DELTAWAVE_X86)
    return __builtin_cpu_supports("avx2");
#else
    return false;
#endif
}

bool has_avx512() {
#if defined(DELTAWAVE_X86)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

std::invalid_argument lacking(const std::string& name) {
    return std::invalid_argument("this processor has no " + name + ", which DELTAWAVE_SIMD asks for; use scalar, or unset it");
}

}  // namespace

const Kernels& choose_kernels(const char* wanted) {
    std::string name = wanted ? wanted : "";
    if (name == "scalar") return portable_kernels;
    if (!name.empty() && name != "avx2" && name != "avx512")
        throw std::invalid_argument("DELTAWAVE_SIMD is scalar, avx2 or avx512, not '" + name + "'");
    if (name == "avx512" && !has_avx512()) throw lacking(name);
    if (name == "avx2" && !has_avx2()) throw lacking(name);
#if defined(DELTAWAVE_X86)
    if (name != "avx2" && has_avx512()) return avx512_kernels;
    if (has_avx2()) return avx2_kernels;
#endif
    return portable_kernels;
}

}  // namespace deltawave

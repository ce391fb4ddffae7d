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
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

}  // namespace

const Kernels& choose_kernels(const std::string& name) {
    if (name == "scalar") return portable_kernels;
    if (!name.empty() && name != "avx2" && name != "avx512")
        throw std::invalid_argument("are scalar, avx2 or avx512, not '" + name + "'");
    if ((name == "avx512" && !has_avx512()) || (name == "avx2" && !has_avx2()))
        throw std::invalid_argument("of this processor lack " + name + "; use scalar, or nothing to take the fastest");
#if defined(DELTAWAVE_X86)
    if (name != "avx2" && has_avx512()) return avx512_kernels;
    if (has_avx2()) return avx2_kernels;
#endif
    return portable_kernels;
}

}  // namespace deltawave

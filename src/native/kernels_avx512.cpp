#include "kernels.inc.hpp"

namespace deltawave {
extern const Kernels avx512_kernels = kernels_of<Avx512>("avx512");
}

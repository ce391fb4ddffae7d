#include "kernels.inc.hpp"

namespace deltawave {
extern const Kernels avx2_kernels = kernels_of<Avx2>("avx2");
}

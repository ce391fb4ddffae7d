#include "block_float.inc.hpp"

namespace deltawave {
extern const BlockKernels avx2_block_kernels = block_kernels_of<Avx2Blocks>("avx2");
}

#include "block_float.inc.hpp"

namespace deltawave {
extern const BlockKernels avx512_block_kernels = block_kernels_of<Avx512Blocks>("avx512");
}

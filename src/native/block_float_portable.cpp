#include "block_float.inc.hpp"

namespace deltawave {
extern const BlockKernels portable_block_kernels = block_kernels_of<PortableBlocks>("scalar");
}

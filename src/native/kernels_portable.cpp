#include "kernels.inc.hpp"

namespace deltawave {
extern const Kernels portable_kernels = kernels_of<Portable>("scalar");
}

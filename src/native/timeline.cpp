// The timeline engine. Filled in by the hardware layer.
#include <nanobind/nanobind.h>

void bind_timeline(nanobind::module_&) {}

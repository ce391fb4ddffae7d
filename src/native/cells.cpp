// Recurrent cells for Python.
#include <nanobind/nanobind.h>

void bind_cells(nanobind::module_&) {}

// The Python module deltawave._native: recurrent cells, products and the timeline engine.
#include <nanobind/nanobind.h>

void bind_block_float_cells(nanobind::module_& m);
void bind_block_float_products(nanobind::module_& m);
void bind_cells(nanobind::module_& m);
void bind_stationary_lstms(nanobind::module_& m);
void bind_timeline(nanobind::module_& m);

NB_MODULE(_native, m) {
    bind_cells(m);
    bind_block_float_cells(m);
    bind_block_float_products(m);
    bind_stationary_lstms(m);
    bind_timeline(m);
}

// Activation tables as piecewise cubics, which take a few instructions where a gather of table entries takes sixteen
// loads.
#pragma once

#include "kernels.hpp"

namespace deltawave {

// Cubics through a table of any length: entry i belongs to piece i >> bits, at t = i & (2^bits - 1). Where the nearest
// cubics, rounded, miss any entry, a cell must keep to the table.
Cubics fit_cubics(const Table& table);

// Whether these kernels find exactly the entries of the table by its cubics.
bool reproduces(const Kernels& kernels, const Table& table);

}  // namespace deltawave

// Layers, tensors and variables are counted with int in every interface; containers want size_t.
#pragma once

#include <cstddef>

namespace bitpilot {

constexpr std::size_t AsIndex(int index) { return static_cast<std::size_t>(index); }

}  // namespace bitpilot

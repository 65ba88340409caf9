// Versions of the libraries whose numbers training depends on.
#pragma once

#include <string>

namespace bitpilot {

// "libtorch 1.13.1 onednn 2.6.3 blas OpenBLAS 0.3.21 ...": part of a study's CPU class, because
// other versions train to other weights.
std::string TrainingLibraryVersions();

}  // namespace bitpilot

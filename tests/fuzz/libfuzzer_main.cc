// The entry that libFuzzer calls, of the target that the build names.
#include "tests/fuzz/fuzz_targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bitpilot::FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}

// After an even byte a whole network file; after an odd one its body, which gets the header and the
// checksum that it ought to have, so that what comes after them is looked at, too.
#include "kernels/base/check.h"
#include "kernels/base/network_file.h"
#include "tests/fuzz/fuzz_targets.h"
#include "tests/kernels/base/network_file_bytes.h"

namespace bitpilot {

void FuzzNetworkFile(std::string_view bytes) {
  FuzzInput input(bytes);
  const bool is_body = input.Byte() % 2 == 1;
  const std::string file = is_body ? NetworkFileOf(input.Rest()) : std::string(input.Rest());
  const Result<Network> network = ParseNetwork(file);
  if (!network.ok()) {
    BITPILOT_CHECK(!network.status().message().empty());
    return;
  }
  BITPILOT_CHECK(ValidateNetwork(*network).ok());
  BITPILOT_CHECK(SerializeNetwork(*network) == file);
}

}  // namespace bitpilot

// A history of the daemon's core: two bytes a choice, of what happens next and when.
#include "kernels/base/check.h"
#include "tests/device_daemon/daemon_history.h"
#include "tests/fuzz/fuzz_targets.h"

namespace bitpilot {

void FuzzDaemon(std::string_view bytes) {
  FuzzInput input(bytes);
  daemon::DaemonHistory history([&input](std::uint32_t limit) { return input.Number(2) % limit; });
  for (int events = 0; events < 400 && !input.empty(); ++events) history.Run(1);
  BITPILOT_CHECK(history.violations().empty());
}

}  // namespace bitpilot

// What every piece of work returns that a user's stop ended.
#pragma once

#include "kernels/base/status.h"

namespace bitpilot {

inline Status Stopped() { return {StatusCode::kAborted, "stopped by the user"}; }

}  // namespace bitpilot

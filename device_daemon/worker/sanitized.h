// Whether this build runs under a sanitizer, for limits that a sanitizer cannot live with.
#pragma once

namespace bitpilot {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace bitpilot

// BITPILOT_CHECK: abort with file, line and text when the program itself broke a promise.
//
// Failures that a peer, a file or a device can cause are values instead (kernels/base/status.h).
#pragma once

#include <cstdio>
#include <cstdlib>

#define BITPILOT_CHECK(condition)                                                        \
  do {                                                                                   \
    if (!(condition)) {                                                                  \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                      \
    }                                                                                    \
  } while (false)

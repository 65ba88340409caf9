// One definition of a loop, compiled for several instruction sets and chosen when the program loads.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define BITPILOT_CLONES __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define BITPILOT_CLONES
#endif

# Writes OUTPUT, a header with the identity of this build's kernels, or of the sources that CONSTANT is named for:
# SHA-256 over the compiler, its flags and the content of every source. Only content counts, no path or time, so equal
# builds have equal identities.
#
#   cmake -DOUTPUT=... [-DCONSTANT=kKernelBuildId] -DCOMPILER=... -DFLAGS=... "-DSOURCES=a;b" -DSOURCE_DIR=... -P WriteKernelBuildId.cmake
cmake_minimum_required(VERSION 3.25)

if(NOT DEFINED CONSTANT)
  set(CONSTANT kKernelBuildId)
endif()
set(identity "${COMPILER}\n${FLAGS}\n")
foreach(source IN LISTS SOURCES)
  file(SHA256 "${SOURCE_DIR}/${source}" hash)
  string(APPEND identity "${source} ${hash}\n")
endforeach()
string(SHA256 build_id "${identity}")
file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [[
// Written by cmake/WriteKernelBuildId.cmake.
#pragma once

namespace bitpilot {

inline constexpr char @CONSTANT@[] = "@build_id@";

}  // namespace bitpilot
]])

#!/bin/bash
# clang-tidy over every source that Clang 14 can compile. It rejects LibTorch's headers in C++20, and kernels/cpu/isa.cc asks
# GCC about CPU features that Clang 14 cannot name.
#
# usage: cmake/tidy.sh BUILD_FOLDER      (configured: it has compile_commands.json)
set -euo pipefail
build=$(realpath "${1:?usage: cmake/tidy.sh BUILD_FOLDER}")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tidy=(clang-tidy --quiet --extra-arg=-Wno-unknown-warning-option)

# A .clang-tidy that cannot be parsed is ignored, and then everything passes. So first make sure that a file known to
# be bad does not, and for the reasons that .clang-tidy names.
log=$build/tidy-known-bad.log
"${tidy[@]}" tests/style/known_bad.cc -- -std=c++20 >"$log" 2>&1 || true
for check in readability-identifier-naming modernize-use-override modernize-use-nullptr; do
  if ! grep -q "error: .*$check" "$log"; then
    cat "$log" >&2
    echo "clang-tidy did not object to tests/style/known_bad.cc ($check): is .clang-tidy valid?" >&2
    exit 1
  fi
done

mapfile -t sources < <(
  grep -o '"file": "[^"]*"' "$build/compile_commands.json" | cut -d'"' -f4 | sort -u |
    grep -E "^$PWD/(kernels|proto|device_daemon|policies|agent)/.*\.cc$" | grep -v '/agent/qat/\|/kernels/cpu/isa\.cc$'
)
if ((${#sources[@]} == 0)); then
  echo "$build was configured by ./check, to compile several sources together: give a folder made with" >&2
  echo "  cmake --preset dev -B build/tidy" >&2
  exit 1
fi
echo "clang-tidy: ${#sources[@]} sources" >&2
printf '%s\0' "${sources[@]}" | xargs -0 -n 2 -P "$(nproc)" "${tidy[@]}" -p "$build"

# 64-bit Arm from another machine: Debian's g++-aarch64-linux-gnu.
set(BITPILOT_PROCESSOR aarch64)
include("${CMAKE_CURRENT_LIST_DIR}/CrossToolchain.cmake")
# A CPU with every feature that a kernel asks for. `check --arm` runs the tests on smaller ones, too.
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu max,sve=off)

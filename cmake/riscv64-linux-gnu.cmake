# 64-bit RISC-V from another machine: Debian's g++-riscv64-linux-gnu. Debian 12 has no libraries for it.
set(BITPILOT_PROCESSOR riscv64)
include("${CMAKE_CURRENT_LIST_DIR}/CrossToolchain.cmake")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-riscv64)

# For another machine's programs by Debian's cross compilers: the toolchain file of each processor sets
# BITPILOT_PROCESSOR, as in the compiler's name, and includes this. qemu-user runs what was built.
#
#   BITPILOT_SYSROOT      a root of that machine with all its libraries: programs are linked with them
#   BITPILOT_STATIC_ROOT  else, one with headers and static libraries: programs are static
#   neither               programs are static and need no library (kernels and their tests)
#
# cmake/package makes such roots.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR ${BITPILOT_PROCESSOR})
set(CMAKE_CXX_COMPILER ${BITPILOT_PROCESSOR}-linux-gnu-g++)
set(CMAKE_C_COMPILER ${BITPILOT_PROCESSOR}-linux-gnu-gcc)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES BITPILOT_SYSROOT BITPILOT_STATIC_ROOT)
set(CMAKE_FIND_ROOT_PATH /usr/${BITPILOT_PROCESSOR}-linux-gnu)
if(BITPILOT_SYSROOT)
  set(CMAKE_SYSROOT "${BITPILOT_SYSROOT}")
  set(CMAKE_LIBRARY_ARCHITECTURE ${BITPILOT_PROCESSOR}-linux-gnu)
  set(ENV{PKG_CONFIG_LIBDIR}
    "${BITPILOT_SYSROOT}/usr/lib/${BITPILOT_PROCESSOR}-linux-gnu/pkgconfig:${BITPILOT_SYSROOT}/usr/share/pkgconfig")
  set(ENV{PKG_CONFIG_SYSROOT_DIR} "${BITPILOT_SYSROOT}")
else()
  set(CMAKE_EXE_LINKER_FLAGS_INIT -static)
  if(BITPILOT_STATIC_ROOT)
    list(PREPEND CMAKE_FIND_ROOT_PATH "${BITPILOT_STATIC_ROOT}")
  endif()
endif()
# Headers, libraries and packages of this machine are not the other one's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

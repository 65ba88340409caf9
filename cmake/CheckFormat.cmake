# Fails if clang-format would change a source; with APPLY, lets it.
#
#   cmake -DROOT=<repository> [-DAPPLY=ON] -P CheckFormat.cmake
cmake_minimum_required(VERSION 3.25)

# Versions disagree about details, so the check is by the one that Debian 12 has.
find_program(clang_format NAMES clang-format-14 clang-format)
set(version "none")
if(clang_format)
  execute_process(COMMAND "${clang_format}" --version OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
if(NOT version MATCHES "version 14\\.")
  message("SKIPPED: clang-format 14 is needed to check the format of sources, found: ${version}")
  return()
endif()

# Tables (.inc) keep the columns that their authors gave them.
set(patterns "")
foreach(folder kernels proto device_daemon policies agent experiments tests)
  foreach(extension h cc)
    list(APPEND patterns "${ROOT}/${folder}/*.${extension}")
  endforeach()
endforeach()
file(GLOB_RECURSE sources ${patterns})
list(LENGTH sources count)
if(count EQUAL 0)
  message(FATAL_ERROR "No sources below ${ROOT}")
endif()

if(APPLY)
  set(mode -i)
else()
  set(mode --dry-run --Werror)
endif()
execute_process(COMMAND "${clang_format}" --style=file ${mode} ${sources} RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "Not formatted as .clang-format says: run `cmake --build --preset dev --target format`")
endif()
message("${count} sources are formatted as .clang-format says.")

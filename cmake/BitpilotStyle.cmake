# Targets that check and apply the house style. They use whatever clang-format and clang-tidy are installed (Debian 12
# has version 14) and need no part of the build:
#
#   cmake --build --preset dev --target format         rewrites sources in place
#   cmake --build --preset dev --target format-check   fails where a source would change
#   cmake --build --preset dev --target tidy           clang-tidy over everything that Clang can compile
add_custom_target(format
  COMMAND "${CMAKE_COMMAND}" "-DROOT=${PROJECT_SOURCE_DIR}" -DAPPLY=ON -P "${PROJECT_SOURCE_DIR}/cmake/CheckFormat.cmake"
  VERBATIM)
add_custom_target(format-check
  COMMAND "${CMAKE_COMMAND}" "-DROOT=${PROJECT_SOURCE_DIR}" -P "${PROJECT_SOURCE_DIR}/cmake/CheckFormat.cmake"
  VERBATIM)
add_custom_target(tidy
  COMMAND "${PROJECT_SOURCE_DIR}/cmake/tidy.sh" "${PROJECT_BINARY_DIR}"
  USES_TERMINAL VERBATIM)
# Clang cannot parse a file whose generated header (protobuf, the kernels' identity) does not exist yet.
foreach(generating bitpilot_proto bitpilot_kernels)
  if(TARGET ${generating})
    add_dependencies(tidy ${generating})
  endif()
endforeach()

if(BITPILOT_BUILD_TESTS)
  add_test(NAME formatting
    COMMAND "${CMAKE_COMMAND}" "-DROOT=${PROJECT_SOURCE_DIR}" -P "${PROJECT_SOURCE_DIR}/cmake/CheckFormat.cmake")
  set_tests_properties(formatting PROPERTIES
    LABELS style SKIP_REGULAR_EXPRESSION "SKIPPED: clang-format")
endif()

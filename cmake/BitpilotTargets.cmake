# Target helpers. Flags live on targets, never in CMAKE_CXX_FLAGS.
include(GoogleTest)

# Warnings, sanitizers and the numeric contract, linked PRIVATE by every target here.
#
# -ffp-contract=off: requantization is normative float32 without fused multiply-add (kernels/output/requantize.h).
add_library(bitpilot_private_flags INTERFACE)
target_compile_options(bitpilot_private_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -ffp-contract=off)
# GCC 12 warns about overlapping copies in its own std::string operator+ (GCC bug 105651).
target_compile_options(bitpilot_private_flags INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>)
# At -O1 it takes parts of a std::variant for uninitialized; the release preset keeps the warning.
target_compile_options(bitpilot_private_flags INTERFACE
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:RelWithDebInfo>>:-Wno-maybe-uninitialized>)
# Not in CMAKE_CXX_FLAGS, which the kernels' identity is made of.
if(BITPILOT_PACKAGE)
  target_compile_options(bitpilot_private_flags INTERFACE
    "-ffile-prefix-map=${PROJECT_SOURCE_DIR}=bitpilot" "-ffile-prefix-map=${PROJECT_BINARY_DIR}=build")
  if(CMAKE_SYSROOT)
    target_compile_options(bitpilot_private_flags INTERFACE "-ffile-prefix-map=${CMAKE_SYSROOT}=")
  endif()
  target_link_options(bitpilot_private_flags INTERFACE -s)
endif()
if(BITPILOT_SANITIZE)
  target_compile_options(bitpilot_private_flags INTERFACE
    -fsanitize=${BITPILOT_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(bitpilot_private_flags INTERFACE -fsanitize=${BITPILOT_SANITIZE})
  if(BITPILOT_SANITIZE STREQUAL "thread")
    # It knows no fences, and GCC refuses them. Boost.Asio's mutexes order the same.
    target_compile_definitions(Boost::headers INTERFACE BOOST_ASIO_DISABLE_FENCED_BLOCK)
  endif()
endif()

# bitpilot_add_library(<name> SOURCES <cc>... [DEPS <target>...] [PRIVATE_DEPS <target>...])
#
# Creates the static library bitpilot_<name> with the alias bitpilot::<name>. Includes start at the
# repository's root ("kernels/cpu/isa.h"), so an include line shows its folder.
function(bitpilot_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS;PRIVATE_DEPS")
  set(target bitpilot_${name})
  add_library(${target} STATIC ${arg_SOURCES})
  add_library(bitpilot::${name} ALIAS ${target})
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_compile_features(${target} PUBLIC cxx_std_20)
  target_link_libraries(${target} PUBLIC ${arg_DEPS} PRIVATE ${arg_PRIVATE_DEPS} bitpilot_private_flags)
endfunction()

# bitpilot_add_executable(<program> SOURCES <cc>... DEPS <target>...)
function(bitpilot_add_executable program)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;DEPS")
  add_executable(${program} ${arg_SOURCES})
  target_link_libraries(${program} PRIVATE ${arg_DEPS} bitpilot_private_flags)
endfunction()

# bitpilot_add_isa_sources(<target> <ISA> FLAGS <flag>... SOURCES <cc>...)
#
# Adds sources compiled with an instruction set's flags and defines BITPILOT_HAVE_<ISA>=1.
function(bitpilot_add_isa_sources target isa)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "FLAGS;SOURCES")
  target_sources(${target} PRIVATE ${arg_SOURCES})
  # One by one, whatever their flags: they have names in common.
  set_source_files_properties(${arg_SOURCES} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
  set_property(SOURCE ${arg_SOURCES} APPEND PROPERTY COMPILE_OPTIONS ${arg_FLAGS})
  target_compile_definitions(${target} PRIVATE BITPILOT_HAVE_${isa}=1)
endfunction()

# bitpilot_optimize(<target>): what runs long is compiled alike in every preset, so that what ships is what was tested
# and timed. The dev preset builds the rest at -O1, the release presets at -O3, with which GCC 12 makes kernels larger
# and portable ones slower (1.2 to 1.4 times as long).
function(bitpilot_optimize target)
  target_compile_options(${target} PRIVATE $<$<NOT:$<CONFIG:Debug>>:-O2>)
endfunction()

# bitpilot_shrink(<target>): for what a board loads but never waits for. Small is better than fast, and what nothing
# calls is left out of the program (bitpilotd links with --gc-sections).
function(bitpilot_shrink target)
  target_compile_options(${target} PRIVATE -Os -ffunction-sections -fdata-sections)
endfunction()

# bitpilot_precompile_torch(<target>): <torch/torch.h> costs many seconds a file otherwise.
function(bitpilot_precompile_torch target)
  target_precompile_headers(${target} PRIVATE <torch/torch.h>)
endfunction()

# bitpilot_add_test(<program> LABEL <folder> SOURCES <cc>... DEPS <target>...
#                   [(ONE_PROCESS | PROCESSES <count>) [OWN_ENTRIES <Suite.Name>...]])
#
# One CTest test per GoogleTest case. ONE_PROCESS makes the binary a single CTest test: programs that load
# LibTorch take 0.3 s and more to start. PROCESSES shares the cases out among that many CTest tests, <program>_0 and on,
# for what takes minutes and loads LibTorch. OWN_ENTRIES are CTest tests of their own all the same, so that they can be
# found by their names; one that is not in the binary any more fails. Tests are compiled for a short build: little optimization, and GoogleTest's
# headers precompiled once for all (tests/CMakeLists.txt). What local daemons keep for the next one stays in the build folder.
# Further variables are in CMakePresets.json: gtest_discover_tests() takes one.
function(bitpilot_add_test program)
  cmake_parse_arguments(PARSE_ARGV 1 arg "ONE_PROCESS" "LABEL;PROCESSES" "SOURCES;DEPS;OWN_ENTRIES")
  add_executable(${program} ${arg_SOURCES})
  target_link_libraries(${program} PRIVATE ${arg_DEPS} GTest::gtest_main GTest::gmock bitpilot_private_flags)
  target_compile_definitions(${program} PRIVATE
    BITPILOT_SOURCE_DIR="${PROJECT_SOURCE_DIR}" BITPILOT_BINARY_DIR="${PROJECT_BINARY_DIR}")
  if("torch" IN_LIST arg_DEPS)
    target_precompile_headers(${program} REUSE_FROM bitpilot_qat)
  else()
    target_compile_options(${program} PRIVATE ${BITPILOT_TEST_OPTIONS})
    target_precompile_headers(${program} REUSE_FROM bitpilot_test_headers)
  endif()
  # CTest starts the dearest first: what waits for networks and boards waits beside what computes, not at the end.
  set(cost)
  if(arg_LABEL STREQUAL "faults")
    set(cost COST 1)
  endif()
  set(others)
  if(arg_OWN_ENTRIES)
    list(JOIN arg_OWN_ENTRIES ":" names)
    set(others "--gtest_filter=-${names}")
  endif()
  foreach(name IN LISTS arg_OWN_ENTRIES)
    add_test(NAME ${name} COMMAND ${program} "--gtest_filter=${name}")
    set_tests_properties(${name} PROPERTIES LABELS ${arg_LABEL} TIMEOUT 600 FAIL_REGULAR_EXPRESSION "Running 0 tests"
      ENVIRONMENT "XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/cache")
  endforeach()
  if(arg_ONE_PROCESS)
    add_test(NAME ${program} COMMAND ${program} ${others})
    set_tests_properties(${program} PROPERTIES LABELS ${arg_LABEL} TIMEOUT 600
      ENVIRONMENT "XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/cache")
  elseif(arg_PROCESSES)
    math(EXPR last "${arg_PROCESSES} - 1")
    foreach(index RANGE ${last})
      add_test(NAME ${program}_${index} COMMAND ${program} ${others})
      set_tests_properties(${program}_${index} PROPERTIES LABELS ${arg_LABEL} TIMEOUT 600
        ENVIRONMENT "XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/cache;GTEST_TOTAL_SHARDS=${arg_PROCESSES};GTEST_SHARD_INDEX=${index}")
    endforeach()
  else()
    gtest_discover_tests(${program} NO_PRETTY_VALUES DISCOVERY_TIMEOUT 60
      PROPERTIES LABELS ${arg_LABEL} ${cost} TIMEOUT 300 ENVIRONMENT "XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/cache")
  endif()
endfunction()

# Fails if an object file compiled for an instruction set could harm a CPU without it, or spills in a
# hot loop.
#
#   no weak symbols    the linker keeps one copy of an inline function for the whole program: it
#                      could be this one
#   no stack in tiles  an accumulator or address in memory costs a tile tens of per cent, and compilers
#                      put one there silently. Hot loops are the innermost ones that multiply or look
#                      up, in the functions named below; a loop over tiles, which turns their sums into
#                      codes, may use the stack. A depthwise tile of 3x3 is one hot stretch without a loop.
#   no fused products  requantization rounds after every operation (kernels/output/requantize.h): looked for in
#                      every object
#
#   cmake -DNM=... -DOBJDUMP=... "-DOBJECTS=a.o;b.o" -DCHECK_LOOPS=ON|OFF -P check_isa_objects.cmake
cmake_minimum_required(VERSION 3.25)

set(loop_functions "(Conv|Dense|Pair)Tiles?<|PipelinedRows<|RunDepthwise<|Row3x3<|RowOfAnyFilter<")
string(APPEND loop_functions "|Convolve(Channels<|Pixels<|ToSums)|SumPlanes<")
set(straight_functions "Tile3x3<")
set(multiply ":\t((v?p(maddwd|maddubsw|shufb|opcntd)|({vex} )?vpdpbusd|tdpbusd) |(smull2?|smlal2?|sdot|usmmla|cnt|tbl)\t)")
set(fused "\t(v?fn?m(add|sub|addsub|subadd)[0-9a-z]*|fml[as]l?2?)[ \t]")
# A backward jump on a condition, and where to; both architectures.
set(conditional_jump "\t(j[a-z]+ +|b\\.[a-z]+\t|cbn?z\t[wx][0-9]+, |tbn?z\t[wx][0-9]+, #[0-9]+, )([0-9a-f]+)( |$)")

set(num_checked 0)
set(num_loops 0)

# check_hot(<object> <function> <instructions>...): counts them, and fails if one touches the stack.
function(check_hot object function)
  math(EXPR count "${num_object_loops} + 1")
  set(num_object_loops ${count} PARENT_SCOPE)
  # rbp is the stack's only in functions that say so. Arm's brackets have become commas.
  set(stack "\\(%rsp[,)]|,sp,")
  if(has_frame)
    set(stack "\\(%r[sb]p[,)]")
  endif()
  list(FILTER ARGN INCLUDE REGEX "${stack}")
  if(ARGN)
    message(SEND_ERROR "${object}: ${function}: stack traffic in a hot loop: ${ARGN}")
  endif()
endfunction()

# check_loops(<object> <function> <instructions>...)
function(check_loops object function)
  set(addresses ${ARGN})
  list(TRANSFORM addresses REPLACE ":.*" "")
  set(index -1)
  set(last_end -1)  # Of the loops so far.
  foreach(instruction IN LISTS ARGN)
    math(EXPR index "${index} + 1")
    # A backward jump ends a loop. Compilers close loops with a condition; unconditional ones come back
    # from cold code.
    if(instruction MATCHES "\tjmp" OR NOT instruction MATCHES "${conditional_jump}")
      continue()
    endif()
    list(FIND addresses "${CMAKE_MATCH_2}" begin)
    if(begin LESS 0 OR begin GREATER index OR NOT last_end LESS begin)
      continue()  # Forward, or around another loop.
    endif()
    math(EXPR length "${index} - ${begin} + 1")
    list(SUBLIST ARGN ${begin} ${length} loop)
    if(loop MATCHES "\tret")
      continue()  # From cold code, too.
    endif()
    set(last_end ${index})
    if(loop MATCHES "${multiply}" AND NOT (function MATCHES "Tiles?<" AND loop MATCHES "cvtdq2ps|scvtf"))
      check_hot("${object}" "${function}" ${loop})
    endif()
  endforeach()
  set(num_object_loops ${num_object_loops} PARENT_SCOPE)
endfunction()

foreach(object IN LISTS OBJECTS)
  execute_process(COMMAND "${OBJDUMP}" -d -C --no-show-raw-insn "${object}"
    OUTPUT_VARIABLE disassembly COMMAND_ERROR_IS_FATAL ANY)
  if(disassembly MATCHES "\n[^\n]*${fused}[^\n]*")
    message(SEND_ERROR "${object}: fused multiply-add: ${CMAKE_MATCH_0}")
  endif()
  if(NOT object MATCHES "_(sse4|avx2|avxvnni|avx512vnni|amx|neon|neondot|neoni8mm)\\.cc\\.o$")
    continue()
  endif()
  math(EXPR num_checked "${num_checked} + 1")
  set(num_object_loops 0)
  execute_process(COMMAND "${NM}" -C "${object}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCH "[^\n]* [WwVvu] [^\n]*" weak "${symbols}")
  if(weak)
    message(SEND_ERROR "${object}: weak symbol: ${weak}")
  endif()
  if(NOT CHECK_LOOPS OR NOT object MATCHES "/(conv|depthwise)_[a-z0-9_]+\\.cc\\.o$")
    continue()
  endif()

  # Functions as elements of a list, which brackets and semicolons would break.
  string(REGEX REPLACE "[][;]" "," disassembly "${disassembly}")
  string(REPLACE "\n\n" ";" functions "${disassembly}")
  foreach(text IN LISTS functions)
    if(NOT text MATCHES "^[0-9a-f]+ <([^\n]*)>:\n")
      continue()
    endif()
    set(function "${CMAKE_MATCH_1}")
    string(REGEX MATCHALL "[0-9a-f]+:\t[^\n]*" instructions "${text}")
    string(REGEX MATCH "\tmov +%rsp,%rbp" has_frame "${text}")
    if(function MATCHES "${straight_functions}")
      check_hot("${object}" "${function}" ${instructions})
    elseif(function MATCHES "${loop_functions}")
      check_loops("${object}" "${function}" ${instructions})
    endif()
  endforeach()
  if(num_object_loops EQUAL 0)
    message(SEND_ERROR "${object}: no hot loop found: have its functions other names now?")
  endif()
  math(EXPR num_loops "${num_loops} + ${num_object_loops}")
endforeach()

if(num_checked EQUAL 0)
  message(FATAL_ERROR "no object file of an instruction set among: ${OBJECTS}")
endif()
message(STATUS "${num_checked} object files, ${num_loops} hot loops checked")

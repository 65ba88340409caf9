# Whole programs; each case starts several. Separate CTest tests, so that they run side by side.
bitpilot_add_test(search_program_test
  LABEL agent
  SOURCES program.cc search_energy_test.cc search_program_test.cc
  DEPS bitpilot::study)
add_dependencies(search_program_test bitpilot bitpilotd)

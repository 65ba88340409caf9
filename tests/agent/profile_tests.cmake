bitpilot_add_test(profile_test
  LABEL agent
  SOURCES
    build_lut_test.cc
    fit_energy_test.cc
    lut_test.cc
    missing_pairs_test.cc
    model_board_test.cc
    profile_data_test.cc
    profile_plan_test.cc
    search_table_test.cc
  DEPS bitpilot::profile nlohmann_json::nlohmann_json)
# Whole programs.
bitpilot_add_test(profile_program_test
  LABEL agent
  SOURCES profile_program_test.cc program.cc small_sample.cc
  DEPS bitpilot::lut bitpilot::model bitpilot::study nlohmann_json::nlohmann_json)
add_dependencies(profile_program_test bitpilot bitpilotd)

# In this process: LibTorch is loaded once.
bitpilot_add_test(cli_test LABEL agent ONE_PROCESS
  SOURCES board_row_test.cc budget_outcome_test.cc check_output_test.cc cli_flags_test.cc episodes_output_test.cc final_table_test.cc search_flags_test.cc
    program.cc search_display_test.cc search_metrics_test.cc small_sample.cc step_line_test.cc stop_signals_test.cc terminal_test.cc train_checkpoint_test.cc
  DEPS bitpilot::cli bitpilot::study)
add_dependencies(cli_test bitpilot)

# What only reads studies and keys must not wait for LibTorch. Names only: an address may hold "c10" too.
add_test(NAME bitpilot_starts_without_libtorch
  COMMAND sh -c "ldd '$<TARGET_FILE:bitpilot>' | awk '{ print $1 }' > needed && ! grep -E 'torch|c10' needed")
set_tests_properties(bitpilot_starts_without_libtorch PROPERTIES LABELS agent)

# Programs that do not load LibTorch.
bitpilot_add_test(light_program_test LABEL agent
  SOURCES early_checks_program_test.cc fleet_boards_program_test.cc keygen_program_test.cc program.cc readme_test.cc
  DEPS bitpilot::fleet bitpilot::model nlohmann_json::nlohmann_json)
add_dependencies(light_program_test bitpilot bitpilot-agent bitpilotd)

# Whole programs; each case starts several. Separate CTest tests, so that they run side by side.
bitpilot_add_test(search_program_test
  LABEL agent
  SOURCES full_disk_program_test.cc program.cc search_energy_test.cc search_files_program_test.cc search_input_test.cc search_moved_program_test.cc
    search_program_test.cc simultaneous_program_test.cc small_sample.cc train_program_test.cc
  DEPS bitpilot::device bitpilot::lut bitpilot::model bitpilot::study)
add_dependencies(search_program_test bitpilot bitpilotd meter-replay meter-synthetic)

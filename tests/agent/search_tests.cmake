bitpilot_add_test(search_test LABEL agent ONE_PROCESS
  SOURCES
    bit_spec_test.cc
    board_pools_test.cc
    check_before_search_test.cc
    decision_variables_test.cc
    energy_objective_test.cc
    finalists_test.cc
    journal_test.cc
    live_parts_test.cc
    moved_parts_test.cc
    reference_networks_test.cc
    search_board_test.cc
    step_board_test.cc
    step_measurement_test.cc
    study_files_test.cc
    twin_losses_test.cc
  DEPS bitpilot::session)
# Whole searches over daemons of model boards, in this process.
bitpilot_add_test(fleet_search_test LABEL agent
  SOURCES fleet_classes_test.cc fleet_search_test.cc joint_problem_test.cc joint_rows_test.cc
          unrecorded_answers_test.cc
  DEPS bitpilot::cli bitpilot::session nlohmann_json::nlohmann_json)
add_dependencies(fleet_search_test bitpilotd)
bitpilot_add_test(step_statistics_test LABEL agent
  SOURCES step_statistics_test.cc "${PROJECT_SOURCE_DIR}/experiments/timing_statistics/simulated_steps.cc"
          "${PROJECT_SOURCE_DIR}/experiments/timing_statistics/simulated_trials.cc"
  DEPS bitpilot::session bitpilot::measurement)
# Whole searches, over and over, side by side. LibTorch and the images are loaded once a process.
bitpilot_add_test(search_resume_test LABEL agent PROCESSES 4
  SOURCES search_environment_test.cc search_resume_test.cc twin_test.cc
  OWN_ENTRIES SearchEnvironmentTest.F64ChargesNothingForWhatWasMeasuredBefore
              SearchResumeTest.F8DecidesTheSameWhereverItWasStopped
              SearchResumeTest.F61FindsEveryFigureThatDoesNotFollowFromTheLog
  DEPS bitpilot::session nlohmann_json::nlohmann_json)
add_dependencies(search_resume_test bitpilotd)

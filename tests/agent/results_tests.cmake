# In this process: LibTorch is loaded once.
bitpilot_add_test(results_test LABEL agent ONE_PROCESS
  SOURCES
    accuracy_statistics_test.cc
    board_comparison_test.cc
    board_versus_test.cc
    final_comparison_test.cc
    final_rounds_test.cc
    final_training_test.cc
    speed_claims_test.cc
  DEPS bitpilot::results)

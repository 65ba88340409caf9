bitpilot_add_test(report_test LABEL agent ONE_PROCESS
  SOURCES html_test.cc report_test.cc sample_study.cc svg_test.cc
  DEPS bitpilot::report bitpilot::session nlohmann_json::nlohmann_json)

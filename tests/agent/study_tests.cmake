bitpilot_add_test(study_test LABEL agent SOURCES study_test.cc DEPS bitpilot::study)

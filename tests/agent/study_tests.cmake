bitpilot_add_test(study_test LABEL agent
  SOURCES
    board_agreement_test.cc
    calibration_event_test.cc
    chosen_rows_test.cc
    class_fingerprints_test.cc
    config_fields_test.cc
    episodes_test.cc
    event_store_test.cc
    events_test.cc
    full_disk_study_test.cc
    headline_search_test.cc
    headline_verdict_test.cc
    measurement_blob_test.cc
    memory_event_store.cc
    prediction_scores_test.cc
    search_config_test.cc
    simultaneous_starts_test.cc
    sqlite_event_store_test.cc
    stored_study_test.cc
    study_crash_test.cc
    study_energy_test.cc
    study_faults_test.cc
    study_tamper_test.cc
    study_test.cc
    training_note_test.cc
  DEPS bitpilot::study bitpilot::headline_results bitpilot::prediction_scores)

bitpilot_add_test(fleet_protocol_test
  LABEL agent
  SOURCES board_inquiry_test.cc fleet_client_connection_test.cc fleet_client_jobs_test.cc
          fleet_client_lease_test.cc fleet_client_limits_test.cc
          fleet_simulated_board.cc fleet_simulation_test.cc
          measure_retries_test.cc
  DEPS bitpilot::fleet)
bitpilot_add_test(fleet_core_test
  LABEL agent
  SOURCES board_locator_test.cc fleet_class_test.cc fleet_core_test.cc fleet_health_test.cc fleet_judged_test.cc
          fleet_leases_test.cc fleet_simulated_board.cc job_queue_test.cc listening_clock_test.cc notice_groups_test.cc
          power_hook_test.cc
  DEPS bitpilot::fleet)
bitpilot_add_test(fleet_files_test
  LABEL agent
  SOURCES board_conditions_test.cc fleet_file_test.cc fleet_job_requests_test.cc fleet_keys_test.cc
          golden_logits_test.cc measure_parts_test.cc
  DEPS bitpilot::fleet)
